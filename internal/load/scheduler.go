package load

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"alps/bpf"
)

// Name is the scheduler's name in /sys/kernel/sched_ext/root/ops.
const Name = "alps"

// DefaultPins is where the scheduler is pinned unless told otherwise.
const DefaultPins = "/sys/fs/bpf/alps"

// Names of the pins below Options.Pins: those of the maps in bpf/sched.bpf.c,
// and the link's.
const (
	pinPolicy   = "policy"
	pinTexts    = "texts"
	pinCounters = "counters"
	pinLeft     = "left"
	pinLink     = "link"
)

var pinnedMaps = []string{pinPolicy, pinTexts, pinCounters, pinLeft}

// Options says where the scheduler is and how it is to run. FairSlice and
// MaxWait count only when it is attached; a running one keeps its own.
type Options struct {
	// Pins is the directory of the pins, on a BPF file system. It is made
	// if need be, for its owner alone; its parent has to exist.
	Pins string
	// Stretch is how many times as long as if all shared the CPUs evenly a
	// function may take before functions of better ranks no longer pass it by,
	// and also how patient one has to be that has used more than its class does.
	// That is on one CPU; see [patience.Ns]. 0 makes ranks strict, as does a policy without demands. Up to
	// [patience.MaxStretch].
	Stretch int
	// FairSlice is the slice of a task without a guaranteed one; 0: the
	// scheduler's default (see bpf/sched.bpf.c).
	FairSlice time.Duration
	// MaxWait is how long a function may be runnable without running before
	// it is served out of turn; 0: the scheduler's default.
	MaxWait time.Duration
	// Functions is the cgroup below which what no key fits is a function that the
	// policy does not know yet, by its path: the rows of class * are for it, and are
	// made where the policy has none. "": that of the policy's own rows, or the
	// common parent of its cgroups. [NoFunctions]: no rows are made.
	Functions string
	// Paper has functions scheduled by the paper's rules, for comparison: a function
	// goes on while its guaranteed slice lasts, whoever comes; of those that wait the
	// better rank goes first, and within a rank the least virtual time. Steps and
	// Stretch do not count.
	Paper bool
	// MaxAge is for how long the policy holds; from then on all are served
	// fairly, as without a policy. 0: until the next one.
	MaxAge time.Duration
}

// Load puts a policy in force in one step, attaching the scheduler first where
// it is not running. It tells whether it did attach. After an error, what was
// in force before still is.
func (o Options) Load(t *Table) (attached bool, err error) {
	if err := Supported(o.Pins); err != nil {
		return false, err
	}
	unlock, err := o.lock()
	if err != nil {
		return false, err
	}
	defer unlock()

	spec, err := bpf.LoadSched()
	if err != nil {
		return false, fmt.Errorf("reading the built-in BPF object: %w", err)
	}
	running, err := o.running()
	if err != nil {
		return false, err
	}
	if running {
		return false, o.replace(spec, t)
	}
	if name := inCharge(); name != "" {
		return false, fmt.Errorf("the sched_ext scheduler %q is in charge; stop it first", name)
	}
	if err := o.removePins(); err != nil {
		return false, err
	}
	return true, o.attach(spec, t)
}

// running tells whether the scheduler pinned here is in charge.
func (o Options) running() (bool, error) {
	if _, err := os.Stat(o.pin(pinLink)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	left, err := o.left()
	if err != nil {
		return false, err
	}
	return left == nil && inCharge() == Name, nil
}

func (o Options) replace(spec *ebpf.CollectionSpec, t *Table) error {
	policy, err := ebpf.LoadPinnedMap(o.pin(pinPolicy), nil)
	if err != nil {
		return fmt.Errorf("opening the pinned policy: %w", err)
	}
	defer policy.Close()
	texts, err := ebpf.LoadPinnedMap(o.pin(pinTexts), nil)
	if err != nil {
		return fmt.Errorf("opening the pinned policy text: %w", err)
	}
	defer texts.Close()
	generation, err := generationOf(policy)
	if err != nil {
		return err
	}
	return o.switchPolicy(spec, policy, texts, t, generation+1)
}

func (o Options) attach(spec *ebpf.CollectionSpec, t *Table) error {
	if err := o.configure(spec); err != nil {
		return err
	}
	if err := pickKfuncs(spec); err != nil {
		return err
	}
	if err := setFlags(spec); err != nil {
		return err
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		return explain("loading the scheduler", err)
	}
	defer coll.Close()
	if err := o.switchPolicy(spec, coll.Maps[pinPolicy], coll.Maps[pinTexts], t, 1); err != nil {
		return err
	}
	if err := os.Mkdir(o.Pins, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("making the directory of the pins: %w", err)
	}
	pinned := false
	defer func() {
		if !pinned {
			o.removePins() //nolint:errcheck // the error that led here matters more
		}
	}()
	for _, name := range pinnedMaps {
		if err := coll.Maps[name].Pin(o.pin(name)); err != nil {
			return fmt.Errorf("pinning the map %s: %w", name, err)
		}
	}
	l, err := link.AttachStructOps(link.StructOpsOptions{Map: coll.Maps[Name]})
	if err != nil {
		return explain("attaching the scheduler", err)
	}
	defer l.Close()
	if err := l.Pin(o.pin(pinLink)); err != nil {
		return fmt.Errorf("pinning the scheduler: %w", err)
	}
	pinned = true
	return nil
}

// configure sets the load-time choices of bpf/sched.bpf.c.
func (o Options) configure(spec *ebpf.CollectionSpec) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return err
	}
	values := map[string]any{"possible_cpus": uint32(cpus)}
	if o.FairSlice > 0 {
		values["fair_slice_ns"] = uint64(o.FairSlice)
	}
	if o.MaxWait > 0 {
		values["max_wait_ns"] = uint64(o.MaxWait)
	}
	for name, value := range values {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("setting %s: %w", name, err)
		}
	}
	return nil
}

// Unload detaches the scheduler and removes its pins; the kernel's own
// scheduler takes over. It tells whether there was anything to remove.
func (o Options) Unload() (removed bool, err error) {
	if err := Supported(o.Pins); err != nil {
		return false, err
	}
	unlock, err := o.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	if _, err := os.Stat(o.Pins); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	running, err := o.running()
	if err != nil {
		running = false // pins that cannot be read go all the same
	}
	if err := o.removePins(); err != nil {
		return false, err
	}
	if running {
		return true, awaitDisabled()
	}
	return true, nil
}

// awaitDisabled waits until the kernel, which detaches in its own time once
// the last reference is gone, has done so.
func awaitDisabled() error {
	const patience, step = 10 * time.Second, 5 * time.Millisecond
	for waited := time.Duration(0); waited < patience; waited += step {
		if !changing() && inCharge() != Name {
			return nil
		}
		time.Sleep(step)
	}
	return fmt.Errorf("the scheduler is still in charge %v after its pins were removed; another process holds it", patience)
}

// removePins removes the link, which detaches the scheduler, and then the rest.
func (o Options) removePins() error {
	for _, name := range append([]string{pinLink}, pinnedMaps...) {
		if err := os.Remove(o.pin(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a pin: %w", err)
		}
	}
	if err := os.Remove(o.Pins); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the directory of the pins: %w", err)
	}
	return nil
}

func (o Options) pin(name string) string { return filepath.Join(o.Pins, name) }

// lock keeps other loaders off all pins in the same parent directory. The
// pins' own directory comes and goes and cannot be what is locked.
func (o Options) lock() (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(o.Pins))
	if err != nil {
		return nil, err
	}
	const patience, step = 10 * time.Second, 10 * time.Millisecond
	for waited := time.Duration(0); ; waited += step {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { dir.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			dir.Close()
			return nil, fmt.Errorf("locking %s: %w", dir.Name(), err)
		case waited >= patience:
			dir.Close()
			return nil, fmt.Errorf("another alps-load has held the lock on %s for %v", dir.Name(), patience)
		}
		time.Sleep(step)
	}
}
