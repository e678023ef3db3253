package platform

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Bounds of what is verified.
const (
	signatureWindow = 5 * time.Minute // docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
	maxAWSBody      = 64 << 10
	amzTime         = "20060102T150405Z"
)

// readAWS reads the body of a request.
func readAWS(r *http.Request) ([]byte, *awsRefusal) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxAWSBody+1))
	if err != nil || len(body) > maxAWSBody {
		return nil, incomplete("the body is too large or was cut off")
	}
	return body, nil
}

// authenticate verifies Signature Version 4 (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html) by
// signing what arrived again, with the secret of the access key that it names.
func (a *AWS) authenticate(r *http.Request, body []byte, service string) (AWSKey, *awsRefusal) {
	authorization := r.Header.Get("Authorization")
	if authorization == "" {
		return AWSKey{}, &awsRefusal{"MissingAuthenticationToken", "MissingAuthenticationTokenException", http.StatusForbidden, "Request is missing Authentication Token"}
	}
	given, no := parseAuthorization(authorization)
	if no != nil {
		return AWSKey{}, no
	}
	a.mu.Lock()
	key, known := a.keys[given.key]
	a.mu.Unlock()
	now := a.cfg.Now()
	switch {
	case !known, r.Header.Get("X-Amz-Security-Token") != key.Session:
		return AWSKey{}, &awsRefusal{"InvalidClientTokenId", "UnrecognizedClientException", http.StatusForbidden, "The security token included in the request is invalid."}
	case !key.Expiry.IsZero() && !now.Before(key.Expiry):
		return AWSKey{}, &awsRefusal{"ExpiredToken", "ExpiredTokenException", http.StatusForbidden, "The security token included in the request is expired"}
	}
	signedAt, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
	if err != nil {
		return AWSKey{}, incomplete("Date must be in ISO-8601 'basic format'. Got '" + r.Header.Get("X-Amz-Date") + "'.")
	}
	scope := strings.Join([]string{signedAt.Format("20060102"), a.cfg.Region, service, "aws4_request"}, "/")
	if given.scope != scope {
		return AWSKey{}, mismatch("Credential should be scoped to a valid region and service: " + scope)
	}
	switch early, late := now.Add(signatureWindow), now.Add(-signatureWindow); {
	case signedAt.Before(late):
		return AWSKey{}, mismatch(fmt.Sprintf("Signature expired: %s is now earlier than %s (%s - 5 min.)", signedAt.Format(amzTime), late.UTC().Format(amzTime), now.UTC().Format(amzTime)))
	case signedAt.After(early):
		return AWSKey{}, mismatch(fmt.Sprintf("Signature not yet current: %s is still later than %s (%s + 5 min.)", signedAt.Format(amzTime), early.UTC().Format(amzTime), now.UTC().Format(amzTime)))
	}
	if left := unsigned(r.Header, given.headers); left != "" {
		return AWSKey{}, mismatch("'" + left + "' must be a 'SignedHeader' in the AWS Authorization.")
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if claimed := r.Header.Get("X-Amz-Content-Sha256"); claimed != "" && claimed != hash {
		return AWSKey{}, mismatch("The value passed in as x-amz-content-sha256 does not match the computed payload hash.")
	}
	canonical := sha256.Sum256([]byte(canonicalRequest(r, given.headers, hash)))
	text := "AWS4-HMAC-SHA256\n" + signedAt.Format(amzTime) + "\n" + scope + "\n" + hex.EncodeToString(canonical[:])
	signer := []byte("AWS4" + key.Secret)
	for part := range strings.SplitSeq(scope, "/") {
		signer = hmacSHA256(signer, part)
	}
	if !hmac.Equal(hmacSHA256(signer, text), given.signature) {
		return AWSKey{}, mismatch("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
	}
	return key, nil
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// awsAuthorization is the content of the Authorization header.
type awsAuthorization struct {
	key, scope string
	headers    []string
	signature  []byte
}

func parseAuthorization(text string) (awsAuthorization, *awsRefusal) {
	rest, ok := strings.CutPrefix(text, "AWS4-HMAC-SHA256 ")
	if !ok {
		return awsAuthorization{}, incomplete("Authorization header requires AWS4-HMAC-SHA256.")
	}
	fields := make(map[string]string)
	for field := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		fields[name] = value
	}
	var a awsAuthorization
	a.key, a.scope, _ = strings.Cut(fields["Credential"], "/")
	a.headers = strings.Split(fields["SignedHeaders"], ";")
	var err error
	if a.signature, err = hex.DecodeString(fields["Signature"]); err != nil || a.key == "" || a.scope == "" || len(a.signature) != sha256.Size ||
		!slices.IsSorted(a.headers) {
		return awsAuthorization{}, incomplete("Authorization header requires 'Credential', 'SignedHeaders' and 'Signature' parameters.")
	}
	return a, nil
}

// unsigned names a header that has to be signed and is not: host, and every x-amz- header of the request.
func unsigned(header http.Header, signed []string) string {
	required := []string{"host"}
	for name := range header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-amz-") {
			required = append(required, name)
		}
	}
	for _, name := range required {
		if !slices.Contains(signed, name) {
			return name
		}
	}
	return ""
}

// canonicalRequest is the first of the two texts that are signed.
func canonicalRequest(r *http.Request, signed []string, bodyHash string) string {
	var text bytes.Buffer
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	segments := strings.Split(path, "/")
	for i, segment := range segments {
		segments[i] = awsEscape(segment) // escaped once more, as all services but S3 have it
	}
	var query []string
	for name, values := range r.URL.Query() {
		for _, value := range values {
			query = append(query, awsEscape(name)+"="+awsEscape(value))
		}
	}
	slices.Sort(query)
	fmt.Fprintf(&text, "%s\n%s\n%s\n", r.Method, strings.Join(segments, "/"), strings.Join(query, "&"))
	for _, name := range signed {
		values := slices.Clone(r.Header.Values(name))
		switch name {
		case "host":
			values = []string{r.Host}
		case "content-length":
			values = []string{fmt.Sprint(r.ContentLength)}
		}
		for i, value := range values {
			values[i] = strings.Join(strings.Fields(value), " ")
		}
		fmt.Fprintf(&text, "%s:%s\n", name, strings.Join(values, ","))
	}
	fmt.Fprintf(&text, "\n%s\n%s", strings.Join(signed, ";"), bodyHash)
	return text.String()
}

// awsEscape escapes all but the unreserved characters of RFC 3986 section 2.3.
func awsEscape(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), "%7E", "~")
}

func incomplete(text string) *awsRefusal {
	return &awsRefusal{"IncompleteSignature", "IncompleteSignatureException", http.StatusBadRequest, text}
}

func mismatch(text string) *awsRefusal {
	return &awsRefusal{"SignatureDoesNotMatch", "InvalidSignatureException", http.StatusForbidden, text}
}
