package main

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// checkManifests holds a Deployment of docs/connect against the configuration
// before it: the sidecar alone has the token, where the configuration looks for
// it, for Entra's audience; it reads its files and writes only where it must.
func checkManifests(t *testing.T, page, text string, config *Config) {
	t.Helper()
	if config == nil {
		t.Fatalf("%s: a manifest before any configuration", page)
	}
	objects := map[string]node{}
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(text)), yaml.Strict())
	for {
		var object map[string]any
		if err := decoder.Decode(&object); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", page, err)
		}
		objects[node{object}.text("kind")] = node{object}
	}
	account, pod := objects["ServiceAccount"], objects["Deployment"].at("spec", "template", "spec")
	want := func(what string, got, want any) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s is %v, want %v", page, what, got, want)
		}
	}
	want("the pod's service account", pod.text("serviceAccountName"), account.text("metadata", "name"))
	want("automounting of the service account", account.at("automountServiceAccountToken").value, false)
	want("automounting of the pod", pod.at("automountServiceAccountToken").value, false)
	want("runAsNonRoot", pod.at("securityContext", "runAsNonRoot").value, true)
	want("having an fsGroup", pod.number("securityContext", "fsGroup") > 0, true)

	volumes := map[string]node{}
	token := ""
	for _, volume := range pod.list("volumes") {
		name := volume.text("name")
		volumes[name] = volume
		for _, source := range volume.list("projected", "sources") {
			token = name
			_, cloud, err := config.Tokens.Complete()
			if err != nil {
				t.Fatal(err)
			}
			want("the token's audience", source.text("serviceAccountToken", "audience"), cloud.Audience)
			// the kubelet refuses less than ten minutes; more than an hour serves nobody
			seconds := source.number("serviceAccountToken", "expirationSeconds")
			want("a life of the token of ten minutes to an hour", seconds >= 600 && seconds <= 3600, true)
		}
	}
	mounted, writable := []string{}, []string{}
	for _, container := range pod.list("containers") {
		if container.text("name") != "graphveil" {
			want("mounts of the workload", len(container.list("volumeMounts")), 0)
			continue
		}
		want("allowPrivilegeEscalation", container.at("securityContext", "allowPrivilegeEscalation").value, false)
		want("readOnlyRootFilesystem", container.at("securityContext", "readOnlyRootFilesystem").value, true)
		for _, mount := range container.list("volumeMounts") {
			name, folder := mount.text("name"), mount.text("mountPath")
			volume, found := volumes[name]
			want("the volume "+name, found, true)
			want("subPath of "+name, mount.at("subPath").value, nil) // such a mount is never updated
			if volume.at("emptyDir").value != nil {
				writable = append(writable, folder)
				continue
			}
			want("readOnly of "+name, mount.at("readOnly").value, true)
			mounted = append(mounted, folder)
			if name == token {
				file := volume.list("projected", "sources")[0].text("serviceAccountToken", "path")
				want("the token's file", filepath.Join(folder, file), config.Tokens.Credential.Kubernetes.TokenFile)
			}
		}
		var arguments []string
		for _, argument := range container.list("args") {
			arguments = append(arguments, argument.value.(string))
		}
		if err := parseCommand(arguments, true); err != nil || !slices.Contains(mounted, filepath.Dir(arguments[len(arguments)-1])) {
			t.Errorf("%s: args %v: %v", page, arguments, err)
		}
		host, port, err := net.SplitHostPort(config.Processor.Admin)
		want("admin on loopback, out of the kubelet's reach", err != nil || net.ParseIP(host).IsLoopback(), false)
		for probe, address := range map[string]string{"readinessProbe": "/readyz", "livenessProbe": "/healthz"} {
			want("the path of the "+probe, container.text(probe, "httpGet", "path"), address)
			want("the port of the "+probe, strconv.Itoa(container.number(probe, "httpGet", "port")), port)
		}
	}
	for _, file := range []string{config.Pseudonyms.SaltFile, config.Pseudonyms.KeyFile, config.Envoy.TLS.CertFile, config.Envoy.TLS.KeyFile, config.Tokens.Credential.Kubernetes.TokenFile} {
		want("a mount for "+file, slices.ContainsFunc(mounted, func(folder string) bool { return strings.HasPrefix(file, folder+"/") }), true)
	}
	for _, folder := range []string{filepath.Dir(config.Processor.Listen), "/tmp"} { // its socket, and Envoy's bootstrap
		want("a place to write at "+folder, slices.Contains(writable, folder), true)
	}
	want("a projected token", token != "", true)
}

// node is a part of a document that need not be there.
type node struct{ value any }

func (n node) at(keys ...string) node {
	for _, key := range keys {
		object, _ := n.value.(map[string]any)
		n = node{object[key]}
	}
	return n
}

func (n node) text(keys ...string) string {
	text, _ := n.at(keys...).value.(string)
	return text
}

func (n node) number(keys ...string) int {
	number, _ := n.at(keys...).value.(uint64)
	return int(number)
}

func (n node) list(keys ...string) []node {
	items, _ := n.at(keys...).value.([]any)
	nodes := make([]node, len(items))
	for i, item := range items {
		nodes[i] = node{item}
	}
	return nodes
}
