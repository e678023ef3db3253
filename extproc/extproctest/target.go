package extproctest

import (
	"regexp"
	"strings"
)

// Envoy normalizes the path of a request before any filter sees it
// (normalize_path, merge_slashes) and refuses what could be read in two ways
// (path_with_escaped_slashes_action).

// refusedByEnvoy matches paths that get a 400 from Envoy itself: encoded
// slashes and NUL.
var refusedByEnvoy = regexp.MustCompile(`(?i)%2f|%5c|%00`)

// normalize resolves dot segments, in clear or encoded, and doubled slashes of
// the path, not of the query. ok is false where Envoy refuses.
func normalize(target string) (_ string, ok bool) {
	path, query, hasQuery := strings.Cut(target, "?")
	if refusedByEnvoy.MatchString(path) || !strings.HasPrefix(path, "/") {
		return "", false
	}
	segments := strings.Split(strings.ReplaceAll(path, `\`, "/")[1:], "/")
	var kept []string
	for i, segment := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(segment), "%2e", ".") {
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			fallthrough
		case ".", "":
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	path = "/" + strings.Join(kept, "/")
	if hasQuery {
		path += "?" + query
	}
	return path, true
}
