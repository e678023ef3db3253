package main

import (
	"encoding/base64"
	"fmt"

	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// linkKeys reads the keys of sealed page links, nil if no files hold any.
func (p *PseudonymConfig) linkKeys() ([][]byte, error) {
	var keys [][]byte
	for _, file := range p.LinkKeyFiles {
		text, err := secret("", file, "pseudonyms.link_key_files")
		if err != nil {
			return nil, err
		}
		key, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(key) != pseudonym.LinkKeySize {
			return nil, fmt.Errorf("reading pseudonyms.link_key_files: a file must hold 32 bytes in base64\nhint: openssl rand -base64 32")
		}
		keys = append(keys, key)
	}
	return keys, nil
}
