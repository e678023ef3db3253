package pseudonym

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// SealedPrefix begins every sealed link.
const SealedPrefix = "gv~"

// Sizes of sealed links, in bytes.
const (
	LinkKeySize   = 32
	MaxLinkTarget = 16 << 10 // longest target that can be sealed
	MaxSealedLink = len(SealedPrefix) + ((linkHeader+MaxLinkTarget+linkStep+linkTag)*4+2)/3
)

const (
	linkVersion = 1
	linkID      = 4  // bytes of the key's id
	linkNonce   = 12 // bytes of nonce, GCM's standard size
	linkTag     = 16
	linkHeader  = 1 + linkID + linkNonce
	linkStep    = 64 // targets are padded to a multiple of it
)

// ErrLinkKey says that a ring is empty or holds a key that is not LinkKeySize bytes.
var ErrLinkKey = errors.New("link key is missing or of wrong size")

// Binding is where a sealed link is good. It opens only with the same four texts; nothing of them is in the link.
// Connector and Endpoint are required.
type Binding struct {
	Connector string // id of the connector that the page came through
	Endpoint  string // id of its endpoint
	Caller    string // who asked for the page, empty where callers are not told apart
	Path      string // path at which the link is presented
}

// Links seals the page links of an upstream, which carry tokens with ids of people and the options of the request in
// clear or in some reversible packing. It is safe for concurrent use. The zero Links seals and opens nothing.
//
// A sealed link is SealedPrefix and base64url of: version (1 byte), key id (4), nonce (12), AES-256-GCM of the padded
// target with the header and the Binding as additional data.
//
// The nonce is derived from binding and target by HMAC-SHA-256 under a key of its own, so that no bad source of
// randomness can repeat one: equal nonces mean equal links, but for a chance of n²/2⁹⁷ after n different links under one
// key (2⁻³³ after 2³² links; rotate the key before that). So sealing is deterministic: who sees two sealed links learns
// whether they are the same link of the same caller.
//
// A target is padded to a multiple of 64 bytes. That hides differences between ids and cursors of about the same size,
// not the order of magnitude.
type Links struct {
	ring []linkKey // newest first
}

type linkKey struct {
	id    [linkID]byte
	nonce []byte
	aead  cipher.AEAD
}

// NewLinks returns Links that seals with the first key and opens with any. Each key is LinkKeySize random bytes, or the
// result of DeriveLinkKey. The id in a link is computed from its key, so a ring needs no numbering and its order may
// change.
func NewLinks(ring ...[]byte) (*Links, error) {
	if len(ring) == 0 {
		return nil, fmt.Errorf("making link ring: %w", ErrLinkKey)
	}
	l := &Links{}
	for i, key := range ring {
		k, err := newLinkKey(key)
		if err != nil {
			return nil, fmt.Errorf("making link key %d: %w", i, err)
		}
		l.ring = append(l.ring, k)
	}
	return l, nil
}

func newLinkKey(key []byte) (linkKey, error) {
	if len(key) != LinkKeySize {
		return linkKey{}, ErrLinkKey
	}
	// One expansion, cut in three: independent bytes for each use.
	const each = 32
	okm, err := hkdf.Expand(sha256.New, key, "graphveil sealed link v1: encryption, nonce, id", 2*each+linkID)
	if err != nil {
		return linkKey{}, err
	}
	block, err := aes.NewCipher(okm[:each])
	if err != nil {
		return linkKey{}, err
	}
	aead, err := cipher.NewGCM(block)
	return linkKey{id: [linkID]byte(okm[2*each:]), nonce: okm[each : 2*each], aead: aead}, err
}

// DeriveLinkKey derives a link key from the salt and key of the pseudonyms, for operators who give none of its own. The
// key is stretched as for tokens first, so that a sealed link is no faster a way to guess a passphrase than a token is.
// It returns nil, which NewLinks refuses, if either is empty.
func DeriveLinkKey(salt, key string) []byte {
	stretched, err := stretch(key, salt)
	if err != nil {
		return nil
	}
	derived, err := hkdf.Key(sha256.New, stretched, []byte(salt), "graphveil link key", LinkKeySize)
	if err != nil {
		return nil
	}
	return derived
}

// AppendSeal appends target as a sealed link. It gives dst as it was and false if target is empty or longer than
// MaxLinkTarget, or b lacks Connector or Endpoint.
func (l *Links) AppendSeal(dst, target []byte, b Binding) ([]byte, bool) {
	if len(l.ring) == 0 || len(target) == 0 || len(target) > MaxLinkTarget || !b.complete() {
		return dst, false
	}
	k := &l.ring[0]
	data := b.data(linkHeader)
	mac := hmac.New(sha256.New, k.nonce)
	mac.Write(data[linkHeader:])
	mac.Write(target)

	header := append(data[:0], linkVersion)
	header = append(header, k.id[:]...)
	header = append(header, mac.Sum(make([]byte, 0, sha256.Size))[:linkNonce]...)
	raw := make([]byte, 0, linkHeader+len(target)+linkStep+linkTag)
	raw = append(raw, header...)
	raw = append(raw, target...)
	raw = append(raw, 0x80) // ISO/IEC 7816-4 padding: one such byte, then zeros
	raw = raw[:len(raw)+(linkHeader-len(raw))&(linkStep-1)]
	raw = k.aead.Seal(raw[:linkHeader], header[1+linkID:], raw[linkHeader:], data)
	return encoding.AppendEncode(append(dst, SealedPrefix...), raw), true
}

// AppendOpen appends the target of a sealed link. Every failure gives dst as it was and false: not a sealed link,
// altered, sealed for another Binding, or under a key that is not in the ring.
func (l *Links) AppendOpen(dst, sealed []byte, b Binding) ([]byte, bool) {
	text, ok := bytes.CutPrefix(sealed, []byte(SealedPrefix))
	if !ok || len(sealed) > MaxSealedLink || !b.complete() || bytes.ContainsAny(text, "\r\n") {
		return dst, false
	}
	raw, err := encoding.AppendDecode(nil, text)
	if err != nil || len(raw) < linkHeader || raw[0] != linkVersion {
		return dst, false
	}
	header := raw[:linkHeader]
	data := b.data(linkHeader)
	copy(data, header)
	for i := range l.ring {
		k := &l.ring[i]
		if !bytes.Equal(k.id[:], header[1:1+linkID]) {
			continue
		}
		padded, err := k.aead.Open(nil, header[1+linkID:], raw[linkHeader:], data)
		if err != nil {
			continue
		}
		target, ok := bytes.CutSuffix(bytes.TrimRight(padded, "\x00"), []byte{0x80})
		if !ok {
			continue
		}
		return append(dst, target...), true
	}
	return dst, false
}

func (b *Binding) complete() bool { return b.Connector != "" && b.Endpoint != "" }

// data is the additional data: room for a header and the fields behind it, each behind its length, so that no two bindings share
// an encoding.
func (b *Binding) data(header int) []byte {
	fields := [...]string{b.Connector, b.Endpoint, b.Caller, b.Path}
	size := header
	for _, field := range fields {
		size += 8 + len(field)
	}
	data := make([]byte, header, size)
	for _, field := range fields {
		data = binary.BigEndian.AppendUint64(data, uint64(len(field)))
		data = append(data, field...)
	}
	return data
}
