package load

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"alps/bpf"
)

// Name is the scheduler's name in /sys/kernel/sched_ext/root/ops.
const Name = "alps"

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
	// Warn is given what a load found that the user should know, a line at a
	// time; nil: nobody is told.
	Warn func(line string)

	// watchdog is after how long a wait the kernel ends the scheduler; 0: the
	// kernel's own choice, 30 s. For tests.
	watchdog time.Duration
}

// Load puts a policy in force in one step, attaching the scheduler first where
// it is not running, or in the place of one of another version. It tells
// whether it did attach. After an error, what was in force before still is,
// unless the error says that it is gone.
func (o Options) Load(t *Table) (attached bool, err error) {
	unlock, err := o.enter()
	if err != nil {
		return false, err
	}
	defer unlock()

	spec, err := bpf.LoadSched()
	if err != nil {
		return false, fmt.Errorf("reading the built-in BPF object: %w", err)
	}
	if err := o.configure(spec); err != nil {
		return false, err
	}
	running, err := o.running()
	if err != nil {
		return false, err
	}
	if !running {
		if name := inCharge(); name != "" {
			return false, fmt.Errorf("the sched_ext scheduler %q is in charge; stop it first", name)
		}
		return true, o.attach(spec, t)
	}
	other, err := o.otherLayout(spec)
	if err != nil {
		return false, err
	}
	if other != "" {
		o.warnf("the scheduler at %s is of another version of alps-load (%s); it is replaced, and counts begin anew", o.Pins, other)
		return true, o.attach(spec, t)
	}
	if err := o.compareSettings(spec); err != nil {
		return false, err
	}
	return false, o.replace(spec, t)
}

// enter checks what every change needs and keeps other loaders out.
func (o Options) enter() (unlock func(), err error) {
	if err := o.usable(); err != nil {
		return nil, err
	}
	return o.lock()
}

// usable tells what is in the way of a look at the pins.
func (o Options) usable() error {
	if err := Supported(o.Pins); err != nil {
		return err
	}
	return o.owned()
}

// warnf says what the user should know.
func (o Options) warnf(format string, args ...any) {
	if o.Warn != nil {
		o.Warn(fmt.Sprintf(format, args...))
	}
}

// running tells whether the scheduler pinned here is in charge.
func (o Options) running() (bool, error) {
	if pinned, err := o.pinned(); !pinned || err != nil {
		return false, err
	}
	left, err := o.left()
	if err != nil {
		return false, err
	}
	return left == nil && inCharge() == Name, nil
}

// compareSettings says in what the running scheduler is not as it would be if it
// were attached now.
func (o Options) compareSettings(spec *ebpf.CollectionSpec) error {
	running, err := o.settings()
	if err != nil {
		return err
	}
	wanted, err := settingsOf(spec)
	if err != nil {
		return err
	}
	const renew = "alps-load unload and load again to change it"
	if running.MaxWaitNs != wanted.MaxWaitNs {
		o.warnf("the running scheduler keeps its --max-wait of %v, not %v; %s",
			time.Duration(running.MaxWaitNs), time.Duration(wanted.MaxWaitNs), renew)
	}
	if running.Object != wanted.Object {
		o.warnf("the running scheduler is of another build of alps-load; %s", renew)
	}
	return nil
}

// settingsOf is how a configured scheduler is going to run.
func settingsOf(spec *ebpf.CollectionSpec) (s settingsRecord, err error) {
	s.Layout, s.Object = layout, bpf.SchedHash()
	for name, value := range map[string]*uint64{"max_wait_ns": &s.MaxWaitNs, "fair_slice_ns": &s.FairSliceNs} {
		if err := spec.Variables[name].Get(value); err != nil {
			return s, fmt.Errorf("reading %s of the BPF object: %w", name, err)
		}
	}
	return s, nil
}

func (o Options) replace(spec *ebpf.CollectionSpec, t *Table) error {
	policy, err := o.open(pinPolicy)
	if err != nil {
		return err
	}
	defer policy.Close()
	texts, err := o.open(pinTexts)
	if err != nil {
		return err
	}
	defer texts.Close()
	generation, err := generationOf(policy)
	if err != nil {
		return err
	}
	return o.switchPolicy(spec, policy, texts, t, generation+1)
}

// attach loads the scheduler, whole and with its policy, before it touches what
// is pinned. Between a scheduler that is replaced and the new one the kernel's
// own is in charge for a moment.
func (o Options) attach(spec *ebpf.CollectionSpec, t *Table) error {
	settings, err := settingsOf(spec)
	if err != nil {
		return err
	}
	if settings.Before, err = o.lastExit(); err != nil {
		return err
	}
	if err := pickKfuncs(spec); err != nil {
		return err
	}
	if err := o.setOps(spec); err != nil {
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
	kept, err := newSettings(settings)
	if err != nil {
		return fmt.Errorf("making the map of the settings: %w", err)
	}
	defer kept.Close()

	running, err := o.running()
	if err != nil {
		return err
	}
	if err := o.removePins(); err != nil {
		return err
	}
	if !running {
		return o.pinAndAttach(coll, kept)
	}
	err = awaitDisabled()
	if err == nil {
		err = o.pinAndAttach(coll, kept)
	}
	if err != nil {
		return fmt.Errorf("%w; the scheduler that was to be replaced is gone, the kernel's own is in charge", err)
	}
	return nil
}

func (o Options) pinAndAttach(coll *ebpf.Collection, settings *ebpf.Map) error {
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
	if err := settings.Pin(o.pin(pinSettings)); err != nil {
		return fmt.Errorf("pinning the map %s: %w", pinSettings, err)
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
	unlock, err := o.enter()
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
	left, err := o.pinned()
	if err != nil {
		return false, err
	}
	if name := inCharge(); left && !running && name != "" && endsOthers() {
		return false, fmt.Errorf("the sched_ext scheduler %q is in charge, which this kernel would end with what has left at %s; stop it first", name, o.Pins)
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
