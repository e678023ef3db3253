package sanitize

import (
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/graphveil/graphveil/policy/plan"
)

func (t *tree) editStep(s plan.Step) *tree {
	text := func(b []byte) *tree { return &tree{kind: '"', text: string(b)} }
	fake := new(fakeTokens)
	value := []byte(t.text)
	isBlank := t.kind == '"' && javaBlank(t.text)
	isDouble := strings.ContainsAny(t.text, ".eE")
	if t.kind == '0' {
		value = appendNumberText(nil, value)
	}
	switch s.Do {
	case plan.StepDrop:
		return nil
	case plan.StepDropNull:
		if t.kind == 'n' {
			return nil
		}
		return t
	case plan.StepPseudonym, plan.StepReversible, plan.StepJSONPseudonym, plan.StepJSONOriginal, plan.StepJSONReversible,
		plan.StepJSONOriginalReversible, plan.StepHash, plan.StepMatch:
		inJSON := s.Do >= plan.StepJSONPseudonym && s.Do <= plan.StepJSONOriginalReversible
		switch {
		case t.kind != 'n' && t.kind != '"' && (t.kind != '0' || s.Do == plan.StepMatch), s.Do == plan.StepHash && (t.kind == 'n' || isBlank):
			panic(refusal{})
		case (t.kind == 'n' || isBlank) && inJSON:
			return text([]byte("null"))
		case t.kind == 'n' || isBlank:
			return treeNull
		case s.Do == plan.StepMatch:
			return t.matched(s.Match)
		case s.Do == plan.StepPseudonym:
			return text(fake.AppendPseudonym(nil, value))
		case s.Do == plan.StepReversible:
			return text(fake.AppendReversible(nil, value))
		case s.Do == plan.StepHash:
			return text(fake.AppendHash(nil, value))
		}
		return text(fake.AppendJSON(nil, value, s.Do == plan.StepJSONOriginal || s.Do == plan.StepJSONOriginalReversible,
			s.Do == plan.StepJSONReversible || s.Do == plan.StepJSONOriginalReversible))
	case plan.StepTokenize, plan.StepTokenizeMatch, plan.StepPhrases, plan.StepRemove, plan.StepOnly, plan.StepTokens:
		if t.kind != '"' {
			return treeNull
		}
		if isBlank {
			return t
		}
		return t.editText(s)
	case plan.StepEmailHeader, plan.StepEmailHeaderJSON:
		switch {
		case t.kind == 'n':
			return t
		case t.kind != '"':
			panic(refusal{})
		case isBlank:
			return text(nil)
		}
		if made, ok := fake.AppendEmailHeader(nil, value, s.Do == plan.StepEmailHeaderJSON); ok {
			return text(made)
		}
		return treeNull
	case plan.StepHashIP, plan.StepEncryptIP:
		if made, ok := fake.AppendIP(nil, value, s.Do == plan.StepEncryptIP); ok && t.kind == '"' {
			return text(made)
		}
		return treeNull
	case plan.StepJSON:
		if t.kind != '"' {
			return treeNull
		}
		// What is inside keeps its spelling, which the oracle does not know, so it is
		// a Rewriter that reads it; the oracle says whether it must refuse.
		inner, ok := decodeTree([]byte(t.text))
		if !ok {
			return treeNull
		}
		want, refused := inner.editRoot(s.Inner.Root)
		if refused {
			panic(refusal{})
		}
		if want == nil {
			return treeNull
		}
		r := New(wide)
		r.Reset(s.Inner, fake)
		out, err := r.all(nil, []byte(t.text))
		if got, ok := decodeTree(out); err != nil || !ok || got.String() != want.String() {
			panic("the JSON in a string became " + string(out) + ", want " + want.String())
		}
		return text(out)
	case plan.StepDigest:
		if t.kind != '"' {
			return t
		}
		length, words := textDigest(t.text)
		return text([]byte(`{"length":` + length + `,"word_count":` + words + `}`))
	}
	fits := t.kind == 'n'
	switch s.Do {
	case plan.StepString:
		fits = fits || t.kind == '"'
	case plan.StepNull:
	case plan.StepBoolean:
		if t.kind == 'n' {
			return &tree{kind: 'f'}
		}
		fits = t.kind == 't' || t.kind == 'f'
	case plan.StepNumber, plan.StepInteger:
		if t.kind != '0' {
			break
		}
		whole, ok := new(big.Int).SetString(t.text, 10)
		if isDouble || !ok {
			x, err := strconv.ParseFloat(t.text, 64)
			if err != nil {
				break
			}
			whole, _ = big.NewFloat(x).Int(nil)
		}
		if s.Do == plan.StepNumber {
			return t
		}
		if x, _ := new(big.Float).SetInt(whole).Float64(); isDouble && x == 1<<63 {
			whole.Sub(whole, big.NewInt(1))
		}
		if fits = whole.IsInt64(); fits && isDouble {
			return &tree{kind: '0', text: whole.String()}
		}
	case plan.StepObject:
		fits = fits || t.kind == '{'
	case plan.StepArray:
		fits = fits || t.kind == '['
	case plan.StepScalar:
		if whole, ok := new(big.Int).SetString(t.text, 10); t.kind == '0' && ok && !whole.IsInt64() {
			panic(refusal{})
		}
		fits = t.kind != '{' && t.kind != '['
	default:
		panic(refusal{})
	}
	if fits {
		return t
	}
	return treeNull
}

// editText does the steps that search in a string.
func (t *tree) editText(s plan.Step) *tree {
	fake := new(fakeTokens)
	out := ""
	switch s.Do {
	case plan.StepTokenize:
		out = string(fake.AppendTokenized(nil, []byte(t.text)))
	case plan.StepTokenizeMatch:
		m := regexp.MustCompile(`^(?:` + s.Patterns[0].String() + `)$`).FindStringSubmatch(t.text)
		if m == nil || m[1] == "" {
			return t
		}
		out = strings.ReplaceAll(t.text, m[1], string(fake.AppendTokenized(nil, []byte(m[1]))))
	case plan.StepPhrases:
		var found []string
		for _, p := range s.Phrases {
			pattern := ""
			for _, r := range p {
				c := regexp.QuoteMeta(string(r))
				if r < 128 && strings.ToUpper(c) != strings.ToLower(c) {
					c = "[" + strings.ToUpper(c) + strings.ToLower(c) + "]"
				}
				pattern += c
			}
			if m := regexp.MustCompile(`\b(` + pattern + `)[ \t-\r:]*\b`).FindStringSubmatch(t.text); m != nil {
				found = append(found, m[1])
			}
		}
		out = strings.Join(found, ",")
	case plan.StepRemove:
		out = t.text
		for _, re := range s.Patterns {
			out = re.ReplaceAllString(out, "")
		}
	case plan.StepOnly:
		in := make([]bool, len(t.text))
		for _, re := range s.Patterns {
			for _, at := range re.FindAllStringIndex(t.text, -1) {
				for i := at[0]; i < at[1]; i++ {
					in[i] = true
				}
			}
		}
		for i := range in {
			if in[i] {
				out += t.text[i : i+1]
			}
		}
	case plan.StepTokens:
		parts := []string{t.text}
		if s.Delimiter != nil {
			parts = s.Delimiter.Split(t.text, -1)
			for len(parts) > 1 && parts[len(parts)-1] == "" {
				parts = parts[:len(parts)-1]
			}
		}
		var kept []string
		for _, p := range parts {
			if slices.ContainsFunc(s.Patterns, func(re *regexp.Regexp) bool {
				dot := strings.ReplaceAll(re.String(), ".*", `[^\n\r\x{85}\x{2028}\x{2029}]*`)
				return regexp.MustCompile(`^(?:` + dot + `)$`).MatchString(p)
			}) {
				kept = append(kept, p)
			}
		}
		if out = strings.TrimFunc(strings.Join(kept, " "), func(r rune) bool { return r <= ' ' }); out == "" {
			return treeNull
		}
	}
	return &tree{kind: '"', text: out}
}
