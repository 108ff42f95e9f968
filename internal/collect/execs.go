package collect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"alps/bpf"
	"alps/internal/rules"
)

// execTracer is the part of the kernel side that tells what rules ask of a
// process, at its exec. Nothing of it is pinned.
type execTracer struct {
	objects bpf.ExecObjects
	links   []link.Link
	ring    *ringbuf.Reader
}

// newExecTracer loads and attaches the programs.
func newExecTracer(set *rules.Set) (_ *execTracer, err error) {
	spec, err := bpf.LoadExec()
	if err != nil {
		return nil, err
	}
	for name, kind := range map[string]rules.Kind{
		bpf.ExecVarWantExe: rules.Exe, bpf.ExecVarWantArgs: rules.Cmdline, bpf.ExecVarWantEnv: rules.Env,
		bpf.ExecVarWantMounts: rules.Mount,
	} {
		if err := spec.Variables[name].Set(set.Asks(kind)); err != nil {
			return nil, fmt.Errorf("setting %s of the eBPF programs: %w", name, err)
		}
	}
	t := &execTracer{}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	if err := spec.LoadAndAssign(&t.objects, nil); err != nil {
		return nil, explain("loading the eBPF programs of the rules", err)
	}
	if t.ring, err = ringbuf.NewReader(t.objects.Execs); err != nil {
		return nil, fmt.Errorf("opening the ring buffer of the rules: %w", err)
	}
	t.ring.SetDeadline(time.Unix(1, 0)) // reading never waits
	for _, program := range []*ebpf.Program{t.objects.OnExecFacts, t.objects.OnRenameFacts} {
		attached, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			return nil, explain("attaching "+program.String(), err)
		}
		t.links = append(t.links, attached)
	}
	return t, nil
}

// Close detaches everything.
func (t *execTracer) Close() error {
	var errs []error
	for _, attached := range t.links {
		errs = append(errs, attached.Close())
	}
	if t.ring != nil {
		errs = append(errs, t.ring.Close())
	}
	return errors.Join(append(errs, t.objects.Close())...)
}

// Drain calls take for each exec since the last call. If take returns true, the
// next of the same cgroup and mounts is told as a new one too.
func (t *execTracer) Drain(take func(rules.Exec) (again bool)) error {
	var record ringbuf.Record
	for {
		err := t.ring.ReadInto(&record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the ring buffer of the rules: %w", err)
		}
		exec, place, err := execOf(record.RawSample)
		if err != nil {
			return fmt.Errorf("reading the ring buffer of the rules: %w", err)
		}
		if !take(exec) {
			continue
		}
		if err := t.objects.Places.Delete(place); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("forgetting a cgroup in the kernel: %w", err)
		}
	}
}

// Flags of a record: EXEC_NEW and EXEC_CUT of bpf/exec.h.
const (
	execNew = 1 << iota
	execCut
)

// execOf decodes a record. What is of bytes in it is the record's memory.
func execOf(raw []byte) (rules.Exec, bpf.ExecPlace, error) {
	var head bpf.ExecExec
	n, err := binary.Decode(raw, binary.NativeEndian, &head)
	if err != nil {
		return rules.Exec{}, bpf.ExecPlace{}, err
	}
	rest := raw[n:]
	if sum := uint64(head.ExeBytes) + uint64(head.ArgsBytes) + uint64(head.EnvBytes); sum > uint64(len(rest)) {
		return rules.Exec{}, bpf.ExecPlace{}, fmt.Errorf("%d bytes said to be in a record that has %d", sum, len(rest))
	}
	exe, rest := rest[:head.ExeBytes], rest[head.ExeBytes:]
	args, rest := rest[:head.ArgsBytes], rest[head.ArgsBytes:]
	exec := rules.Exec{
		ID:      rules.ID{PID: int(head.Tgid), StartNs: int64(head.StartNs)},
		UID:     head.Uid,
		New:     head.Flags&execNew != 0,
		Cut:     head.Flags&execCut != 0,
		MountID: rules.MountID{Namespace: head.MountNs, Root: head.Root, Change: head.Mounts},
		Cmdline: args,
		Environ: rest[:head.EnvBytes],
	}
	if len(exe) > 0 {
		exec.Exe = cgroupOf(int32(len(exe)), exe)
	}
	place := bpf.ExecPlace{Cgroup: head.Cgroup, Root: head.Root, Mounts: head.Mounts, MountNs: head.MountNs}
	return exec, place, nil
}

// Lost is how many execs found no room in the ring buffer.
func (t *execTracer) Lost() (count uint64, err error) {
	if err := t.objects.ExecsLost.Lookup(uint32(0), &count); err != nil {
		return 0, fmt.Errorf("reading the count of lost execs: %w", err)
	}
	return count, nil
}
