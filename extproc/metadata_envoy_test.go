package extproc_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	upstreamhttpv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/graphveil/graphveil/envoy/check"
)

// frameMetadata is the type of the frame in which Envoys tell each other of a stream.
const frameMetadata http2.FrameType = 0x4d

// Where Envoy lets them pass, metadata frames of Graph reach the caller past all filters.
func TestMetadataFramesAreFound(t *testing.T) {
	t.Parallel()
	l := leak{change: func(t *testing.T, r *leakRig, s *spoiled) {
		s.hcm.Http2ProtocolOptions.AllowMetadata = true
		s.options(t, "graph", func(o *upstreamhttpv3.HttpProtocolOptions) {
			o.UpstreamProtocolOptions = &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_{ExplicitHttpConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig{
				ProtocolConfig: &upstreamhttpv3.HttpProtocolOptions_ExplicitHttpConfig_Http2ProtocolOptions{Http2ProtocolOptions: &corev3.Http2ProtocolOptions{AllowMetadata: true}},
			}}
		})
		s.cluster(t, "graph").LoadAssignment.Endpoints[0].LbEndpoints[0].GetEndpoint().Address = &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: "127.0.0.1", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: r.metadata(t)}},
		}}
	}}
	r := newLeakRig(t, l)
	if got := r.frames(t); !strings.Contains(got, canary) {
		t.Errorf("nothing got out: %q", got)
	}
	config, err := check.Read(r.bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	findings := config.Check(check.Options{Hosts: []string{upstream}, RequestTimeout: 4 * time.Second})
	if !check.Failed(findings) || !slices.ContainsFunc(findings, func(f check.Finding) bool { return f.Code == "metadata_frames" }) {
		t.Errorf("the check found %v", findings)
	}
}

// metadata answers like Graph, with a metadata frame before the body.
func (r *leakRig) metadata(t *testing.T) (port uint32) {
	t.Helper()
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{r.authority.Issue(t, upstream).TLS}, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go answerMetadata(conn)
		}
	}()
	return uint32(listener.Addr().(*net.TCPAddr).Port)
}

func answerMetadata(conn net.Conn) {
	defer conn.Close()
	preface := make([]byte, len(http2.ClientPreface))
	if _, err := io.ReadFull(conn, preface); err != nil {
		return
	}
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings()
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				framer.WriteSettingsAck()
			}
		case *http2.HeadersFrame:
			var block bytes.Buffer
			encoder := hpack.NewEncoder(&block)
			encoder.WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
			encoder.WriteField(hpack.HeaderField{Name: "content-type", Value: "application/json"})
			framer.WriteHeaders(http2.HeadersFrameParam{StreamID: f.StreamID, BlockFragment: block.Bytes(), EndHeaders: true})
			block.Reset()
			hpack.NewEncoder(&block).WriteField(hpack.HeaderField{Name: "secret", Value: canary, Sensitive: true})
			framer.WriteRawFrame(frameMetadata, 4, f.StreamID, block.Bytes()) // 4: the last of them
			framer.WriteData(f.StreamID, true, []byte(`{"value":[]}`))
		}
	}
}

// frames asks, and returns what metadata frames the answer has.
func (r *leakRig) frames(t *testing.T) string {
	t.Helper()
	address := strings.TrimPrefix(r.envoy.URL, "https://")
	conn, err := tls.Dial("tcp", address, &tls.Config{RootCAs: r.authority.Pool(), ServerName: "localhost", NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.WriteSettings()
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, h := range [][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/v1.0/things"}} {
		encoder.WriteField(hpack.HeaderField{Name: h[0], Value: h[1]})
	}
	framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: true})
	var seen string
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Errorf("%q, then %v", seen, err)
			return seen
		}
		if unknown, ok := frame.(*http2.UnknownFrame); ok {
			fields, _ := hpack.NewDecoder(4096, nil).DecodeFull(unknown.Payload())
			for _, f := range fields {
				seen += f.Name + ": " + f.Value + "\n"
			}
		}
		if frame.Header().Flags.Has(http2.FlagDataEndStream) && frame.Header().StreamID == 1 {
			return seen
		}
	}
}
