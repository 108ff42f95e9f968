package load

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"alps/internal/stream"
	"alps/internal/unknown"
)

// The records below are those of bpf/sched.h.
const (
	textChunk  = 4096
	maxReason  = 128
	maxMessage = 256
)

type stepRecord struct {
	FromNs, SliceNs, NeedNs uint64
	Rank, Stretch           uint32
}

// classStats are what a class was given since its policy was put in force.
type classStats struct {
	Turns, CPUNs, WaitNs, Preempted, Promotions, SlicesUsedUp uint64
}

type classRecord struct {
	Generation      uint64
	ExpiresNs       uint64
	StepsLen, Flags uint32
	Steps           [MaxSteps]stepRecord
	Stats           classStats
}

// Bits of classRecord.Flags.
const (
	flagFallback = 1
	flagPaper    = 2
	flagRequest  = 4
	flagCgroup   = 8
)

type textHead struct {
	Generation, Bytes  uint64
	Window, LoadedUnix int64
	MaxAgeNs           uint64
	Classes, Stretch   uint32
}

type exitRecord struct {
	Kind   uint64
	Code   int64
	Reason [maxReason]byte
	Msg    [maxMessage]byte
}

const noClass uint64 = 0

// switchPolicy builds the maps of a policy beside those in force and then puts
// them in their place: the text first, which is found by its generation, and
// then, in one step, the policy.
func (o Options) switchPolicy(spec *ebpf.CollectionSpec, policy, texts *ebpf.Map, t *Table, generation uint64) error {
	frame := classRecord{Generation: generation}
	if o.Paper {
		frame.Flags = flagPaper
	}
	if o.MaxAge > 0 {
		frame.ExpiresNs = uint64(monotonicNs() + o.MaxAge.Nanoseconds())
	}
	entries, err := newEntries(spec.Maps[pinPolicy].InnerMap, t.records(frame, o.Stretch))
	if err != nil {
		return fmt.Errorf("making the map of the policy: %w", err)
	}
	defer entries.Close()
	text, err := newText(spec.Maps[pinTexts].InnerMap, t, textHead{
		Generation: generation, Window: int64(t.Window), LoadedUnix: time.Now().UnixNano(),
		MaxAgeNs: uint64(o.MaxAge), Classes: t.names(), Stretch: t.stretch(o.Stretch),
	})
	if err != nil {
		return fmt.Errorf("making the map of the policy's text: %w", err)
	}
	defer text.Close()
	if err := texts.Put(uint32(generation%2), text); err != nil {
		return fmt.Errorf("putting the policy's text in place: %w", err)
	}
	if err := policy.Put(uint32(0), entries); err != nil {
		return fmt.Errorf("switching to the policy: %w", err)
	}
	return nil
}

// entries are the keys and values of a policy's map.
type entries struct {
	keys    []uint64
	records []classRecord
}

// monotonicNs is the clock of bpf_ktime_get_ns.
func monotonicNs() int64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err) // no Linux is without it
	}
	return now.Nano()
}

// records makes the entries of the policy, with that of tasks without a class.
// The frame has what is the same in all of them.
func (t *Table) records(frame classRecord, stretch int) entries {
	e := entries{[]uint64{noClass}, []classRecord{frame}}
	needs := t.needs(stretch)
	for _, class := range t.Classes {
		record := frame
		record.StepsLen = uint32(len(class.Steps))
		if class.Name == unknown.Class {
			record.Flags |= flagFallback
		}
		switch class.Kind {
		case stream.Request:
			record.Flags |= flagRequest
		case stream.Cgroup:
			record.Flags |= flagCgroup
		}
		for j, step := range class.Steps {
			r := &record.Steps[j]
			*r = stepRecord{FromNs: step.FromNs, SliceNs: step.SliceNs, Rank: step.Rank}
			if needs != nil {
				r.NeedNs, r.Stretch = needs[step.Rank], uint32(stretch)
			}
		}
		e.keys, e.records = append(e.keys, class.Hash), append(e.records, record)
	}
	return e
}

func newEntries(template *ebpf.MapSpec, e entries) (*ebpf.Map, error) {
	spec := template.Copy()
	spec.Name = "alps_entries"
	spec.MaxEntries = uint32(len(e.keys))
	m, err := ebpf.NewMap(spec)
	if err != nil {
		return nil, err
	}
	if n, err := m.BatchUpdate(e.keys, e.records, nil); err != nil || n != len(e.keys) {
		m.Close()
		return nil, fmt.Errorf("%d of %d keys were written: %w", n, len(e.keys), err)
	}
	return m, nil
}

// newText makes the map of a policy's text, whose length it sets in the head.
func newText(template *ebpf.MapSpec, t *Table, head textHead) (*ebpf.Map, error) {
	var csv bytes.Buffer
	w := stream.NewWriter[stream.Policy](&csv)
	if err := w.Write(t.Window, t.Rows); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	head.Bytes = uint64(csv.Len())
	text, err := binary.Append(nil, binary.NativeEndian, head)
	if err != nil {
		return nil, err
	}
	text = append(text, csv.Bytes()...)

	spec := template.Copy()
	spec.Name = "alps_text"
	spec.MaxEntries = uint32((len(text) + textChunk - 1) / textChunk)
	m, err := ebpf.NewMap(spec)
	if err != nil {
		return nil, err
	}
	for i := uint32(0); len(text) > 0; i++ {
		var chunk [textChunk]byte
		text = text[copy(chunk[:], text):]
		if err := m.Put(i, chunk[:]); err != nil {
			m.Close()
			return nil, err
		}
	}
	return m, nil
}

// generationOf returns the generation of the policy in force.
func generationOf(policy *ebpf.Map) (uint64, error) {
	entries, err := entriesOf(policy)
	if err != nil {
		return 0, err
	}
	defer entries.Close()
	frame, err := frameOf(entries)
	return frame.Generation, err
}

// entriesOf opens the map of the policy in force.
func entriesOf(policy *ebpf.Map) (entries *ebpf.Map, err error) {
	if err := policy.Lookup(uint32(0), &entries); err != nil {
		return nil, fmt.Errorf("reading the policy in force: %w", err)
	}
	return entries, nil
}

// frameOf returns what all entries of a policy have.
func frameOf(entries *ebpf.Map) (frame classRecord, err error) {
	if err := entries.Lookup(noClass, &frame); err != nil {
		return frame, fmt.Errorf("reading the policy in force: %w", err)
	}
	return frame, nil
}

// textOf returns the text of the policy in force.
func textOf(policy, texts *ebpf.Map) (head textHead, csv []byte, err error) {
	// A loader may switch twice while the text is read; its generation
	// tells, and the next try meets the new one.
	const tries = 10
	for range tries {
		generation, err := generationOf(policy)
		if err != nil {
			return textHead{}, nil, err
		}
		text, err := readText(texts, uint32(generation%2))
		if err != nil {
			return textHead{}, nil, fmt.Errorf("reading the policy's text: %w", err)
		}
		n, err := binary.Decode(text, binary.NativeEndian, &head)
		if err != nil {
			return textHead{}, nil, fmt.Errorf("reading the policy's text: %w", err)
		}
		if head.Generation == generation && head.Bytes <= uint64(len(text)-n) {
			return head, text[n : n+int(head.Bytes)], nil
		}
	}
	return textHead{}, nil, fmt.Errorf("the policy was replaced %d times while it was read", tries)
}

func readText(texts *ebpf.Map, slot uint32) ([]byte, error) {
	var m *ebpf.Map
	if err := texts.Lookup(slot, &m); err != nil {
		return nil, err
	}
	defer m.Close()
	text := make([]byte, 0, int(m.MaxEntries())*textChunk)
	for i := range m.MaxEntries() {
		var chunk [textChunk]byte
		if err := m.Lookup(i, &chunk); err != nil {
			return nil, err
		}
		text = append(text, chunk[:]...)
	}
	return text, nil
}
