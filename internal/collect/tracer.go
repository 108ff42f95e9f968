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

	"alps/internal/stream"
)

// sizes bounds what the kernel side holds.
type sizes struct {
	// Invocations is how many may live at once, with what may become one: all
	// processes, all threads that have waited for a request.
	Invocations int
	// RingBytes holds the invocations that have ended since the last look; a
	// power of two of at least a page.
	RingBytes int
}

// defaultSizes take 13 to 16 MB of kernel memory, by the kind. The ring has
// room for 16,000 ended invocations of 256 bytes, drained every drainEvery.
var defaultSizes = sizes{Invocations: 1 << 16, RingBytes: 4 << 20}

// passes is how often the living threads are read before sums that changed
// meanwhile are taken as they are.
const passes = 3

// tracer is the kernel side, loaded and attached. Nothing of it is pinned: it
// is gone with the process, however that ends.
type tracer struct {
	kind   *kind
	loaded *ebpf.Collection
	links  []link.Link
	// attached are the names of the programs of links; allCalls is why the one for all
	// system calls is among them, nil if it is not.
	attached []string
	allCalls error
	living   *link.Iter
	ring     *ringbuf.Reader
}

// newTracer loads and attaches the kernel side. The invocations that it knows
// are those that begin from then on.
func newTracer(o *Options) (*tracer, error) { return newTracerOf(kinds[o.kind()], o) }

func newTracerOf(kind *kind, o *Options) (_ *tracer, err error) {
	spec, err := kind.load()
	if err != nil {
		return nil, err
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	spec.Maps[kind.table].MaxEntries = uint32(o.sizes.Invocations)
	spec.Maps[ringMap].MaxEntries = uint32(o.sizes.RingBytes)
	for _, name := range kind.perCPU {
		spec.Maps[name].MaxEntries = uint32(cpus)
	}

	returns := takeReturns(spec, kind)
	if kind.setUp != nil {
		if err := kind.setUp(spec, o); err != nil {
			return nil, err
		}
	}

	t := &tracer{kind: kind}
	defer func() {
		if err != nil {
			t.Close()
		}
	}()
	if t.loaded, err = ebpf.NewCollection(spec); err != nil {
		return nil, explain("loading the eBPF programs", err)
	}
	if t.living, err = link.AttachIter(link.IterOptions{Program: t.loaded.Programs[iteratorProgram]}); err != nil {
		return nil, explain("attaching the task iterator", err)
	}
	if t.ring, err = ringbuf.NewReader(t.loaded.Maps[ringMap]); err != nil {
		return nil, fmt.Errorf("opening the ring buffer: %w", err)
	}
	// From the past, so that reading never waits.
	t.ring.SetDeadline(time.Unix(1, 0))

	if err := t.attach(kind.programs...); err != nil {
		return nil, err
	}
	if len(kind.returns) > 0 {
		if err := t.seeReturns(returns, o); err != nil {
			return nil, err
		}
		// Who waits already is found by looking once.
		if _, err := t.Living(); err != nil {
			return nil, err
		}
	}
	return t, nil
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
	if t.loaded != nil {
		t.loaded.Close()
	}
	return errors.Join(errs...)
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
	if t.kind.invoked == nil {
		return map[processID]bool{}, nil
	}
	invoked, err := t.kind.invoked(t.loaded.Maps[t.kind.table])
	// Invocations may begin and end faster than the table can be read.
	if err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return nil, fmt.Errorf("reading the table of invocations: %w", err)
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
// a thread or a stint ended during the pass, so that it was counted twice or not
// at all.
func (t *tracer) readLiving() (found map[processID]process, steady bool, err error) {
	file, err := t.living.Open()
	if err != nil {
		return nil, false, err
	}
	defer file.Close()

	type seen struct {
		cpuNs   uint64 // in all but the living threads, or in all stints but the last
		threads int
		want    uint32
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
			steady = steady && s.cpuNs == head.CpuNs
		}
		p.CPUNs += int64(head.ThreadCpuNs)
		p.WaitNs += int64(head.ThreadWaitNs)
		if t.kind == kinds[stream.Cgroup] {
			p.LifeNs = max(p.LifeNs, int64(head.ThreadLifeNs)) // that of the spell
		} else {
			p.LifeNs += int64(head.ThreadLifeNs)
		}
		p.Switches += int64(head.ThreadSwitches)
		p.Sleeps += int64(head.ThreadSleeps)
		found[p.processID] = p
		threads[p.processID] = seen{cpuNs: head.CpuNs, threads: s.threads + 1, want: head.Threads}
	}
	for _, s := range threads {
		// There may be more: threads that have not run yet.
		steady = steady && s.threads >= int(s.want)
	}
	return found, steady, nil
}
