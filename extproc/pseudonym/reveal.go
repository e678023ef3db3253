package pseudonym

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"slices"
)

// MaxToken is the longest token that AppendReveal looks at, in bytes. It leaves room for values of about 12,000 bytes.
const MaxToken = 16 << 10

// AppendReveal appends the value of a token of AppendReversible or AppendTokenized, made with the same salt and with
// Key or one of PreviousKeys. The whole of token must be one: `p~`, at least 43 characters of base64url, and optionally
// `@` with the domain.
//
// The hash inside is recomputed from the decrypted value, so only tokens that this salt and key made are revealed; a
// token without its domain still is. A domain must be the one that the value has under the configured handling: in any
// case of letters with Preserve, exactly with Tokenize and Encrypt, none with Redact, as a plain domain would otherwise
// confirm a guess.
//
// Every failure gives dst as it was and false. Past the shape of the token, which its sender knows, each key is tried to
// the end and a value is hashed whether its padding is right or not, so that time tells nothing of the plaintext that
// could serve as a padding oracle.
func (c *Codec) AppendReveal(dst, token []byte) ([]byte, bool) {
	body, suffix, ok := splitToken(token)
	if !ok {
		return dst, false
	}
	size := encoding.DecodedLen(len(body))
	length := size - hashSize
	if length < blockSize || length%blockSize != 0 {
		return dst, false
	}
	grown := slices.Grow(dst, length+size)
	scratch := grown[len(dst) : len(dst)+length+size]
	plain, raw := scratch[:length], scratch[length:]
	if _, err := encoding.Decode(raw, body); err != nil {
		return dst, false
	}
	match := -1
	for i := range c.keys {
		decrypt(plain, raw, c.keys[i].value)
		n, good := unpadded(plain)
		good &= c.made(raw[:hashSize], plain[:n], suffix, &c.keys[i])
		match = subtle.ConstantTimeSelect(good, i, match)
	}
	if match < 0 {
		clear(plain)
		return dst, false
	}
	decrypt(plain, raw, c.keys[match].value)
	n, _ := unpadded(plain)
	return grown[:len(dst)+n], true
}

// splitToken parts a token at its domain and checks the shape of the first part. Suffix is nil where there is no at
// sign, and empty, which is no value's domain, where nothing follows it.
func splitToken(token []byte) (body, suffix []byte, ok bool) {
	const shortest = 43
	if len(token) > MaxToken || !bytes.HasPrefix(token, []byte("p~")) {
		return nil, nil, false
	}
	body, suffix, _ = bytes.Cut(token[2:], []byte{'@'})
	if len(body) < shortest {
		return nil, nil, false
	}
	for _, b := range body {
		if !alphanumeric(b) && b != '_' && b != '-' {
			return nil, nil, false
		}
	}
	return body, suffix, true
}

// decrypt undoes appendCiphertext: raw is hash and ciphertext.
func decrypt(plain, raw []byte, block cipher.Block) {
	for at := 0; at < len(plain); at += blockSize {
		b := plain[at:][:blockSize]
		block.Decrypt(b, raw[hashSize+at:][:blockSize])
		previous := at + hashSize - blockSize
		if at == 0 {
			previous = 0
		}
		subtle.XORBytes(b, b, raw[previous:][:blockSize])
	}
}

// unpadded returns the length of plain without padding and 1, or the length that the shortest padding would leave and 0.
// It looks at the same bytes whatever they hold.
func unpadded(plain []byte) (n, good int) {
	pad := plain[len(plain)-1]
	good = subtle.ConstantTimeLessOrEq(1, int(pad)) & subtle.ConstantTimeLessOrEq(int(pad), blockSize)
	for i := 1; i <= blockSize; i++ {
		same := subtle.ConstantTimeByteEq(plain[len(plain)-i], pad)
		good &= same | subtle.ConstantTimeLessOrEq(int(pad)+1, i)
	}
	return len(plain) - subtle.ConstantTimeSelect(good, int(pad), 1), good
}

// made returns 1 if a token of value has this hash and may have this suffix, else 0.
func (c *Codec) made(hash, value, suffix []byte, k *keys) int {
	canonical, domain := c.hash(value)
	identity := digest(value, c.salt)
	good := subtle.ConstantTimeCompare(hash, canonical[:])
	if suffix == nil {
		return good | subtle.ConstantTimeCompare(hash, identity[:])
	}
	if domain == nil {
		return 0
	}
	switch c.domains {
	case Preserve:
		return good & equalFold(suffix, domain)
	case Tokenize, Encrypt:
		return good & subtle.ConstantTimeCompare(suffix, c.appendDomain(nil, domain, k))
	}
	return 0
}

func equalFold(a, b []byte) int {
	if len(a) != len(b) {
		return 0
	}
	differ := byte(0)
	for i := range a {
		differ |= lower(a[i]) ^ lower(b[i])
	}
	return subtle.ConstantTimeByteEq(differ, 0)
}
