package main

import (
	"encoding/base64"
	"fmt"

	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// linkKeys reads the keys of sealed page links, or derives them from the salt
// and the pseudonym keys, so that links survive a restart either way.
func (p *PseudonymConfig) linkKeys(c pseudonym.Config) ([][]byte, error) {
	var keys [][]byte
	if len(p.LinkKeyFiles) == 0 {
		for _, key := range append([]string{c.Key}, c.PreviousKeys...) {
			keys = append(keys, pseudonym.DeriveLinkKey(c.Salt, key))
		}
		return keys, nil
	}
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
