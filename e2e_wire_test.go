package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// wireCall is a request as the bytes or frames that a client sends: net/http
// would correct or refuse what these tests are about.
type wireCall struct {
	protocol string // h1 or h2
	method   string // empty: GET
	target   string
	// fields are headers in the order given; with h2 also pseudo headers, which
	// then replace the usual ones.
	fields [][2]string
	body   string
	// raw is the whole request, h1 only, instead of all above but protocol.
	raw string
	// onBody is called with the first byte of a body, at most once.
	onBody func()
	// timeout is for all of it; 0 means 20 seconds.
	timeout time.Duration
}

// wireResponse is what a client received.
type wireResponse struct {
	status  int // 0: none came
	header  http.Header
	body    []byte
	trailer http.Header
	// end is how it ended, one of the constants below.
	end string
	// seen is everything that arrived, decrypted: the bytes of h1, the decoded
	// header lists and the data of h2.
	seen []byte
}

// The ends of a response.
const (
	endComplete  = "complete"            // by the framing of the protocol
	endCut       = "cut off"             // connection closed or stream reset before that
	endUnframed  = "ended by close only" // nothing would tell a cut from the end
	endTimeout   = "timeout"
	endHandshake = "TLS handshake refused"
)

// call sends one request on a connection of its own.
func call(t testing.TB, address string, config *tls.Config, c wireCall) wireResponse {
	t.Helper()
	if c.timeout == 0 {
		c.timeout = 20 * time.Second
	}
	if c.method == "" {
		c.method = http.MethodGet
	}
	config = config.Clone()
	config.NextProtos = map[string][]string{"h1": {"http/1.1"}, "h2": {"h2"}}[c.protocol]
	r := wireResponse{header: http.Header{}, trailer: http.Header{}}
	plain, err := net.DialTimeout("tcp", address, c.timeout)
	if err != nil {
		t.Errorf("connecting: %v", err)
		r.end = endCut
		return r
	}
	defer plain.Close()
	if err := plain.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		t.Error(err)
	}
	conn := tls.Client(plain, config)
	if err := conn.Handshake(); err != nil {
		r.end = endHandshake
		return r
	}
	if conn.ConnectionState().NegotiatedProtocol != config.NextProtos[0] {
		t.Errorf("negotiated %q instead of %q", conn.ConnectionState().NegotiatedProtocol, config.NextProtos[0])
	}
	if c.protocol == "h1" {
		r.readH1(conn, c)
	} else {
		r.readH2(conn, c)
	}
	return r
}

func (r *wireResponse) readH1(conn net.Conn, c wireCall) {
	request := c.raw
	if request == "" {
		var b strings.Builder
		fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", c.method, c.target)
		host := false
		for _, f := range c.fields {
			host = host || strings.EqualFold(f[0], "host")
		}
		if !host {
			b.WriteString("host: localhost\r\n")
		}
		for _, f := range c.fields {
			fmt.Fprintf(&b, "%s: %s\r\n", f[0], f[1])
		}
		request = b.String() + "\r\n" + c.body
	}
	var seen bytes.Buffer
	defer func() { r.seen = seen.Bytes() }()
	if _, err := io.WriteString(conn, request); err != nil {
		r.end = endOf(err)
		// The answer to what was refused early may be there all the same.
	}
	in := bufio.NewReader(io.TeeReader(conn, &seen))
	var response *http.Response
	for {
		var err error
		response, err = http.ReadResponse(in, &http.Request{Method: c.method})
		if err != nil {
			r.end = endOf(err)
			return
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			break
		}
	}
	r.status, r.header = response.StatusCode, response.Header
	buffer := make([]byte, 32<<10)
	for {
		n, err := response.Body.Read(buffer)
		if n > 0 && c.onBody != nil {
			c.onBody()
			c.onBody = nil
		}
		r.body = append(r.body, buffer[:n]...)
		if err == io.EOF {
			break
		}
		if err != nil {
			r.end = endOf(err)
			return
		}
	}
	r.trailer = response.Trailer
	r.end = endComplete
	bodyless := c.method == http.MethodHead || r.status == 204 || r.status == 304
	if !bodyless && response.ContentLength < 0 && len(response.TransferEncoding) == 0 {
		r.end = endUnframed
	}
}

func endOf(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return endTimeout
	}
	return endCut
}

func (r *wireResponse) readH2(conn net.Conn, c wireCall) {
	r.end = endCut
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.MaxHeaderListSize = 1 << 20
	if err := c.sendH2(conn, framer); err != nil {
		r.end = endOf(err)
		return
	}
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			r.end = endOf(err)
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				_ = framer.WriteSettingsAck() // a broken connection shows when reading
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				_ = framer.WritePing(true, f.Data)
			}
		case *http2.GoAwayFrame:
			if f.LastStreamID < 1 {
				return
			}
		case *http2.RSTStreamFrame:
			return
		case *http2.MetaHeadersFrame:
			to := r.header
			if status := f.PseudoValue("status"); status != "" {
				if status[0] == '1' {
					continue
				}
				fmt.Sscan(status, &r.status)
			} else {
				to = r.trailer
			}
			for _, field := range f.Fields {
				r.seen = fmt.Appendf(r.seen, "%s: %s\r\n", field.Name, field.Value)
				if !field.IsPseudo() {
					to.Add(field.Name, field.Value)
				}
			}
			if f.StreamEnded() {
				r.end = endComplete
				return
			}
		case *http2.DataFrame:
			if len(f.Data()) > 0 && c.onBody != nil {
				c.onBody()
				c.onBody = nil
			}
			r.body = append(r.body, f.Data()...)
			r.seen = append(r.seen, f.Data()...)
			if f.StreamEnded() {
				r.end = endComplete
				return
			}
		}
	}
}

func (c wireCall) sendH2(conn net.Conn, framer *http2.Framer) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	pseudo := [][2]string{{":method", c.method}, {":scheme", "https"}, {":authority", "localhost"}, {":path", c.target}}
	var rest [][2]string
	replaced := map[string]bool{}
	for _, f := range c.fields {
		if strings.HasPrefix(f[0], ":") {
			replaced[f[0]] = true
		}
	}
	for _, f := range pseudo {
		if !replaced[f[0]] {
			rest = append(rest, f)
		}
	}
	for _, f := range append(rest, c.fields...) {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	const window = 1 << 30
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}); err != nil {
		return err
	}
	if err := framer.WriteWindowUpdate(0, window); err != nil {
		return err
	}
	// Larger blocks go on in CONTINUATION frames.
	first := block.Next(16 << 10)
	if err := framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: first, EndHeaders: block.Len() == 0, EndStream: c.body == "",
	}); err != nil {
		return err
	}
	for block.Len() > 0 {
		next := block.Next(16 << 10)
		if err := framer.WriteContinuation(1, block.Len() == 0, next); err != nil {
			return err
		}
	}
	if c.body == "" {
		return nil
	}
	return framer.WriteData(1, true, []byte(c.body))
}

// code is the error code of a body in Graph's error shape, or "".
func (r *wireResponse) code() string {
	var body struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(r.body, &body) != nil {
		return ""
	}
	return body.Error.Code
}

// String is the response in a few words that are the same each time.
func (r *wireResponse) String() string {
	switch {
	case r.status == 0:
		return "no response: " + r.end
	case r.end != endComplete:
		return fmt.Sprintf("%d, %s", r.status, r.end)
	case r.status < 400:
		return fmt.Sprint(r.status)
	}
	text := fmt.Sprint(r.status, " ", r.code())
	if r.header.Get("Retry-After") != "" {
		text += ", Retry-After"
	}
	return text
}
