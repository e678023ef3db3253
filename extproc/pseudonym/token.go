package pseudonym

import (
	"crypto/cipher"
	"crypto/sha256"
	"crypto/subtle"
	"slices"
)

const (
	hashSize  = sha256.Size
	blockSize = 16
)

// AppendToken appends the one-way token of value: `t~`, its hash in 43 characters, and `@` with the domain where value
// is an e-mail address and domains are not redacted.
func (c *Codec) AppendToken(dst, value []byte) []byte {
	m := parseMailbox(value)
	sum := c.hash(value, &m)
	return c.appendToken(dst, &sum, &m)
}

func (c *Codec) appendToken(dst []byte, sum *[hashSize]byte, m *mailbox) []byte {
	dst = append(dst, "t~"...)
	dst = c.digits.appendEncoded(dst, sum[:])
	return c.appendSuffix(dst, m)
}

// AppendReversible appends the token that AppendReveal turns back into value as written: `p~`, hash and ciphertext, and
// the domain as in AppendToken. Equal values have equal tokens; spellings of one address share the first 42 characters.
// A token of more than MaxToken bytes is never revealed.
func (c *Codec) AppendReversible(dst, value []byte) []byte {
	m := parseMailbox(value)
	sum := c.hash(value, &m)
	return c.appendReversible(dst, value, &sum, &m)
}

func (c *Codec) appendReversible(dst, value []byte, sum *[hashSize]byte, m *mailbox) []byte {
	dst = append(dst, "p~"...)
	dst = c.appendCiphertext(dst, value, sum, c.keys[0].value)
	return c.appendSuffix(dst, m)
}

// AppendTokenized appends the reversible token of value as plain text: an e-mail address is not canonicalized and
// leaves no domain.
func (c *Codec) AppendTokenized(dst, value []byte) []byte {
	sum := c.hash(value, &mailbox{})
	return c.appendReversible(dst, value, &sum, &mailbox{})
}

// AppendHash appends the 43 characters of the hash of value alone.
func (c *Codec) AppendHash(dst, value []byte) []byte {
	m := parseMailbox(value)
	sum := c.hash(value, &m)
	return c.digits.appendEncoded(dst, sum[:])
}

// JSONForm says what the JSON form of a pseudonym holds besides domain and hash.
type JSONForm struct {
	Original   bool // the value in clear
	Reversible bool // the token of AppendReversible
}

// AppendJSON appends the JSON form of the pseudonym of value, an object with the members domain, hash, original and
// reversible in this order, absent ones left out. The result is the object's text: where it goes into a JSON string, as
// Psoxy puts it, the caller escapes it once more. The value must be valid UTF-8.
func (c *Codec) AppendJSON(dst, value []byte, f JSONForm) []byte {
	m := parseMailbox(value)
	return c.appendJSON(dst, value, &m, f)
}

func (c *Codec) appendJSON(dst, value []byte, m *mailbox, f JSONForm) []byte {
	dst = append(dst, '{')
	if m.found() && c.domains != Redact {
		dst = append(dst, `"domain":"`...)
		dst = c.appendDomain(dst, m.domain, &c.keys[0])
		dst = append(dst, `",`...)
	}
	sum := c.hash(value, m)
	dst = append(dst, `"hash":"`...)
	dst = c.digits.appendEncoded(dst, sum[:])
	if f.Original {
		dst = append(dst, `","original":"`...)
		dst = appendEscaped(dst, value)
	}
	if f.Reversible {
		dst = append(dst, `","reversible":"`...)
		dst = c.appendReversible(dst, value, &sum, m)
	}
	return append(dst, `"}`...)
}

// onStack is the length of value and salt up to which they are hashed in one piece: two blocks of SHA-256.
const onStack = 119

// hash is SHA-256 over the canonical form of value, its mailbox where it has one, and the salt, in this order and with
// nothing in between.
func (c *Codec) hash(value []byte, m *mailbox) [hashSize]byte {
	if len(c.salt) == 0 {
		panic("pseudonym: Codec was not made by New")
	}
	size := len(value)
	if m.found() {
		size = len(m.local) + 1 + len(m.domain)
	}
	if size+len(c.salt) > onStack {
		return c.hashLong(value, m)
	}
	var buf [onStack]byte
	text := buf[:0]
	if m.found() {
		text = m.appendCanonical(text, c.ignoreDots)
	} else {
		text = append(text, value...)
	}
	return sha256.Sum256(append(text, c.salt...))
}

func (c *Codec) hashLong(value []byte, m *mailbox) [hashSize]byte {
	if m.found() {
		value = m.appendCanonical(make([]byte, 0, 400), c.ignoreDots)
	}
	return digest(value, c.salt)
}

// digest is SHA-256 over text and salt.
func digest(text, salt []byte) (sum [hashSize]byte) {
	h := sha256.New()
	h.Write(text)
	h.Write(salt)
	h.Sum(sum[:0])
	return sum
}

func (c *Codec) appendSuffix(dst []byte, m *mailbox) []byte {
	if !m.found() || c.domains == Redact {
		return dst
	}
	return c.appendDomain(append(dst, '@'), m.domain, &c.keys[0])
}

// appendDomain appends the domain part of a token. Unlike in the hash of an address, case counts here.
func (c *Codec) appendDomain(dst, domain []byte, k *keys) []byte {
	switch c.domains {
	case Preserve:
		return append(dst, domain...)
	case Tokenize:
		sum := digest(domain, c.domainSalt)
		return c.digits.appendEncoded(append(dst, "h~"...), sum[:])
	case Encrypt:
		sum := digest(domain, c.domainSalt)
		return c.appendCiphertext(append(dst, "e~"...), domain, &sum, k.domain)
	}
	return dst
}

// appendCiphertext appends base64url of sum and of value under AES-CBC with PKCS #5 padding (RFC 8018 section 6.1.1), the
// first half of sum being the initialization vector.
func (c *Codec) appendCiphertext(dst, value []byte, sum *[hashSize]byte, block cipher.Block) []byte {
	pad := blockSize - len(value)%blockSize
	size := hashSize + len(value) + pad
	text := encoding.EncodedLen(size)
	dst = slices.Grow(dst, text+size)
	raw := dst[len(dst)+text : len(dst)+text+size]
	copy(raw, sum[:])
	copy(raw[hashSize:], value)
	for i := size - pad; i < size; i++ {
		raw[i] = byte(pad)
	}
	previous := raw[:blockSize]
	for at := hashSize; at < size; at += blockSize {
		b := raw[at:][:blockSize]
		subtle.XORBytes(b, b, previous)
		block.Encrypt(b, b)
		previous = b
	}
	return c.digits.appendEncoded(dst, raw)
}

// appendEscaped appends value as the inside of a JSON string with the escapes that Jackson writes and no others:
// controls with upper-case digits, slash and everything from DEL upwards as is.
func appendEscaped(dst, value []byte) []byte {
	const digits = "0123456789ABCDEF"
	for _, b := range value {
		switch {
		case b == '"' || b == '\\':
			dst = append(dst, '\\', b)
		case b >= ' ':
			dst = append(dst, b)
		case b == '\b':
			dst = append(dst, `\b`...)
		case b == '\f':
			dst = append(dst, `\f`...)
		case b == '\n':
			dst = append(dst, `\n`...)
		case b == '\r':
			dst = append(dst, `\r`...)
		case b == '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', digits[b>>4], digits[b&15])
		}
	}
	return dst
}
