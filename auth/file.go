package auth

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
)

// File signs in with an assertion that somebody else keeps fresh in a file.
type File struct {
	// Path of the file: one JWT, blanks around it do not count. Required. It is read again for each token request, whatever its age.
	Path string `yaml:"path"`
}

func (f *File) validate(Cloud) error {
	if f.Path == "" {
		return errors.New("no path\nhint: path names the file that holds the assertion")
	}
	return nil
}

func (f *File) prover(network, string) (prover, error) { return fromFile(f.Path), nil }

// fromFile keeps no state: it reads the file whenever MSAL asks.
func fromFile(path string) assertions {
	return func(context.Context) (string, error) {
		content, err := readFile(path, maxAssertion)
		if err != nil {
			return "", err
		}
		return checkAssertion(content)
	}
}

// readFile reads a regular file of at most limit bytes, and one more if it is longer.
func readFile(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, unreadable(err)
	}
	if !info.Mode().IsRegular() { // opening a pipe would block for ever
		return nil, &credentialError{detail: "not_a_file"}
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, unreadable(err)
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, unreadable(err)
	}
	return content, nil
}

func unreadable(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &credentialError{detail: "missing"}
	case errors.Is(err, fs.ErrPermission):
		return &credentialError{detail: "permission_denied"}
	}
	return &credentialError{detail: "unreadable"}
}
