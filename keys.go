package main

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/graphveil/graphveil/extproc/pseudonym"
)

// secrets are what the files of pseudonyms hold, before anything is derived.
type secrets struct {
	codec pseudonym.Config
	links [][]byte // of link_key_files, nil where they are derived
}

// derived are secrets that are ready to be used. Deriving takes some 25 ms for each
// passphrase.
type derived struct {
	secrets secrets
	codec   *pseudonym.Codec
	links   *pseudonym.Links
	// own is the key of links that is derived from salt and key, if links have it.
	own []byte
	// ids are there after identify.
	ids ids
}

// keys reads the files and returns what pseudonyms and links need.
func (p *PseudonymConfig) keys() (*derived, error) {
	s, err := p.read()
	if err != nil {
		return nil, err
	}
	return s.derive()
}

func (s secrets) derive() (*derived, error) {
	d := &derived{secrets: s}
	var err error
	if d.codec, err = pseudonym.New(s.codec); err != nil {
		return nil, err
	}
	keys := s.linkKeys()
	if s.links == nil {
		d.own = keys[0]
	}
	d.links, err = pseudonym.NewLinks(keys...)
	return d, err
}

// ids tell salts and keys apart without telling them: instances are compared by them,
// before somebody has to compare data. They are the same for the same salt and key, and
// others for any other.
type ids struct{ salt, key string }

// identify makes the ids. That takes as long as deriving a key or two, and so does trying
// a guess against an id.
func (d *derived) identify() {
	c := d.secrets.codec
	own := d.own
	if own == nil {
		own = pseudonym.DeriveLinkKey(c.Salt, c.Key)
	}
	of := func(key []byte) string {
		sum := sha256.Sum256(append([]byte("graphveil id "), key...))
		return hex.EncodeToString(sum[:4])
	}
	d.ids = ids{of(pseudonym.DeriveLinkKey(c.Salt, "of the salt alone")), of(own)}
}

// linkKeys are the keys of sealed page links. Derived ones let links survive a restart
// too.
func (s secrets) linkKeys() [][]byte {
	if s.links != nil {
		return s.links
	}
	var keys [][]byte
	for _, key := range s.ring() {
		keys = append(keys, pseudonym.DeriveLinkKey(s.codec.Salt, key))
	}
	return keys
}

// ring are the passphrases of reversible pseudonyms, the one in use first.
func (s secrets) ring() []string {
	return append([]string{s.codec.Key}, s.codec.PreviousKeys...)
}

func (s secrets) equal(o secrets) bool {
	a, b := s.codec, o.codec
	return a.Salt == b.Salt && slices.Equal(s.ring(), o.ring()) &&
		a.DomainSalt == b.DomainSalt && a.DomainKey == b.DomainKey && a.IPSalt == b.IPSalt && a.IPKey == b.IPKey &&
		slices.EqualFunc(s.links, o.links, slices.Equal)
}

// refusal is why secrets must not take the place of others while the processor runs.
type refusal struct{ code, hint string }

// replaces says whether s may take the place of old in a running processor. What was
// made a moment ago must still be understood: a salt makes every pseudonym, and keys
// without a list of previous ones reveal nothing that others made.
func (s secrets) replaces(old secrets) *refusal {
	a, b := s.codec, old.codec
	switch {
	case a.Salt != b.Salt || a.DomainSalt != b.DomainSalt || a.IPSalt != b.IPSalt:
		return &refusal{"salt_changed", "another salt changes every pseudonym: put the old one back, or restart all sidecars at once (docs/rotation.md)"}
	case a.DomainKey != b.DomainKey || a.IPKey != b.IPKey:
		return &refusal{"own_key_changed", "keys of domains and of IP addresses have no previous ones: put the old one back, or restart all sidecars at once (docs/rotation.md)"}
	case !slices.Contains(s.ring(), b.Key):
		return &refusal{"key_dropped", "list the key that was in use in pseudonyms.previous_key_files first (docs/rotation.md)"}
	case old.links != nil && !slices.ContainsFunc(s.links, func(k []byte) bool { return slices.Equal(k, old.links[0]) }):
		return &refusal{"link_key_dropped", "keep the link key that was in use in pseudonyms.link_key_files, behind the new one (docs/rotation.md)"}
	}
	return nil
}

// files are the files that the secrets come from.
func (p *PseudonymConfig) files() []string {
	all := slices.Concat([]string{p.SaltFile, p.KeyFile, p.DomainSaltFile, p.DomainKeyFile, p.IPSaltFile, p.IPKeyFile}, p.PreviousKeyFiles, p.LinkKeyFiles)
	return slices.DeleteFunc(all, func(file string) bool { return file == "" })
}

// changes are the keys of the configuration whose files have other contents than
// those of old.
func (s secrets) changes(old secrets) []string {
	var changed []string
	for _, c := range []struct {
		key  string
		same bool
	}{
		{"key_file", s.codec.Key == old.codec.Key},
		{"previous_key_files", slices.Equal(s.codec.PreviousKeys, old.codec.PreviousKeys)},
		{"link_key_files", slices.EqualFunc(s.links, old.links, slices.Equal)},
	} {
		if !c.same {
			changed = append(changed, "pseudonyms."+c.key)
		}
	}
	return changed
}
