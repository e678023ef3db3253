package policy

import (
	"context"
	"maps"
	"strings"

	"github.com/open-policy-agent/opa/v1/util"
)

// Delivery is a policy that came in bundles, which somebody else has fetched and
// verified (package opa): all bundles together, as they are to be in force.
type Delivery struct {
	Bundles []Bundle
	// Data is the data of all of them. It is not changed.
	Data map[string]any
}

// Bundle is one bundle of a delivery.
type Bundle struct {
	// Name is as the configuration has it, Revision as its manifest; it may be empty.
	Name, Revision string
	Files          []File
}

// File is one Rego file of a bundle.
type File struct {
	// Name is the path in the bundle.
	Name string
	Text []byte
}

// Staged is a delivery that can be put in force: it was loaded and is good.
type Staged struct {
	delivery Delivery
	snapshot *Snapshot
	reloads  int
}

// Stage loads a delivery, with what Config.Paths names beside it, as Load does, and
// leaves the policy in force as it is. If anything is wrong the error is an Errors
// with everything that was found.
func (e *Engine) Stage(ctx context.Context, d Delivery) (*Staged, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.Current()
	snapshot, err := e.stage(ctx, d, old)
	if err != nil {
		return nil, err
	}
	return &Staged{d, snapshot, e.reloads}, nil
}

func (e *Engine) stage(ctx context.Context, d Delivery, old *Snapshot) (*Snapshot, error) {
	s, err := readDelivered(e.config, &d)
	if err != nil {
		return nil, err
	}
	revision, err := s.revision()
	if err != nil {
		return nil, err
	}
	var snapshot *Snapshot
	if old != nil && old.revision == revision {
		same := *old // the same Rego and data in bundles of other revisions
		snapshot = &same
	} else if snapshot, err = s.activate(ctx); err != nil {
		return nil, err
	}
	snapshot.bundles = d.revisions()
	return snapshot, nil
}

// Commit puts a delivery in force.
func (e *Engine) Commit(s *Staged) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.Current()
	e.delivery = &s.delivery
	e.current.Store(s.snapshot)
	attrs := []any{"revision", s.snapshot.revision, "endpoints", len(s.snapshot.endpoints), "bundles", s.snapshot.bundles}
	if old == nil {
		e.log.Info("policy loaded", attrs...)
		e.first.Do(func() { close(e.loaded) })
		return
	}
	if old.revision != s.snapshot.revision || !maps.Equal(old.bundles, s.snapshot.bundles) {
		e.log.Info("policy reloaded", append(attrs, "previous", old.revision)...)
	}
	if old.revision != s.snapshot.revision {
		e.reloaded(true)
	}
	if e.reloads != s.reloads {
		go e.reload(context.Background()) // files changed since it was staged
	}
}

// Reject counts a delivery that was refused, and logs why if nobody else has. The
// policy in force stays.
func (e *Engine) Reject(err error) {
	if err != nil {
		e.logBad(err, e.Current())
	}
	e.reloaded(false)
}

func (d *Delivery) revisions() map[string]string {
	revisions := map[string]string{}
	for _, b := range d.Bundles {
		revisions[b.Name] = b.Revision
	}
	return revisions
}

// addDelivery adds the files of delivered bundles, each with the name of its bundle
// before its own, and their data. What is below data.system is OPA's.
func (s *sources) addDelivery(p *problems, d *Delivery) {
	for _, b := range d.Bundles {
		for _, f := range b.Files {
			s.files = append(s.files, source{name: b.Name + "/" + strings.TrimPrefix(f.Name, "/"), text: f.Text})
		}
	}
	data := maps.Clone(d.Data)
	delete(data, "system")
	var own any = data // a copy: other data is merged into it
	if err := util.RoundTrip(&own); err != nil {
		p.add(&Error{Code: "data_error", Message: "copying the data of the bundles: " + err.Error()})
		return
	}
	if len(data) > 0 {
		s.mergeData(p, "the bundles", own)
	}
}
