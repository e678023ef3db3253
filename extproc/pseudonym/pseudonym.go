// Package pseudonym turns values of people into tokens, turns reversible tokens back, and seals page links.
//
// Call New once with the operator's salt and key; the Codec it returns appends tokens to buffers of the caller and may
// be shared by any number of goroutines. Call NewLinks for sealed links. Same salt and key give the same tokens as Psoxy
// 0.6: SHA-256 over the value and the salt, AES-256-CBC for what can be revealed, base64url without padding.
//
// It does not decide what to pseudonymize, does not read JSON (a value is the unescaped UTF-8 text of a string, or the
// text of a number), and leaves null and blank values to the caller: see Blank.
//
// # Scratch space
//
// Nothing is pooled. Digests and canonical addresses live on the stack. Ciphertext is built in the spare capacity of
// dst, behind the place where the token goes, and is the only thing left there afterwards. So no method allocates once
// dst has room for the token and its bytes (about 1.75 times the token), except for an address of over 400 bytes, for
// lists of addresses and for checking a hashed or encrypted domain while revealing. Neither value nor token may lie in
// the spare capacity of dst.
package pseudonym

import (
	"cmp"
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha256"
	"errors"
	"fmt"
)

// Errors of New. Empty key material is refused: an empty salt would make every hash guessable.
var (
	ErrNoSalt = errors.New("salt is empty")
	ErrNoKey  = errors.New("key is empty")
)

// DomainHandling says what becomes of the domain of an e-mail address. Only values that are e-mail addresses have one.
type DomainHandling uint8

// The ways to handle the domain of an address.
const (
	Preserve DomainHandling = iota // as written, upper and lower case kept
	Redact                         // left out
	Tokenize                       // h~ and the hash of the domain as written
	Encrypt                        // e~ and hash and ciphertext of the domain as written
)

// Canonicalization says which spellings of an e-mail address share one hash.
type Canonicalization uint8

// The ways to canonicalize an address. Both fold case and cut the local part at its first plus sign.
const (
	Strict     Canonicalization = iota // dots of the local part count
	IgnoreDots                         // dots of the local part are left out
)

// Config is the key material and the two choices that change what a token looks like. Salt and Key are required.
type Config struct {
	// Salt is hashed behind every value and salts the key derivation. A new salt changes every token.
	Salt string
	// Key is the passphrase that reversible tokens are made with.
	Key string
	// PreviousKeys are passphrases that tokens may still be revealed with, in any order. None by default.
	PreviousKeys []string
	// Domains handles the domain of an address; zero is Preserve.
	Domains DomainHandling
	// DomainSalt and DomainKey serve Tokenize and Encrypt. Empty means Salt and Key (with PreviousKeys).
	DomainSalt, DomainKey string
	// IPSalt and IPKey serve AppendIP. Empty means Salt and Key.
	IPSalt, IPKey string
	// Canonicalization chooses which addresses are the same; zero is Strict.
	Canonicalization Canonicalization
}

// Codec makes and reveals tokens. It is safe for concurrent use and does not change. The zero Codec reveals nothing and
// panics when asked for a token.
type Codec struct {
	salt, domainSalt, ipSalt []byte
	keys                     []keys // newest first
	domains                  DomainHandling
	ignoreDots               bool
	digits                   *digitPairs
}

// keys are the ciphers that belong to one passphrase.
type keys struct {
	value, domain, ip cipher.Block
}

// New derives the keys, which takes some tens of milliseconds for each passphrase, and returns a Codec. Its errors wrap
// ErrNoSalt or ErrNoKey where these apply; they never hold key material.
func New(cfg Config) (*Codec, error) {
	if cfg.Domains > Encrypt {
		return nil, fmt.Errorf("choosing domain handling: unknown value %d", cfg.Domains)
	}
	if cfg.Canonicalization > IgnoreDots {
		return nil, fmt.Errorf("choosing canonicalization: unknown value %d", cfg.Canonicalization)
	}
	c := &Codec{
		salt:       []byte(cfg.Salt),
		domainSalt: []byte(cfg.DomainSalt),
		ipSalt:     []byte(cfg.IPSalt),
		domains:    cfg.Domains,
		ignoreDots: cfg.Canonicalization == IgnoreDots,
		digits:     newDigitPairs(),
	}
	if cfg.DomainSalt == "" {
		c.domainSalt = c.salt
	}
	if cfg.IPSalt == "" {
		c.ipSalt = c.salt
	}
	for i, passphrase := range append([]string{cfg.Key}, cfg.PreviousKeys...) {
		k, err := cfg.derive(passphrase)
		if err != nil && i > 0 {
			return nil, fmt.Errorf("deriving previous key %d: %w", i, err)
		}
		if err != nil {
			return nil, fmt.Errorf("deriving key: %w", err)
		}
		c.keys = append(c.keys, k)
	}
	return c, nil
}

// derive makes the ciphers of one passphrase. Those of domains and IP addresses are derived anew only where salt or
// passphrase differ.
func (cfg *Config) derive(passphrase string) (k keys, err error) {
	if k.value, err = newBlock(passphrase, cfg.Salt); err != nil {
		return k, err
	}
	own := func(key, salt string) (cipher.Block, error) {
		if key == "" && salt == "" {
			return k.value, nil
		}
		return newBlock(cmp.Or(key, passphrase), cmp.Or(salt, cfg.Salt))
	}
	k.domain = k.value
	if cfg.Domains == Encrypt {
		if k.domain, err = own(cfg.DomainKey, cfg.DomainSalt); err != nil {
			return k, err
		}
	}
	k.ip, err = own(cfg.IPKey, cfg.IPSalt)
	return k, err
}

func newBlock(passphrase, salt string) (cipher.Block, error) {
	key, err := stretch(passphrase, salt)
	if err != nil {
		return nil, err
	}
	return aes.NewCipher(key)
}

// stretch derives 32 bytes from a passphrase. Iterations and hash are Psoxy's; changing them changes every token.
func stretch(passphrase, salt string) ([]byte, error) {
	const iterations, size = 65536, 32
	if salt == "" {
		return nil, ErrNoSalt
	}
	if passphrase == "" {
		return nil, ErrNoKey
	}
	return pbkdf2.Key(sha256.New, passphrase, []byte(salt), iterations, size)
}
