package policy

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"
)

// Config says which policy to load.
type Config struct {
	// Paths are folders of Rego (and data.json or data.yaml), or bundle files
	// (.tar.gz). They replace the shipped connectors, which Builtin names; the
	// library is always there. Empty means Builtin alone.
	Paths []string
	// Settings are the options that data.graphveil.options offers, by name. Those
	// not named have their default.
	Settings map[string]string
	// Connectors are those to serve; one that the policy does not have is an
	// error. Empty means all.
	Connectors []string
	// Delivered says that bundles are delivered to the Engine (Engine.Stage). Paths
	// are then what is in force beside them, and empty means nothing. Load, which
	// gets no delivery, refuses.
	Delivered bool
	// Verification, if not nil, is what the signatures of bundle files are checked
	// with. Then Paths may name nothing but bundle files.
	Verification *bundle.VerificationConfig
}

// source is one Rego file.
type source struct {
	name string
	text []byte
	// library is true for files of lib/.
	library bool
}

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.rego") }

// sources are all that a policy is made of.
type sources struct {
	files    []source
	data     map[string]any
	settings map[string]string
	// serve are the connectors to serve, nil for all.
	serve []string
	// links are where symbolic links led whose swap replaces many files at once.
	links map[string]string
}

// readSources reads every file of the policy, test files included.
func readSources(c Config) (*sources, error) {
	if c.Delivered {
		return nil, Errors{{Code: "policy_delivered", Message: "the policy is delivered in bundles, which are not fetched here", Hint: "name the folder or the bundle file to look at with --policy"}}
	}
	return readDelivered(c, nil)
}

// readDelivered reads every file of the policy, those of a delivery included. Files
// that were replaced meanwhile are read again: half of one version and half of
// another are no policy.
func readDelivered(c Config, d *Delivery) (*sources, error) {
	const attempts = 5
	for range attempts {
		if s, err := readOnce(c, d); !s.swapped() {
			return s, err
		}
	}
	return nil, Errors{{Code: "read_error", Message: "the files of the policy were replaced each time that they were read", Hint: "a folder should change once, by the swap of a link"}}
}

// readOnce returns the sources with an error too: they know whether to try again.
func readOnce(c Config, d *Delivery) (*sources, error) {
	s := &sources{data: map[string]any{}, settings: c.Settings, serve: c.Connectors, links: map[string]string{}}
	var p problems
	s.readTree(&p, shipped, "lib", "")
	for i := range s.files {
		s.files[i].library = true
	}
	paths := c.Paths
	if d != nil {
		s.addDelivery(&p, d)
	} else if len(paths) == 0 {
		paths = []string{Builtin}
	}
	for _, name := range paths {
		before := len(s.files)
		switch {
		case isBundleFile(name):
			s.readBundle(&p, name, c.Verification)
		case c.Verification != nil:
			p.add(&Error{Code: "not_verified", File: name, Message: "only a bundle file has a signature that can be verified", Hint: "name a .tar.gz file, or leave the verification key out"})
		case name == Builtin:
			s.readTree(&p, shipped, "connectors", "")
		default:
			s.noteLink(name) // as git-sync publishes a version
			s.readTree(&p, os.DirFS(name), ".", name)
		}
		if len(s.files) == before && len(p.list) == 0 {
			p.add(&Error{Code: "empty_policy", File: name, Message: "there is no Rego file here", Hint: "an empty policy is a mistake, not a permission; name a folder with .rego files, or " + Builtin})
		}
	}
	if d != nil && len(p.list) == 0 && !slices.ContainsFunc(s.files, func(f source) bool { return !f.library }) {
		p.add(&Error{Code: "empty_policy", Message: "there is no Rego file in the bundles", Hint: "an empty policy is a mistake, not a permission"})
	}
	return s, p.err()
}

// readTree reads the files below root. The prefix is put before their names.
//
// Names that begin with a dot are skipped: in a Kubernetes ConfigMap volume they
// hold the files a second time (..data, ..2024_…), and the plain names are
// symbolic links to them.
func (s *sources) readTree(p *problems, fsys fs.FS, root, prefix string) {
	err := fs.WalkDir(fsys, root, func(name string, entry fs.DirEntry, err error) error {
		shown := filepath.ToSlash(filepath.Join(prefix, name))
		if err != nil {
			p.add(&Error{Code: "read_error", File: shown, Message: "reading the policy: " + causeOf(err)})
			return fs.SkipDir
		}
		if name != root && strings.HasPrefix(entry.Name(), ".") {
			if entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if entry.Type()&fs.ModeSymlink != 0 {
			info, err := fs.Stat(fsys, name)
			if err != nil {
				p.add(&Error{Code: "read_error", File: shown, Message: "following a symbolic link: " + causeOf(err)})
				return nil
			}
			if info.IsDir() {
				p.add(&Error{Code: "read_error", File: shown, Message: "a symbolic link to a folder is not followed", Hint: "name the folder itself as a policy path"})
				return nil
			}
		}
		if entry.IsDir() && prefix != "" {
			s.noteLink(filepath.Join(prefix, name, "..data")) // before the files below
		}
		if entry.IsDir() || !isPolicyFile(name) {
			return nil
		}
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			p.add(&Error{Code: "read_error", File: shown, Message: "reading the policy: " + causeOf(err)})
			return nil
		}
		if strings.HasSuffix(name, ".rego") {
			s.files = append(s.files, source{name: shown, text: text})
			return nil
		}
		s.addData(p, shown, path.Dir(name), text)
		return nil
	})
	if err != nil {
		p.add(&Error{Code: "read_error", File: prefix, Message: "reading the policy: " + causeOf(err)})
	}
}

// noteLink keeps where a link leads, if there is one.
func (s *sources) noteLink(name string) {
	if target, err := filepath.EvalSymlinks(name); err == nil {
		s.links[name] = target
	}
}

// swapped tells whether one of the links leads somewhere else than when it was read.
func (s *sources) swapped() bool {
	for name, before := range s.links {
		if now, err := filepath.EvalSymlinks(name); err != nil || now != before {
			return true
		}
	}
	return false
}

// isPolicyFile tells Rego and data files, as `opa build` names them.
func isPolicyFile(name string) bool {
	switch path.Base(name) {
	case "data.json", "data.yaml", "data.yml":
		return true
	}
	return strings.HasSuffix(name, ".rego")
}

// causeOf leaves out the path, which the error has already.
func causeOf(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return err.Error()
}

// addData puts a data file at the place that its folder names, as OPA does.
func (s *sources) addData(p *problems, shown, folder string, text []byte) {
	var value any
	if err := util.Unmarshal(text, &value); err != nil {
		p.add(&Error{Code: "data_error", File: shown, Message: "decoding the data: it is neither JSON nor YAML"})
		return
	}
	if folder != "." {
		for _, name := range slices.Backward(strings.Split(folder, "/")) {
			value = map[string]any{name: value}
		}
	}
	s.mergeData(p, shown, value)
}

func (s *sources) mergeData(p *problems, shown string, value any) {
	object, ok := value.(map[string]any)
	if !ok {
		p.add(&Error{Code: "data_error", File: shown, Message: "the top of a data file must be an object"})
		return
	}
	if own, ok := object["graphveil"].(map[string]any); ok {
		for name := range own {
			if name != "custom" {
				p.add(&Error{Code: "data_error", File: shown, Message: fmt.Sprintf("data.graphveil.%s is not for data files", name), Hint: "put the data under graphveil/custom/, or outside of graphveil"})
			}
		}
	} else if _, ok := object["graphveil"]; ok {
		p.add(&Error{Code: "data_error", File: shown, Message: "data.graphveil must be an object"})
		return
	}
	if at := merge(s.data, object, "data"); at != "" {
		p.add(&Error{Code: "data_error", File: shown, Message: at + " is given twice"})
	}
}

// merge adds src to dst and returns the first place where both have a value.
func merge(dst, src map[string]any, at string) string {
	for _, name := range slices.Sorted(maps.Keys(src)) {
		place := at + "." + name
		old, exists := dst[name]
		if !exists {
			dst[name] = src[name]
			continue
		}
		oldObject, ok1 := old.(map[string]any)
		newObject, ok2 := src[name].(map[string]any)
		if !ok1 || !ok2 {
			return place
		}
		if at := merge(oldObject, newObject, place); at != "" {
			return at
		}
	}
	return ""
}

func isBundleFile(name string) bool { return strings.HasSuffix(name, ".tar.gz") }

// readBundle reads an OPA bundle file. Its signature is checked if there is
// something to check it with.
func (s *sources) readBundle(p *problems, name string, verification *bundle.VerificationConfig) {
	file, err := os.Open(name)
	if err != nil {
		p.add(&Error{Code: "read_error", File: name, Message: "reading the bundle: " + causeOf(err)})
		return
	}
	defer file.Close()
	text, err := ReadArchive(file, MaxUnpacked)
	if err != nil {
		p.add(&Error{Code: "bundle_error", File: name, Message: "reading the bundle: " + causeOf(err)})
		return
	}
	b, err := bundle.NewReader(bytes.NewReader(text)).
		WithSkipBundleVerification(verification == nil).WithBundleVerificationConfig(verification).
		WithLazyLoadingMode(false).WithProcessAnnotations(true).Read()
	if err != nil {
		p.add(&Error{Code: "bundle_error", File: name, Message: "reading the bundle: " + err.Error()})
		return
	}
	if b.Type() == bundle.DeltaBundleType {
		p.add(&Error{Code: "bundle_error", File: name, Message: "a delta bundle is no policy by itself", Hint: "name the bundle that it changes"})
		return
	}
	for _, m := range b.Modules {
		s.files = append(s.files, source{name: name + "/" + strings.TrimPrefix(m.Path, "/"), text: m.Raw})
	}
	if len(b.Data) > 0 {
		s.mergeData(p, name, b.Data)
	}
}

// revision is a digest of everything that a snapshot is made of.
func (s *sources) revision() (string, error) {
	h := sha256.New()
	for _, f := range slices.SortedFunc(slices.Values(s.files), func(a, b source) int { return strings.Compare(a.name, b.name) }) {
		if !f.test() {
			fmt.Fprintf(h, "%d %s %d\n", len(f.name), f.name, len(f.text))
			h.Write(f.text)
		}
	}
	// Maps are encoded in the order of their keys.
	rest, err := json.Marshal([]any{s.data, s.settings, slices.Sorted(slices.Values(s.serve))})
	if err != nil {
		return "", fmt.Errorf("encoding the data of the policy: %w", err)
	}
	h.Write(rest)
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
