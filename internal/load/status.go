package load

import (
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"alps/bpf"
)

// counterNames are the names of enum alps_counter in bpf/sched.h, in its order.
var counterNames = []string{
	"class_turns", "system_turns", "preemptions", "kept", "promotions", "resolved", "lost",
	"class_cpu_ns", "system_cpu_ns", "system_wait_ns", "slices_used_up",
}

// Counters are the scheduler's figures since it was attached, by their names,
// summed over all CPUs.
type Counters map[string]uint64

// UnclassedPct is which part of the CPU time tasks without a class had, in
// percent; false if there was none.
func (c Counters) UnclassedPct() (pct float64, ok bool) {
	classed, unclassed := c["class_cpu_ns"], c["system_cpu_ns"]
	if classed+unclassed == 0 {
		return 0, false
	}
	return 100 * float64(unclassed) / float64(classed+unclassed), true
}

// Status is what is known of the scheduler.
type Status struct {
	// InForce tells whether the scheduler pinned here is in charge.
	InForce bool
	// InCharge is the name of the sched_ext scheduler that is, "" if the
	// kernel's own is.
	InCharge string
	// Pinned tells whether there are pins; the fields below need them.
	Pinned bool
	// Left says why the scheduler left; nil if it did not, or if that is not
	// known.
	Left *Exit
	// OtherVersion tells in what the pins are those of another version of this
	// package; "" if they are not. The fields below need it to be "".
	OtherVersion string
	// Before says why the scheduler before this one left; nil if it did not.
	Before *Exit
	// Window is the window of the policy loaded last, Loaded when that was,
	// and Classes and Keys how many it has.
	Window        int64
	Loaded        time.Time
	Classes, Keys int
	MaxAge        time.Duration // for how long the policy holds; 0: until the next one
	Expires       time.Time     // when the policy holds no more; zero: never
	Stretch       int           // 0: ranks are strict
	MaxWait       time.Duration
	Counters      Counters
}

// Expired tells whether the policy holds no more.
func (s *Status) Expired() bool { return !s.Expires.IsZero() && !s.Expires.After(time.Now()) }

// Status tells what is in force.
func (o Options) Status() (*Status, error) {
	if err := o.usable(); err != nil {
		return nil, err
	}
	s := &Status{InCharge: inCharge()}
	var err error
	if s.InForce, err = o.running(); err != nil {
		return nil, err
	}
	if s.Pinned, err = o.pinned(); !s.Pinned || err != nil {
		return s, err
	}
	if s.Left, err = o.left(); err != nil {
		return nil, err
	}
	spec, err := bpf.LoadSched()
	if err != nil {
		return nil, fmt.Errorf("reading the built-in BPF object: %w", err)
	}
	if s.OtherVersion, err = o.otherLayout(spec); s.OtherVersion != "" || err != nil {
		return s, err
	}
	return s, o.readMaps(s)
}

// readMaps sets what the pinned maps of this version say.
func (o Options) readMaps(s *Status) error {
	head, _, err := o.text()
	if err != nil {
		return err
	}
	settings, err := o.settings()
	if err != nil {
		return err
	}
	s.Before = settings.Before.exit()
	s.MaxWait = time.Duration(settings.MaxWaitNs)
	s.Window, s.Loaded = head.Window, time.Unix(0, head.LoadedUnix)
	s.Classes, s.Stretch, s.MaxAge = int(head.Classes), int(head.Stretch), time.Duration(head.MaxAgeNs)
	if s.Keys, s.Expires, err = o.keys(); err != nil {
		return err
	}
	counters, err := o.open(pinCounters)
	if err != nil {
		return err
	}
	defer counters.Close()
	s.Counters, err = readCounters(counters)
	return err
}

// fault tells why the scheduler is not in force with a policy that holds; nil if
// it is.
func (s *Status) fault(pins string) error {
	switch {
	case s.InForce && s.OtherVersion != "":
		return fmt.Errorf("the scheduler at %s is of another version of alps-load (%s): what it does cannot be told; the next load replaces it", pins, s.OtherVersion)
	case s.InForce && s.Expired():
		return fmt.Errorf("the policy has expired %v ago; all functions are served fairly until the next load", time.Since(s.Expires).Round(time.Millisecond))
	case s.InForce:
		return nil
	case s.Left != nil:
		return fmt.Errorf("the scheduler has left: %v", s.Left)
	case s.InCharge != "":
		return fmt.Errorf("the sched_ext scheduler %q is in charge, and not from %s", s.InCharge, pins)
	case s.Pinned:
		return errors.New("the scheduler has left, and why is not known; " + loadAgain)
	}
	return fmt.Errorf("the kernel's own scheduler is in charge; nothing is loaded at %s", pins)
}

// Dump returns the policy in force as a policy stream of one window. It fails
// if no policy is in force.
func (o Options) Dump() ([]byte, error) {
	if err := o.usable(); err != nil {
		return nil, err
	}
	running, err := o.running()
	if err != nil {
		return nil, err
	}
	if !running {
		return nil, fmt.Errorf("no policy of %s is in force", o.Pins)
	}
	if err := o.thisVersion(); err != nil {
		return nil, err
	}
	_, csv, err := o.text()
	return csv, err
}

// thisVersion refuses pins of another version.
func (o Options) thisVersion() error {
	spec, err := bpf.LoadSched()
	if err != nil {
		return fmt.Errorf("reading the built-in BPF object: %w", err)
	}
	other, err := o.otherLayout(spec)
	if err == nil && other != "" {
		err = (&Status{InForce: true, OtherVersion: other}).fault(o.Pins)
	}
	return err
}

func (o Options) text() (textHead, []byte, error) {
	policy, err := o.open(pinPolicy)
	if err != nil {
		return textHead{}, nil, err
	}
	defer policy.Close()
	texts, err := o.open(pinTexts)
	if err != nil {
		return textHead{}, nil, err
	}
	defer texts.Close()
	return textOf(policy, texts)
}

// keys returns how many keys the policy in force has, and when it expires.
func (o Options) keys() (n int, expires time.Time, err error) {
	policy, err := o.open(pinPolicy)
	if err != nil {
		return 0, expires, err
	}
	defer policy.Close()
	entries, err := entriesOf(policy)
	if err != nil {
		return 0, expires, err
	}
	defer entries.Close()
	frame, err := frameOf(entries)
	if err != nil {
		return 0, expires, err
	}
	if frame.ExpiresNs != 0 {
		expires = time.Now().Add(time.Duration(int64(frame.ExpiresNs) - monotonicNs()))
	}
	return int(entries.MaxEntries()) - 1, expires, nil // but for the entry of tasks without a class
}

func readCounters(m *ebpf.Map) (Counters, error) {
	counters := make(Counters, len(counterNames))
	for i, name := range counterNames {
		var perCPU []uint64
		if err := m.Lookup(uint32(i), &perCPU); err != nil {
			return nil, fmt.Errorf("reading the counter %s: %w", name, err)
		}
		for _, n := range perCPU {
			counters[name] += n
		}
	}
	return counters, nil
}
