package load

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// kfuncs are the operations of bpf/sched.bpf.c that call a kfunc which newer
// kernels know by another name. cilium/ebpf v0.22 finds several matching types
// for the plain name there, even of a weak symbol, so the operation is there
// twice, and the kernel's BTF tells which one to load.
var kfuncs = []struct{ newName, op, newOp string }{
	// 6.19 and later.
	{"scx_bpf_reenqueue_local___v2", "alps_cpu_release", "alps_cpu_release_v2"},
}

// pickKfuncs leaves of each operation the one for this kernel.
func pickKfuncs(spec *ebpf.CollectionSpec) error {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return fmt.Errorf("reading the kernel's BTF: %w", err)
	}
	for _, k := range kfuncs {
		var function *btf.Func
		err := kernel.TypeByName(k.newName, &function)
		if err != nil && !errors.Is(err, btf.ErrNotFound) {
			return fmt.Errorf("looking for %s in the kernel's BTF: %w", k.newName, err)
		}
		if err == nil {
			spec.Programs[k.op].Instructions = spec.Programs[k.newOp].Instructions
		}
		delete(spec.Programs, k.newOp)
	}
	return nil
}
