package pseudonym

import (
	"bytes"
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
	sum, domain := c.hash(value)
	return c.appendToken(dst, &sum, domain)
}

func (c *Codec) appendToken(dst []byte, sum *[hashSize]byte, domain []byte) []byte {
	dst = append(dst, "t~"...)
	dst = c.digits.appendEncoded(dst, sum[:])
	return c.appendSuffix(dst, domain)
}

// AppendReversible appends the token that AppendReveal turns back into value as written: `p~`, hash and ciphertext, and
// the domain as in AppendToken. Equal values have equal tokens; spellings of one address share the first 42 characters.
// A token of more than MaxToken bytes is never revealed.
func (c *Codec) AppendReversible(dst, value []byte) []byte {
	sum, domain := c.hash(value)
	return c.appendReversible(dst, value, &sum, domain)
}

func (c *Codec) appendReversible(dst, value []byte, sum *[hashSize]byte, domain []byte) []byte {
	dst = append(dst, "p~"...)
	dst = c.appendCiphertext(dst, value, sum, c.keys[0].value)
	return c.appendSuffix(dst, domain)
}

// AppendTokenized appends the reversible token of value as plain text: an e-mail address is not canonicalized and
// leaves no domain.
func (c *Codec) AppendTokenized(dst, value []byte) []byte {
	c.mustBeMade()
	sum := digest(value, c.salt)
	return c.appendReversible(dst, value, &sum, nil)
}

// AppendHash appends the 43 characters of the hash of value alone.
func (c *Codec) AppendHash(dst, value []byte) []byte {
	sum, _ := c.hash(value)
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
	sum, domain := c.hash(value)
	return c.appendJSON(dst, value, &sum, domain, f)
}

func (c *Codec) appendJSON(dst, value []byte, sum *[hashSize]byte, domain []byte, f JSONForm) []byte {
	dst = append(dst, '{')
	if domain != nil && c.domains != Redact {
		dst = append(dst, `"domain":"`...)
		dst = c.appendDomain(dst, domain, &c.keys[0])
		dst = append(dst, `",`...)
	}
	dst = append(dst, `"hash":"`...)
	dst = c.digits.appendEncoded(dst, sum[:])
	if f.Original {
		dst = append(dst, `","original":"`...)
		dst = appendEscaped(dst, value)
	}
	if f.Reversible {
		dst = append(dst, `","reversible":"`...)
		dst = c.appendReversible(dst, value, sum, domain)
	}
	return append(dst, `"}`...)
}

func (c *Codec) mustBeMade() {
	if len(c.salt) == 0 {
		panic("pseudonym: Codec was not made by New")
	}
}

// hash is SHA-256 over the canonical form of value, its mailbox where it has one, and the salt, in this order and with
// nothing in between. The domain is that of the mailbox, or nil.
func (c *Codec) hash(value []byte) (sum [hashSize]byte, domain []byte) {
	c.mustBeMade()
	if bytes.IndexByte(value, '@') < 0 {
		return digest(value, c.salt), nil
	}
	if len(value)+len(c.salt) <= onStack && !c.ignoreDots {
		var text scratch
		if at, ok := canonicalPlain(&text, value); ok {
			return sha256.Sum256(append(text[:len(value)], c.salt...)), value[at+1:]
		}
	}
	m := parseMailbox(value)
	if !m.found() {
		return digest(value, c.salt), nil
	}
	return c.hashMailbox(&m), m.domain
}

func (c *Codec) hashMailbox(m *mailbox) [hashSize]byte {
	c.mustBeMade()
	return digest(m.appendCanonical(make([]byte, 0, 400), c.ignoreDots), c.salt)
}

// digest is SHA-256 over text and salt.
func digest(text, salt []byte) [hashSize]byte {
	if len(text)+len(salt) > onStack {
		return digestLong(text, salt)
	}
	var buf [onStack]byte
	return sha256.Sum256(append(append(buf[:0], text...), salt...))
}

func digestLong(text, salt []byte) (sum [hashSize]byte) {
	h := sha256.New()
	h.Write(text)
	h.Write(salt)
	h.Sum(sum[:0])
	return sum
}

func (c *Codec) appendSuffix(dst, domain []byte) []byte {
	if domain == nil || c.domains == Redact {
		return dst
	}
	return c.appendDomain(append(dst, '@'), domain, &c.keys[0])
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
