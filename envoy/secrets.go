package envoy

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	discoveryv3 "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

// WatchFiles returns b with its certificates, keys and authorities moved into secrets
// that Envoy discovers from files in folder, which this writes. Envoy reads a PEM file
// that a bootstrap names once; one that a discovered secret names it reads again when
// the file, or the "..data" of its folder, is replaced by a rename. What it reads then
// and cannot use it reports, and goes on with what it had.
//
// Envoy has no way to discover secrets from the bootstrap itself, so they are files of
// their own. They hold names of PEM files, not what is in those.
//
// The PEM files need not be there yet.
func WatchFiles(b *bootstrapv3.Bootstrap, folder string) (*bootstrapv3.Bootstrap, error) {
	w := watcher{folder: folder}
	return w.bootstrap(b)
}

type watcher struct {
	folder string
	// check refuses PEM files that cannot be used: an Envoy that discovers them would
	// start without, and close all connections.
	check bool
	// names are those of the secrets that were written.
	names []string
}

func (w *watcher) bootstrap(b *bootstrapv3.Bootstrap) (*bootstrapv3.Bootstrap, error) {
	b = proto.CloneOf(b)
	if b.GetNode() == nil { // without names Envoy discovers nothing, from files neither
		b.Node = &corev3.Node{Id: "graphveil", Cluster: "graphveil"}
	}
	for _, l := range b.GetStaticResources().GetListeners() {
		for _, chain := range l.GetFilterChains() {
			if err := w.socket(l.GetName(), chain.GetTransportSocket(), &tlsv3.DownstreamTlsContext{}); err != nil {
				return nil, err
			}
		}
	}
	for _, c := range b.GetStaticResources().GetClusters() {
		if err := w.socket(c.GetName(), c.GetTransportSocket(), &tlsv3.UpstreamTlsContext{}); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// socket changes a transport socket if it is of the kind of context.
func (w *watcher) socket(of string, s *corev3.TransportSocket, context interface {
	proto.Message
	GetCommonTlsContext() *tlsv3.CommonTlsContext
}) error {
	if !s.GetTypedConfig().MessageIs(context) {
		return nil
	}
	if err := s.GetTypedConfig().UnmarshalTo(context); err != nil {
		return fmt.Errorf("reading the TLS settings of %s: %w", of, err)
	}
	common := context.GetCommonTlsContext()
	if certificates := common.GetTlsCertificates(); len(certificates) == 1 {
		if err := w.checkPair(certificates[0]); err != nil {
			return err
		}
		secret, err := w.write(&tlsv3.Secret{Name: of + "_certificate", Type: &tlsv3.Secret_TlsCertificate{TlsCertificate: certificates[0]}})
		if err != nil {
			return err
		}
		common.TlsCertificates, common.TlsCertificateSdsSecretConfigs = nil, []*tlsv3.SdsSecretConfig{secret}
	}
	if validation := common.GetValidationContext(); validation.GetTrustedCa().GetFilename() != "" {
		if err := w.checkAuthorities(validation.GetTrustedCa().GetFilename()); err != nil {
			return err
		}
		// What is checked stays in the bootstrap; only the authorities are a secret.
		authorities := &tlsv3.CertificateValidationContext{TrustedCa: validation.TrustedCa}
		secret, err := w.write(&tlsv3.Secret{Name: of + "_authorities", Type: &tlsv3.Secret_ValidationContext{ValidationContext: authorities}})
		if err != nil {
			return err
		}
		validation.TrustedCa = nil
		common.ValidationContextType = &tlsv3.CommonTlsContext_CombinedValidationContext{CombinedValidationContext: &tlsv3.CommonTlsContext_CombinedCertificateValidationContext{
			DefaultValidationContext: validation, ValidationContextSdsSecretConfig: secret,
		}}
	}
	return anypb.MarshalFrom(s.GetTypedConfig(), context, proto.MarshalOptions{Deterministic: true})
}

func (w *watcher) checkPair(c *tlsv3.TlsCertificate) error {
	certificate, key := c.GetCertificateChain().GetFilename(), c.GetPrivateKey().GetFilename()
	if !w.check || certificate == "" || key == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(certificate, key); err != nil {
		return fmt.Errorf("reading the certificate %q with the key %q: %w", certificate, key, err)
	}
	return nil
}

func (w *watcher) checkAuthorities(file string) error {
	if !w.check {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("reading certificate authorities: %w", err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return fmt.Errorf("reading certificate authorities: %q has no certificate in PEM", file)
	}
	return nil
}

// write writes the file of a secret and returns how Envoy finds it.
func (w *watcher) write(secret *tlsv3.Secret) (*tlsv3.SdsSecretConfig, error) {
	resource, err := anypb.New(secret)
	if err != nil {
		return nil, fmt.Errorf("writing the secret %s: %w", secret.Name, err)
	}
	text, err := protojson.Marshal(&discoveryv3.DiscoveryResponse{Resources: []*anypb.Any{resource}})
	if err != nil {
		return nil, fmt.Errorf("writing the secret %s: %w", secret.Name, err)
	}
	w.names = append(w.names, secret.Name)
	file := filepath.Join(w.folder, secret.Name+".json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fmt.Errorf("writing the secret %s: %w", secret.Name, err)
	}
	return &tlsv3.SdsSecretConfig{Name: secret.Name, SdsConfig: &corev3.ConfigSource{
		ResourceApiVersion: corev3.ApiVersion_V3,
		ConfigSourceSpecifier: &corev3.ConfigSource_PathConfigSource{
			PathConfigSource: &corev3.PathConfigSource{Path: file},
		},
	}}, nil
}
