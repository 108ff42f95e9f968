package collect

import (
	"errors"
	"maps"
	"runtime"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
)

// callPrefix is what the kernel's functions of system calls have before their names
// (CONFIG_ARCH_HAS_SYSCALL_WRAPPER).
var callPrefix = map[string]string{"amd64": "__x64_", "arm64": "__arm64_"}

// attach attaches programs that are loaded.
func (t *tracer) attach(names ...string) error {
	for _, name := range names {
		attached, err := link.AttachTracing(link.TracingOptions{Program: t.loaded.Programs[name]})
		if err != nil {
			return explain("attaching "+name, err)
		}
		t.links = append(t.links, attached)
		t.attached = append(t.attached, name)
	}
	return nil
}

// takeReturns takes the programs out of the spec that [tracer.seeReturns] loads.
func takeReturns(spec *ebpf.CollectionSpec, kind *kind) *ebpf.CollectionSpec {
	returns := spec.Copy()
	for name := range spec.Programs {
		if name == kind.instead || slices.Contains(kind.returns, name) {
			delete(spec.Programs, name)
		} else {
			delete(returns.Programs, name)
		}
	}
	for _, name := range kind.returns {
		returns.Programs[name].AttachTo = callPrefix[runtime.GOARCH] + returns.Programs[name].AttachTo
	}
	return returns
}

// seeReturns loads and attaches the programs for the return of system calls, or the
// one instead of them, which costs each call of every process something. A kernel may
// lack what the first need (arm64 before 6.4, one without CONFIG_FUNCTION_TRACER), or
// not permit it.
func (t *tracer) seeReturns(spec *ebpf.CollectionSpec, o *Options) error {
	err := errors.New("not asked for")
	if !o.allCalls {
		err = t.loadMore(spec, t.kind.returns...)
	}
	if err == nil {
		return nil
	}
	t.allCalls = err
	return t.loadMore(spec, t.kind.instead)
}

// loadMore loads and attaches programs that use the maps of those that are loaded; all
// of them or none.
func (t *tracer) loadMore(spec *ebpf.CollectionSpec, names ...string) error {
	spec = spec.Copy()
	maps.DeleteFunc(spec.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return !slices.Contains(names, name) })
	more, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: t.loaded.Maps})
	if err != nil {
		return explain("loading the eBPF programs", err)
	}
	defer more.Close()
	attachedBefore, linksBefore := len(t.attached), len(t.links)
	for _, name := range names {
		t.loaded.Programs[name] = more.DetachProgram(name)
	}
	if err := t.attach(names...); err != nil {
		for _, attached := range t.links[linksBefore:] {
			attached.Close()
		}
		t.links, t.attached = t.links[:linksBefore], t.attached[:attachedBefore]
		return err
	}
	return nil
}
