package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// kfuncs are the operations of bpf/sched.bpf.c that call a kfunc which newer
// kernels have under another name. Each is there twice, and the kernel's BTF tells
// which one to load.
// opOld is an operation that only kernels without the new name need.
var kfuncs = []struct{ newName, op, opNew, opOld string }{
	{"scx_bpf_dsq_move_to_local___v2", "alps_dispatch", "alps_dispatch_v2", ""},
	{"scx_bpf_reenqueue_local___v2", "alps_cpu_release", "alps_cpu_release_v2", "alps_stopping"},
}

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

// queueMigrationDisabled makes the kernel ask the scheduler about tasks that may not
// migrate for now, too, instead of running them before all others on their CPU.
const queueMigrationDisabled = "SCX_OPS_ENQ_MIGRATION_DISABLED"

// setOps sets what depends on the kernel in the scheduler's table of operations.
func (o Options) setOps(spec *ebpf.CollectionSpec) error {
	if o.watchdog > 0 {
		binary.NativeEndian.PutUint32(member(spec, "timeout_ms"), uint32(o.watchdog.Milliseconds()))
	}
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return fmt.Errorf("reading the kernel's BTF: %w", err)
	}
	var flags *btf.Enum
	if err := kernel.TypeByName("scx_ops_flags", &flags); err != nil {
		return fmt.Errorf("looking for scx_ops_flags in the kernel's BTF: %w", err)
	}
	at := slices.IndexFunc(flags.Values, func(v btf.EnumValue) bool { return v.Name == queueMigrationDisabled })
	if at >= 0 {
		binary.NativeEndian.PutUint64(member(spec, "flags"), flags.Values[at].Value)
	}
	return nil
}

// member is the place of a member in the scheduler's table of operations, and what
// comes after it.
func member(spec *ebpf.CollectionSpec, name string) []byte {
	ops := spec.Maps[Name]
	members := ops.Value.(*btf.Struct).Members
	at := slices.IndexFunc(members, func(m btf.Member) bool { return m.Name == name })
	return ops.Contents[0].Value.([]byte)[members[at].Offset.Bytes():]
}

// pickKfuncs leaves of each operation the one for this kernel.
func pickKfuncs(spec *ebpf.CollectionSpec) error {
	for _, k := range kfuncs {
		has, err := hasKfunc(k.newName)
		if err != nil {
			return err
		}
		if has {
			spec.Programs[k.op].Instructions = spec.Programs[k.opNew].Instructions
			delete(spec.Programs, k.opOld)
		}
		delete(spec.Programs, k.opNew)
	}
	return nil
}
