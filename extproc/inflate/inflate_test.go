package inflate_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/graphveil/graphveil/extproc/inflate"
)

// zip compresses with the standard library, which is not what inflates.
func zip(t testing.TB, text string, header gzip.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Header = header
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// inflated pushes chunks and returns what came of them until an error.
func inflated(t testing.TB, z *inflate.Inflater, chunks ...[]byte) (text []byte, err error) {
	z.Start()
	defer z.Close()
	for _, chunk := range chunks {
		z.Push(chunk)
		for {
			piece, err := z.Next()
			if err != nil {
				return text, err
			}
			if piece == nil {
				break
			}
			if len(piece) == 0 || len(piece) > inflate.PieceSize {
				t.Fatalf("a piece of %d bytes", len(piece))
			}
			text = append(text, piece...)
		}
	}
	return text, z.Finish()
}

// document is a text that deflate can do something with, longer than its window.
func document() string {
	var b strings.Builder
	for i := range 6000 {
		b.WriteString(`{"id":"`)
		b.WriteString(strings.Repeat(string(rune('a'+i*i%26)), i%17))
		b.WriteString(`"},`)
	}
	return b.String()
}

func TestInflate(t *testing.T) {
	text := document()
	for name, header := range map[string]gzip.Header{
		"plain":  {},
		"header": {Name: "CANARY.json", Comment: "CANARY", Extra: bytes.Repeat([]byte("x"), 1<<16-1), ModTime: time.Unix(1, 0)},
	} {
		zipped := zip(t, text, header)
		z := inflate.New()
		for _, size := range []int{1, 2, 3, 7, 100, 4096, 16384, len(zipped)} {
			got, err := inflated(t, z, slices.Collect(slices.Chunk(zipped, size))...)
			if err != nil || string(got) != text {
				t.Errorf("%s in chunks of %d: %d bytes, %v", name, size, len(got), err)
			}
		}
		if got, err := inflated(t, z, nil, zipped[:5], nil, []byte{}, zipped[5:], nil); err != nil || string(got) != text {
			t.Errorf("%s with empty chunks: %d bytes, %v", name, len(got), err)
		}
	}
	if got, err := inflated(t, inflate.New(), zip(t, "", gzip.Header{})); err != nil || len(got) > 0 {
		t.Errorf("of nothing: %q, %v", got, err)
	}
}

// TestRefused is about bodies that must not be announced as complete.
func TestRefused(t *testing.T) {
	text := document()
	whole := zip(t, text, gzip.Header{})
	at := func(i int, bits byte) []byte {
		b := slices.Clone(whole)
		b[(len(b)+i)%len(b)] ^= bits
		return b
	}
	z := inflate.New()
	for name, test := range map[string]struct {
		body []byte
		want error
	}{
		"nothing":             {nil, inflate.ErrTruncated},
		"half a header":       {whole[:5], inflate.ErrTruncated},
		"a header":            {whole[:10], inflate.ErrTruncated},
		"half":                {whole[:len(whole)/2], inflate.ErrTruncated},
		"no checksum":         {whole[:len(whole)-8], inflate.ErrTruncated},
		"no length":           {whole[:len(whole)-4], inflate.ErrTruncated},
		"one byte short":      {whole[:len(whole)-1], inflate.ErrTruncated},
		"magic":               {at(0, 1), inflate.ErrMalformed},
		"method":              {at(2, 1), inflate.ErrMalformed},
		"plain":               {[]byte(text), inflate.ErrMalformed},
		"checksum":            {at(-5, 1), inflate.ErrMalformed},
		"length":              {at(-1, 1), inflate.ErrMalformed},
		"data":                {at(len(whole)/2, 0xff), inflate.ErrMalformed},
		"one byte more":       {append(slices.Clone(whole), 0), inflate.ErrMalformed},
		"two members":         {append(slices.Clone(whole), whole...), inflate.ErrMalformed},
		"a member of nothing": {append(slices.Clone(whole), zip(t, "", gzip.Header{})...), inflate.ErrMalformed},
	} {
		for _, size := range []int{1, 16384, len(whole) * 3} {
			got, err := inflated(t, z, slices.Collect(slices.Chunk(test.body, size))...)
			if !errors.Is(err, test.want) {
				t.Errorf("%s in chunks of %d: %v, want %v", name, size, err, test.want)
			}
			if size > 1 && len(got) >= len(text) { // else the end is seen before what follows it
				t.Errorf("%s in chunks of %d: %d bytes of %d", name, size, len(got), len(text))
			}
		}
	}
	if _, err := inflated(t, z, whole, []byte{0}); !errors.Is(err, inflate.ErrMalformed) {
		t.Errorf("a chunk after the end: %v", err)
	}
}

// TestRatio: what one mail may inflate to passes whatever its ratio, a bomb does
// not, and neither takes more than a piece at a time.
func TestRatio(t *testing.T) {
	z := inflate.New()
	mail := zip(t, strings.Repeat(" ", 36<<20), gzip.Header{})
	bomb := zip(t, strings.Repeat(" ", 66<<20), gzip.Header{})
	if got, err := inflated(t, z, slices.Collect(slices.Chunk(mail, 4096))...); err != nil || len(got) != 36<<20 {
		t.Errorf("a mail: %d bytes, %v", len(got), err)
	}
	if got, err := inflated(t, z, bomb); !errors.Is(err, inflate.ErrRatio) || len(got) > inflate.Free {
		t.Errorf("a bomb: %d bytes, %v", len(got), err)
	}
}

// TestFlush: what the other side flushed is there before it goes on, except for
// the last byte.
func TestFlush(t *testing.T) {
	var wire bytes.Buffer
	w := gzip.NewWriter(&wire)
	z := inflate.New()
	z.Start()
	defer z.Close()
	held := ""
	for _, record := range []string{"first", "second", "third"} {
		io.WriteString(w, record)
		w.Flush()
		z.Push(slices.Clone(wire.Bytes()))
		wire.Reset()
		got := ""
		for {
			piece, err := z.Next()
			if err != nil {
				t.Fatal(err)
			}
			if piece == nil {
				break
			}
			got += string(piece)
		}
		if want := held + record; got != want[:len(want)-1] {
			t.Errorf("got %q, want %q less a byte", got, want)
		}
		held = record[len(record)-1:]
	}
}

// TestClosed: a body can be left anywhere, and nothing comes of an Inflater that
// is not started.
func TestClosed(t *testing.T) {
	z := inflate.New()
	if _, err := z.Next(); err == nil {
		t.Error("a piece before the start")
	}
	if z.Finish() == nil {
		t.Error("complete before the start")
	}
	whole := zip(t, document(), gzip.Header{})
	before := runtime.NumGoroutine()
	for cut := range len(whole) {
		z.Start()
		z.Push(whole[:cut])
		if _, err := z.Next(); err != nil {
			t.Fatal(err)
		}
		if cut%2 == 0 { // else it is started again without a Close
			z.Close()
			if piece, err := z.Next(); err == nil || piece != nil {
				t.Fatalf("%d bytes after the end, %v", len(piece), err)
			}
			if z.Finish() == nil {
				t.Fatal("complete after the end")
			}
		}
	}
	z.Close()
	if after := runtime.NumGoroutine(); after > before {
		t.Errorf("%d goroutines are left", after-before)
	}
	if got, err := inflated(t, z, whole); err != nil || string(got) != document() {
		t.Errorf("afterwards: %d bytes, %v", len(got), err)
	}
}

// TestAllocations: the coroutine is made for each body, all else is kept.
func TestAllocations(t *testing.T) {
	z := inflate.New()
	for _, text := range []string{"{}", document()} {
		chunks := slices.Collect(slices.Chunk(zip(t, text, gzip.Header{}), 16384))
		run := func() {
			z.Start()
			for _, chunk := range chunks {
				z.Push(chunk)
				for piece, err := z.Next(); piece != nil || err != nil; piece, err = z.Next() {
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := z.Finish(); err != nil {
				t.Fatal(err)
			}
			z.Close()
		}
		run()
		if n := testing.AllocsPerRun(100, run); n > 8 {
			t.Errorf("%v allocations for a body of %d bytes", n, len(text))
		} else {
			t.Logf("%v allocations for a body of %d bytes", n, len(text))
		}
	}
}
