package opa

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/logging"
)

// logger is what OPA logs to. Its debug level has headers and bodies, so there is
// none, and queries of URLs, where signatures of links may be, are left out. What OPA tells
// at level info, every few seconds, is logged at the level of info.
type logger struct {
	log  *slog.Logger
	info slog.Level
	// failed, if not nil, gets the format of each error.
	failed func(format string)
}

var queries = regexp.MustCompile(`(https?://[^\s"?]*)\?[^\s"]*`)

// longest is how much of a text is shown, in bytes: what a bundle that nobody has
// signed says, such as the name of a file in it, can be long.
const longest = 4096

// plain leaves the queries of URLs out of a text, and what is too long.
func plain(text string) string {
	text = queries.ReplaceAllString(text, "$1?…")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

// plainly is plain for every text in a value. Reports for the console are objects.
func plainly(value any) any {
	switch v := value.(type) {
	case string:
		return plain(v)
	case error:
		return plain(v.Error())
	case []any:
		all := make([]any, len(v))
		for i := range v {
			all[i] = plainly(v[i])
		}
		return all
	case map[string]any:
		all := make(map[string]any, len(v))
		for name := range v {
			all[name] = plainly(v[name])
		}
		return all
	}
	return value
}

func (l logger) at(level slog.Level, format string, args []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, plain(fmt.Sprintf(format, args...)))
	}
}

// Debug implements logging.Logger.
func (l logger) Debug(string, ...any) {}

// Info implements logging.Logger.
func (l logger) Info(format string, args ...any) { l.at(l.info, format, args) }

// Warn implements logging.Logger.
func (l logger) Warn(format string, args ...any) { l.at(slog.LevelWarn, format, args) }

// Error implements logging.Logger.
func (l logger) Error(format string, args ...any) {
	if l.failed != nil {
		l.failed(format)
	}
	l.at(slog.LevelError, format, args)
}

// WithFields implements logging.Logger.
func (l logger) WithFields(fields map[string]any) logging.Logger {
	attrs := make([]any, 0, 2*len(fields))
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		attrs = append(attrs, name, plainly(fields[name]))
	}
	return logger{l.log.With(attrs...), l.info, l.failed}
}

// GetLevel implements logging.Logger.
func (l logger) GetLevel() logging.Level { return logging.Info }

// SetLevel implements logging.Logger; the level is that of the configuration.
func (l logger) SetLevel(logging.Level) {}
