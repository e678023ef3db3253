package auth

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"regexp"

	"github.com/AzureAD/microsoft-authentication-library-for-go/apps/confidential"
)

// maxAssertion bounds an assertion file, in bytes. Projected service-account tokens are one to two kilobytes.
const maxAssertion = 64 << 10

// assertionError says what is wrong with an assertion file, in a fixed word: never its content.
type assertionError struct{ detail string }

func (e *assertionError) Error() string { return "reading assertion file: " + e.detail }

// compactJWT is the shape of a signed JWT (RFC 7515 section 3.1). Whether Entra trusts it is for Entra to say.
var compactJWT = regexp.MustCompile(`^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$`)

// fromFile reads the file again for every assertion that MSAL asks for, because the kubelet replaces projected tokens long before
// the old one expires. It keeps no state, so it may be called from any number of goroutines.
func fromFile(path string) func(context.Context, confidential.AssertionRequestOptions) (string, error) {
	return func(context.Context, confidential.AssertionRequestOptions) (string, error) {
		return readAssertion(path)
	}
}

func readAssertion(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", unreadable(err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would block for ever
		return "", &assertionError{"not_a_file"}
	}
	file, err := os.Open(path)
	if err != nil {
		return "", unreadable(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxAssertion+1))
	if err != nil {
		return "", unreadable(err)
	}
	assertion := bytes.TrimSpace(content)
	switch {
	case len(content) > maxAssertion:
		return "", &assertionError{"too_large"}
	case len(assertion) == 0:
		return "", &assertionError{"empty"}
	case !compactJWT.Match(assertion):
		return "", &assertionError{"not_a_jwt"}
	}
	return string(assertion), nil
}

func unreadable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &assertionError{"missing"}
	case errors.Is(err, fs.ErrPermission):
		return &assertionError{"permission_denied"}
	}
	return &assertionError{"unreadable"}
}
