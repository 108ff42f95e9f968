package load

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// kfuncs are the operations of bpf/sched.bpf.c that call a kfunc which only newer
// kernels have. Each is there twice, with the kfunc and without, and the kernel's
// BTF tells which one to load.
var kfuncs = []struct{ name, op, opWith string }{
	{requeueKfunc, "alps_cpu_release", "alps_cpu_release_v2"},
}

// requeueKfunc queues anew whom a real-time task pushed off its CPU; 6.19 and later.
const requeueKfunc = "scx_bpf_reenqueue_local___v2"

// hasKfunc tells whether the kernel has a kfunc.
func hasKfunc(name string) (bool, error) {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return false, fmt.Errorf("reading the kernel's BTF: %w", err)
	}
	var function *btf.Func
	switch err := kernel.TypeByName(name, &function); {
	case errors.Is(err, btf.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("looking for %s in the kernel's BTF: %w", name, err)
	}
	return true, nil
}

// pickKfuncs leaves of each operation the one for this kernel.
func pickKfuncs(spec *ebpf.CollectionSpec) error {
	for _, k := range kfuncs {
		has, err := hasKfunc(k.name)
		if err != nil {
			return err
		}
		if has {
			spec.Programs[k.op].Instructions = spec.Programs[k.opWith].Instructions
		}
		delete(spec.Programs, k.opWith)
	}
	return nil
}
