package inflate_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/graphveil/graphveil/bench/tenant/graph"
	"github.com/graphveil/graphveil/extproc/inflate"
)

// BenchmarkInflate inflates a page of 95 sent messages in chunks as HTTP/2 brings
// them, beside the standard library, which has the whole of it.
func BenchmarkInflate(b *testing.B) {
	g, err := graph.New(graph.Config{Authorize: func(string) ([]string, error) { return []string{"Mail.Read"}, nil }})
	if err != nil {
		b.Fatal(err)
	}
	request := httptest.NewRequest(http.MethodGet, "/v1.0/users/"+g.UserID(0)+"/mailFolders/SentItems/messages?$top=95", nil)
	request.Header.Set("Authorization", "Bearer any")
	answer := httptest.NewRecorder()
	g.ServeHTTP(answer, request)
	text := answer.Body.String()
	zipped := zip(b, text, gzip.Header{})
	chunks := slices.Collect(slices.Chunk(zipped, 16<<10))
	ratio := float64(len(text)) / float64(len(zipped))

	b.Run("inflate", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		z := inflate.New()
		for b.Loop() {
			z.Start()
			n := 0
			for _, chunk := range chunks {
				z.Push(chunk)
				for piece, _ := z.Next(); piece != nil; piece, _ = z.Next() {
					n += len(piece)
				}
			}
			if err := z.Finish(); err != nil || n != len(text) {
				b.Fatal(n, err)
			}
			z.Close()
		}
		b.ReportMetric(ratio, "ratio")
	})
	b.Run("compress_gzip", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		b.ReportAllocs()
		var z gzip.Reader
		piece := make([]byte, inflate.PieceSize)
		for b.Loop() {
			if err := z.Reset(bytes.NewReader(zipped)); err != nil {
				b.Fatal(err)
			}
			if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, &z, piece); err != nil || n != int64(len(text)) {
				b.Fatal(n, err)
			}
		}
		b.ReportMetric(ratio, "ratio")
	})
}
