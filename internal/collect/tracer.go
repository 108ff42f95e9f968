package collect

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"alps/bpf"
)

// sizes bounds what the kernel side holds.
type sizes struct {
	// Processes is how many may live at once, invocations or not.
	Processes int
	// RingBytes holds the processes that have ended since the last look; a
	// power of two of at least a page.
	RingBytes int
}

// defaultSizes take 15 MB of kernel memory. The ring has room for 16,000 ended
// processes of 256 bytes, drained every drainEvery.
var defaultSizes = sizes{Processes: 1 << 16, RingBytes: 4 << 20}

// passes is how often the living threads are read before sums that changed
// meanwhile are taken as they are.
const passes = 3

// tracer is the kernel side, loaded and attached. Nothing of it is pinned: it
// is gone with the process, however that ends.
type tracer struct {
	objects bpf.CollectObjects
	links   []link.Link
	living  *link.Iter
	ring    *ringbuf.Reader
	sizes   sizes
}

// newTracer loads and attaches the kernel side. The processes that it knows
// are those forked from then on.
func newTracer(s sizes) (_ *tracer, err error) {
	spec, err := bpf.LoadCollect()
	if err != nil {
		return nil, err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	spec.Maps[bpf.CollectMapProcesses].MaxEntries = uint32(s.Processes)
	spec.Maps[bpf.CollectMapEnded].MaxEntries = uint32(s.RingBytes)
	spec.Maps[bpf.CollectMapClocks].MaxEntries = uint32(cpus)

	t := &tracer{sizes: s}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	if err := spec.LoadAndAssign(&t.objects, nil); err != nil {
		return nil, explain("loading the eBPF programs", err)
	}
	if t.living, err = link.AttachIter(link.IterOptions{Program: t.objects.OnLiving}); err != nil {
		return nil, explain("attaching the task iterator", err)
	}
	if t.ring, err = ringbuf.NewReader(t.objects.Ended); err != nil {
		return nil, fmt.Errorf("opening the ring buffer: %w", err)
	}
	// From the past, so that reading never waits.
	t.ring.SetDeadline(time.Unix(1, 0))

	// The fork comes last: then no process is known whose end could be missed.
	for _, program := range t.tracepoints() {
		attached, err := link.AttachTracing(link.TracingOptions{Program: program})
		if err != nil {
			return nil, explain("attaching "+program.String(), err)
		}
		t.links = append(t.links, attached)
	}
	return t, nil
}

func (t *tracer) tracepoints() []*ebpf.Program {
	return []*ebpf.Program{t.objects.OnSwitch, t.objects.OnExec, t.objects.OnRename, t.objects.OnFork}
}

// Close detaches everything.
func (t *tracer) Close() error {
	var errs []error
	for _, attached := range t.links {
		errs = append(errs, attached.Close())
	}
	if t.living != nil {
		errs = append(errs, t.living.Close())
	}
	if t.ring != nil {
		errs = append(errs, t.ring.Close())
	}
	return errors.Join(append(errs, t.objects.Close())...)
}

// Ended calls take for each invocation that has ended since the last call.
func (t *tracer) Ended(take func(process)) error {
	var record ringbuf.Record
	buffer := make([]byte, headBytes+pathBytes)
	for {
		err := t.ring.ReadInto(&record)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the ring buffer: %w", err)
		}
		head, names, err := readRecord(bytes.NewReader(record.RawSample), buffer)
		if err != nil {
			return fmt.Errorf("reading the ring buffer: %w", err)
		}
		take(processOf(&head, names))
	}
}

// Invoked returns the invocations in the table. One leaves it after
// [tracer.Ended] has it.
func (t *tracer) Invoked() (map[processID]bool, error) {
	invoked := map[processID]bool{}
	var key uint64
	var value bpf.CollectProcess
	entries := t.objects.Processes.Iterate()
	for entries.Next(&key, &value) {
		if value.Invoked != 0 {
			invoked[processID{TGID: value.Tgid, StartNs: int64(value.StartNs)}] = true
		}
	}
	// Forks and exits may change the table faster than it can be read.
	if err := entries.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("reading the table of processes: %w", err)
	}
	return invoked, nil
}

// Living returns the invocations that live. One that ends during the call may
// be missing; [tracer.Ended] then has it.
func (t *tracer) Living() (map[processID]process, error) {
	for pass := 1; ; pass++ {
		found, steady, err := t.readLiving()
		if err != nil {
			return nil, fmt.Errorf("reading the living processes: %w", err)
		}
		if steady || pass == passes {
			return found, nil
		}
	}
}

// readLiving adds up the records of the living threads. It is not steady where
// a thread ended during the pass, so that it was counted twice or not at all.
func (t *tracer) readLiving() (found map[processID]process, steady bool, err error) {
	file, err := t.living.Open()
	if err != nil {
		return nil, false, err
	}
	defer file.Close()

	type seen struct {
		endedLifeNs uint64
		threads     int
		want        uint32
	}
	steady = true
	found = map[processID]process{}
	threads := map[processID]seen{}
	buffer := make([]byte, headBytes+pathBytes)
	for in := bufio.NewReaderSize(file, 1<<16); ; {
		head, names, err := readRecord(in, buffer)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, false, err
		}
		p := processOf(&head, names)
		s, again := threads[p.processID]
		if again {
			p = found[p.processID]
			steady = steady && s.endedLifeNs == head.LifeNs
		}
		p.CPUNs += int64(head.ThreadCpuNs)
		p.WaitNs += int64(head.ThreadWaitNs)
		p.LifeNs += int64(head.ThreadLifeNs)
		p.Switches += int64(head.ThreadSwitches)
		p.Sleeps += int64(head.ThreadSleeps)
		found[p.processID] = p
		threads[p.processID] = seen{endedLifeNs: head.LifeNs, threads: s.threads + 1, want: head.Threads}
	}
	for _, s := range threads {
		// There may be more: threads that the kernel made in the process.
		steady = steady && s.threads >= int(s.want)
	}
	return found, steady, nil
}
