package main

import (
	"fmt"
	"slices"

	"github.com/elastic/go-seccomp-bpf"
	"github.com/elastic/go-seccomp-bpf/arch"
	profiles "github.com/moby/profiles/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

// loadFilter loads Docker's default profile, as it is for a container without capabilities.
func loadFilter() error {
	profile, err := profiles.GetDefaultProfile(&specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{}}})
	if err != nil {
		return err
	}
	here, err := arch.GetInfo("")
	if err != nil {
		return err
	}
	policy := seccomp.Policy{DefaultAction: seccomp.ActionErrno}
	// The library's program has the call's argument at hand, not its number, once it has compared one. So
	// conditions come last, and those of a call together.
	var last []seccomp.SyscallGroup
	if profile.DefaultAction != specs.ActErrno {
		return fmt.Errorf("the profile's default is %s", profile.DefaultAction)
	}
	for _, call := range profile.Syscalls {
		group := seccomp.SyscallGroup{}
		switch call.Action {
		case specs.ActAllow:
			group.Action = seccomp.ActionAllow
		case specs.ActErrno:
			group.Action = seccomp.ActionErrno
			if call.ErrnoRet != nil {
				group.Action |= seccomp.Action(*call.ErrnoRet)
			}
		default:
			return fmt.Errorf("the profile has action %s", call.Action)
		}
		// Names of other architectures, and newer than the table, are left to the default.
		names := slices.DeleteFunc(slices.Compact(slices.Sorted(slices.Values(call.Names))), func(name string) bool {
			_, known := here.SyscallNames[name]
			return !known
		})
		if len(call.Args) == 0 {
			group.Names = names
		}
		for _, name := range names {
			if len(call.Args) == 0 {
				break
			}
			conditions, err := conditionsOf(call.Args)
			if err != nil {
				return err
			}
			group.NamesWithCondtions = append(group.NamesWithCondtions, seccomp.NameWithConditions{Name: name, Conditions: conditions})
		}
		if len(group.NamesWithCondtions) == 0 {
			policy.Syscalls = append(policy.Syscalls, group)
			continue
		}
		i := slices.IndexFunc(last, func(g seccomp.SyscallGroup) bool { return g.Action == group.Action })
		if i < 0 {
			i, last = len(last), append(last, seccomp.SyscallGroup{Action: group.Action})
		}
		last[i].NamesWithCondtions = append(last[i].NamesWithCondtions, group.NamesWithCondtions...)
	}
	if len(last) > 1 {
		return fmt.Errorf("the profile has conditions with %d actions", len(last))
	}
	policy.Syscalls = append(policy.Syscalls, last...)
	return seccomp.LoadFilter(seccomp.Filter{NoNewPrivs: true, Policy: policy})
}

// conditionsOf translates conditions of a profile; one that it cannot is an error.
func conditionsOf(args []specs.LinuxSeccompArg) (seccomp.ArgumentConditions, error) {
	var all seccomp.ArgumentConditions
	for _, a := range args {
		c := seccomp.Condition{Argument: uint32(a.Index), Value: a.Value}
		switch {
		case a.Op == specs.OpEqualTo:
			c.Operation = seccomp.Equal
		case a.Op == specs.OpNotEqual:
			c.Operation = seccomp.NotEqual
		case a.Op == specs.OpLessThan:
			c.Operation = seccomp.LessThan
		case a.Op == specs.OpMaskedEqual && a.ValueTwo == 0:
			c.Operation = seccomp.BitsNotSet
		default:
			return nil, fmt.Errorf("the profile has the condition %s", a.Op)
		}
		all = append(all, c)
	}
	return all, nil
}
