package graph

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// bothProtocols runs a test over HTTP/1.1 and HTTP/2.
func bothProtocols(t *testing.T, test func(t *testing.T, s *site)) {
	for _, proto := range []string{"h1", "h2"} {
		t.Run(proto, func(t *testing.T) { test(t, open(t, Config{}, proto)) })
	}
}

func gunzip(t *testing.T, body []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

func TestThrottling(t *testing.T) {
	bothProtocols(t, func(t *testing.T, s *site) {
		s.Inject(Throttled(2, 7))
		for range 2 {
			r := s.get("/v1.0/users")
			if code, message := errorOfReply(t, r); r.StatusCode != 429 || r.Header.Get("Retry-After") != "7" || code != "TooManyRequests" || !strings.Contains(message, "/v1.0/users") {
				t.Errorf("status %d, Retry-After %q, %s", r.StatusCode, r.Header.Get("Retry-After"), r.body)
			}
			if scope := r.Header.Get("x-ms-throttle-scope"); !strings.Contains(scope, s.TenantID()) {
				t.Errorf("x-ms-throttle-scope is %q", scope)
			}
		}
		if r := s.get("/v1.0/users"); r.StatusCode != 200 {
			t.Errorf("after it: status %d", r.StatusCode)
		}
	})
}

func TestMatchAndSetFault(t *testing.T) {
	s := open(t, Config{}, "h2")
	s.Inject(Fault{Times: -1, Status: 503, RetryAfter: 1, Match: func(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/groups") }})
	s.SetFault(func(r *http.Request) *Fault {
		if r.URL.Query().Get("$top") == "13" {
			return &Fault{Status: 504}
		}
		return nil
	})
	for range 3 {
		for target, want := range map[string]int{"/v1.0/groups": 503, "/v1.0/users": 200, "/v1.0/users?$top=13": 504} {
			if got := s.get(target).StatusCode; got != want {
				t.Errorf("GET %s: status %d, want %d", target, got, want)
			}
		}
	}
	s.ClearFaults()
	for _, target := range []string{"/v1.0/groups", "/v1.0/users?$top=13"} {
		if got := s.get(target).StatusCode; got != 200 {
			t.Errorf("GET %s without faults: status %d", target, got)
		}
	}
}

func TestEncodings(t *testing.T) {
	bothProtocols(t, func(t *testing.T, s *site) {
		plain := s.get("/v1.0/users?$top=20").body
		r := s.get("/v1.0/users?$top=20", "Accept-Encoding", "br, gzip;q=0.5")
		if got := gunzip(t, r.body); r.Header.Get("Content-Encoding") != "gzip" || !bytes.Equal(got, plain) || len(r.body) > len(plain)/2 {
			t.Errorf("gzip on request: encoding %q, %d of %d bytes", r.Header.Get("Content-Encoding"), len(r.body), len(plain))
		}
		if r := s.get("/v1.0/users?$top=20", "Accept-Encoding", "gzip; q=0"); r.Header.Get("Content-Encoding") != "" || !bytes.Equal(r.body, plain) {
			t.Error("gzip although refused")
		}
		s.Inject(Fault{Encodings: []string{"gzip", "gzip"}})
		if r := s.get("/v1.0/users?$top=20"); r.Header.Get("Content-Encoding") != "gzip, gzip" || !bytes.Equal(gunzip(t, gunzip(t, r.body)), plain) {
			t.Errorf("doubled gzip: encoding %q", r.Header.Get("Content-Encoding"))
		}
		s.Inject(Fault{Encodings: []string{"zstd"}})
		if r := s.get("/v1.0/users?$top=20"); r.Header.Get("Content-Encoding") != "zstd" || !bytes.Equal(r.body, plain) {
			t.Errorf("unknown encoding: %q", r.Header.Get("Content-Encoding"))
		}
		s.Inject(Fault{Encodings: []string{"gzip"}, Body: Bomb(10 << 20)})
		if r := s.get("/v1.0/users"); len(r.body) > 1<<16 || len(gunzip(t, r.body)) < 10<<20 {
			t.Errorf("the bomb has %d bytes", len(r.body))
		}
	})
}

func TestCuts(t *testing.T) {
	bothProtocols(t, func(t *testing.T, s *site) {
		plain := s.get("/v1.0/users").body
		for _, at := range []int{0, 1, 1000, len(plain) - 1, len(plain), len(plain) + 100} {
			s.Inject(Fault{Cut: CutEnd, CutAfter: at})
			if r := s.get("/v1.0/users"); r.err != nil || r.StatusCode != 200 || !bytes.Equal(r.body, plain[:min(at, len(plain))]) {
				t.Errorf("ended after %d: %d bytes, error %v", at, len(r.body), r.err)
			}
			s.Inject(Fault{Cut: CutReset, CutAfter: at})
			if r := s.get("/v1.0/users"); r.err == nil || len(r.body) > at {
				t.Errorf("reset after %d: %d bytes, error %v", at, len(r.body), r.err)
			}
		}
		if r := s.get("/v1.0/users"); r.err != nil || !bytes.Equal(r.body, plain) {
			t.Errorf("after it: error %v", r.err)
		}
	})
}

func TestStall(t *testing.T) {
	bothProtocols(t, func(t *testing.T, s *site) {
		s.client.Timeout = time.Second // for what comes before the stall, on a busy machine
		s.Inject(Fault{Cut: CutStall, CutAfter: 500})
		if r := s.get("/v1.0/users"); r.err == nil || r.StatusCode != 200 || len(r.body) != 500 {
			t.Errorf("stalled body: status %d, %d bytes, error %v", r.StatusCode, len(r.body), r.err)
		}
		s.client.Timeout = 300 * time.Millisecond
		s.Inject(Fault{Hold: time.Hour})
		if r := s.get("/v1.0/users"); r.err == nil || r.StatusCode != 0 {
			t.Errorf("held answer: status %d, error %v", r.StatusCode, r.err)
		}
	})
}

// TestChunks watches the pieces arrive: a flush is a read of the client.
func TestChunks(t *testing.T) {
	s := open(t, Config{}, "h1")
	plain := s.get("/v1.0/users?$top=5").body
	s.Inject(Fault{ChunkSize: 100, Delay: time.Millisecond})
	start := time.Now()
	if r := s.get("/v1.0/users?$top=5"); !bytes.Equal(r.body, plain) || len(r.TransferEncoding) != 1 {
		t.Errorf("in pieces: %d bytes, error %v, transfer encoding %v", len(r.body), r.err, r.TransferEncoding)
	}
	if took, least := time.Since(start), time.Duration(len(plain)/100)*time.Millisecond; took < least {
		t.Errorf("took %v, less than all delays, %v", took, least)
	}
	s.Inject(Fault{Delay: 30 * time.Millisecond, Encodings: []string{"gzip"}})
	start = time.Now()
	if r := s.get("/v1.0/users?$top=5"); !bytes.Equal(gunzip(t, r.body), plain) {
		t.Errorf("record by record: %d bytes, error %v", len(r.body), r.err)
	}
	if took := time.Since(start); took < 150*time.Millisecond {
		t.Errorf("five records took %v", took)
	}
}

func TestSplice(t *testing.T) {
	bothProtocols(t, func(t *testing.T, s *site) {
		plain := s.get("/v1.0/users").body
		for _, at := range []int{0, 700, len(plain), len(plain) + 9} {
			s.Inject(Fault{Splice: []byte("\xff}]"), SpliceAt: at, Encodings: []string{"gzip"}})
			want := append(bytes.Clone(plain[:min(at, len(plain))]), "\xff}]"...)
			if r := s.get("/v1.0/users"); r.err != nil || !bytes.Equal(gunzip(t, r.body), want) {
				t.Errorf("spliced at %d: error %v", at, r.err)
			}
		}
		s.Inject(Fault{Splice: []byte{}, SpliceAt: 40_000})
		if r := s.get("/v1.0/users/" + s.UserID(0) + "/messages?$top=50"); r.err != nil || len(r.body) != 40_000 {
			t.Errorf("cut document: %d bytes, error %v", len(r.body), r.err)
		}
	})
}

func TestOtherBodies(t *testing.T) {
	bothProtocols(t, func(t *testing.T, s *site) {
		s.Inject(HTML("Sign in as Amelia"))
		if r := s.get("/v1.0/users"); r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") || !strings.Contains(string(r.body), "Amelia") {
			t.Errorf("HTML: %s", r.body)
		}
		s.Inject(Fault{Body: Nested(5000, `"x"`)})
		if r := s.get("/v1.0/users"); len(r.body) != 10003 || r.Header.Get("Content-Type") != jsonContent {
			t.Errorf("nested: %d bytes", len(r.body))
		}
		s.Inject(Fault{Body: Text("{\"value\":[\"\xe9\"]}")})
		if r := s.get("/v1.0/users"); utf8.Valid(r.body) || len(r.body) != 15 {
			t.Errorf("not UTF-8: %q", r.body)
		}
		for _, status := range []int{204, 304} {
			s.Inject(Fault{Status: status})
			if r := s.get("/v1.0/users"); r.err != nil || r.StatusCode != status || len(r.body) != 0 {
				t.Errorf("status %d: %d bytes, error %v", r.StatusCode, len(r.body), r.err)
			}
		}
		s.Inject(Fault{Status: 302, Header: http.Header{"Location": {"https://elsewhere.example/file"}}})
		if r := s.get("/v1.0/users"); r.StatusCode != 302 || r.Header.Get("Location") != "https://elsewhere.example/file" {
			t.Errorf("redirect: status %d, %v", r.StatusCode, r.Header)
		}
		s.Inject(Fault{Trailer: http.Header{"X-Checksum": {"1"}}})
		if r := s.get("/v1.0/users"); r.err != nil || r.Trailer.Get("X-Checksum") != "1" {
			t.Errorf("trailers are %v, error %v", r.Trailer, r.err)
		}
		s.Inject(Fault{Header: http.Header{"Content-Type": nil}})
		if r := s.get("/v1.0/users"); r.Header.Get("Content-Type") == jsonContent {
			t.Errorf("Content-Type is %q", r.Header.Get("Content-Type"))
		}
	})
}

// TestWrongContentLength: a client notices a length that is too large; one that is too small cuts the body.
func TestWrongContentLength(t *testing.T) {
	bothProtocols(t, func(t *testing.T, s *site) {
		plain := s.get("/v1.0/users").body
		s.Inject(Fault{Header: http.Header{"Content-Length": {strconv.Itoa(len(plain) + 10)}}})
		if r := s.get("/v1.0/users"); r.err == nil {
			t.Errorf("too large: %d bytes of %d and no error", len(r.body), len(plain))
		}
		s.Inject(Fault{Header: http.Header{"Content-Length": {"100"}}})
		if r := s.get("/v1.0/users"); len(r.body) > 100 {
			t.Errorf("too small: %d bytes, error %v", len(r.body), r.err)
		}
	})
}

func TestEmptyPage(t *testing.T) {
	s := open(t, Config{}, "h2")
	for _, target := range []string{"/v1.0/users?$top=60&$select=id", "/v1.0/users/" + s.UserID(0) + "/mailFolders/sentitems/messages?$top=60"} {
		s.Inject(Fault{EmptyPage: true})
		page := s.object(target)
		if len(values(t, page)) != 0 {
			t.Errorf("%s: not empty", target)
		}
		ids, _ := s.crawl(page["@odata.nextLink"].(string), "id")
		if want := map[bool]int{true: 250, false: 120}[strings.HasPrefix(target, "/v1.0/users?")]; distinct(ids) != want {
			t.Errorf("%s: %d records behind the empty page, want %d", target, distinct(ids), want)
		}
	}
}

// TestLargeBody reads one page of more than 50 MB and looks at how it was made: in pieces.
func TestLargeBody(t *testing.T) {
	s := open(t, Config{}, "h2")
	s.Inject(Fault{Records: 14_000})
	req, err := http.NewRequest(http.MethodGet, s.url+"/v1.0/users/"+s.UserID(0)+"/mailFolders/sentitems/messages?$top=1", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer all")
	res, err := s.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var size, records int
	var tail []byte
	buffer := make([]byte, 1<<16)
	for {
		n, err := res.Body.Read(buffer)
		size += n
		piece := append(tail, buffer[:n]...)
		records += bytes.Count(piece, []byte(`"receivedDateTime":`))
		tail = bytes.Clone(piece[max(0, len(piece)-len(`"receivedDateTime":`)+1):])
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if size < 50<<20 || records != 14_000 {
		t.Errorf("%d bytes, %d records", size, records)
	}
}
