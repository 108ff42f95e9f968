package load

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/cilium/ebpf"
)

// counterNames are the names of enum alps_counter in bpf/sched.h, in its order.
var counterNames = []string{
	"class_turns", "system_turns", "preemptions", "kept", "promotions", "resolved", "lost",
}

// A Counter is one of the scheduler's figures since it was attached.
type Counter struct {
	Name  string
	Value uint64 // summed over all CPUs
}

// Exit says why the scheduler left.
type Exit struct {
	Kind   uint64 // the kernel's enum scx_exit_kind
	Code   int64
	Reason string // the kernel's words
	Msg    string // details; may be empty
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
	// Left says why the scheduler left; nil if it did not.
	Left *Exit
	// Window is the window of the policy loaded last, Loaded when that was,
	// and Keys how many keys it has.
	Window   int64
	Loaded   time.Time
	Keys     int
	Expires  time.Time // when the policy holds no more; zero: never
	Counters []Counter
}

// Expired tells whether the policy holds no more.
func (s *Status) Expired() bool { return !s.Expires.IsZero() && !s.Expires.After(time.Now()) }

// Status tells what is in force.
func (o Options) Status() (*Status, error) {
	if err := Supported(o.Pins); err != nil {
		return nil, err
	}
	s := &Status{InCharge: inCharge()}
	running, err := o.running()
	if err != nil {
		return nil, err
	}
	s.InForce = running
	if _, err := os.Stat(o.pin(pinLink)); errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	s.Pinned = true
	if s.Left, err = o.left(); err != nil {
		return nil, err
	}
	head, _, err := o.text()
	if err != nil {
		return nil, err
	}
	s.Window, s.Loaded = head.Window, time.Unix(0, head.LoadedUnix)
	if s.Keys, s.Expires, err = o.keys(); err != nil {
		return nil, err
	}
	s.Counters, err = o.counters()
	return s, err
}

// Dump returns the policy in force as a policy stream of one window. It fails
// if no policy is in force.
func (o Options) Dump() ([]byte, error) {
	if err := Supported(o.Pins); err != nil {
		return nil, err
	}
	running, err := o.running()
	if err != nil {
		return nil, err
	}
	if !running {
		return nil, fmt.Errorf("no policy of %s is in force", o.Pins)
	}
	_, csv, err := o.text()
	return csv, err
}

func (o Options) text() (textHead, []byte, error) {
	policy, err := ebpf.LoadPinnedMap(o.pin(pinPolicy), nil)
	if err != nil {
		return textHead{}, nil, fmt.Errorf("opening the pinned policy: %w", err)
	}
	defer policy.Close()
	texts, err := ebpf.LoadPinnedMap(o.pin(pinTexts), nil)
	if err != nil {
		return textHead{}, nil, fmt.Errorf("opening the pinned policy text: %w", err)
	}
	defer texts.Close()
	return textOf(policy, texts)
}

// keys returns how many keys the policy in force has, and when it expires.
func (o Options) keys() (n int, expires time.Time, err error) {
	policy, err := ebpf.LoadPinnedMap(o.pin(pinPolicy), nil)
	if err != nil {
		return 0, expires, fmt.Errorf("opening the pinned policy: %w", err)
	}
	defer policy.Close()
	var entries *ebpf.Map
	if err := policy.Lookup(uint32(0), &entries); err != nil {
		return 0, expires, fmt.Errorf("reading the policy in force: %w", err)
	}
	defer entries.Close()
	frame, err := frameOf(policy)
	if err != nil {
		return 0, expires, err
	}
	if frame.ExpiresNs != 0 {
		expires = time.Now().Add(time.Duration(int64(frame.ExpiresNs) - monotonicNs()))
	}
	return int(entries.MaxEntries()) - 1, expires, nil // but for the entry of tasks without a class
}

func (o Options) counters() ([]Counter, error) {
	m, err := ebpf.LoadPinnedMap(o.pin(pinCounters), &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("opening the pinned counters: %w", err)
	}
	defer m.Close()
	counters := make([]Counter, len(counterNames))
	for i, name := range counterNames {
		var perCPU []uint64
		if err := m.Lookup(uint32(i), &perCPU); err != nil {
			return nil, fmt.Errorf("reading the counter %s: %w", name, err)
		}
		counters[i].Name = name
		for _, n := range perCPU {
			counters[i].Value += n
		}
	}
	return counters, nil
}

// left returns why the pinned scheduler left, nil if it did not.
func (o Options) left() (*Exit, error) {
	m, err := ebpf.LoadPinnedMap(o.pin(pinLeft), &ebpf.LoadPinOptions{ReadOnly: true})
	if err != nil {
		return nil, fmt.Errorf("opening the pinned exit record: %w", err)
	}
	defer m.Close()
	var record exitRecord
	if err := m.Lookup(uint32(0), &record); err != nil {
		return nil, fmt.Errorf("reading the pinned exit record: %w", err)
	}
	if record.Kind == 0 {
		return nil, nil
	}
	return &Exit{
		Kind: record.Kind, Code: record.Code,
		Reason: cString(record.Reason[:]), Msg: cString(record.Msg[:]),
	}, nil
}

func cString(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}
