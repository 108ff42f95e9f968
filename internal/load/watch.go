package load

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/cilium/ebpf"

	"alps/internal/stream"
)

// MinInterval is the shortest time from one look of alps-load watch to the next.
const MinInterval = 10 * time.Millisecond

// systemClass is what watch calls tasks without a class. Their key is empty,
// which no class's is.
const systemClass = "*system"

// A reading is what the classes were given up to some time, by the hashes of
// their keys.
type reading map[uint64]classStats

// readStats reads the map of a policy, which need not be in force any more.
func readStats(entries *ebpf.Map) (reading, error) {
	keys := make([]uint64, entries.MaxEntries())
	records := make([]classRecord, entries.MaxEntries())
	n, err := entries.BatchLookup(new(ebpf.MapBatchCursor), keys, records, nil)
	if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) { // that is the end of the map
		return nil, fmt.Errorf("reading the statistics of the policy: %w", err)
	}
	now := make(reading, n)
	for i, key := range keys[:n] {
		now[key] = records[i].Stats
	}
	return now, nil
}

// systemStats are what tasks without a class were given.
func systemStats(c Counters) classStats {
	return classStats{Turns: c["system_turns"], CPUNs: c["system_cpu_ns"], WaitNs: c["system_wait_ns"]}
}

func (s classStats) minus(before classStats) classStats {
	return classStats{
		s.Turns - before.Turns, s.CPUNs - before.CPUNs, s.WaitNs - before.WaitNs,
		s.Preempted - before.Preempted, s.Promotions - before.Promotions, s.SlicesUsedUp - before.SlicesUsedUp,
	}
}

func (s classStats) plus(more classStats) classStats {
	return classStats{
		s.Turns + more.Turns, s.CPUNs + more.CPUNs, s.WaitNs + more.WaitNs,
		s.Preempted + more.Preempted, s.Promotions + more.Promotions, s.SlicesUsedUp + more.SlicesUsedUp,
	}
}

// A watchedPolicy is a policy that is or was in force. Its map is held, so that
// what its classes got until the next one came can still be read.
type watchedPolicy struct {
	generation uint64
	entries    *ebpf.Map
	classes    []Class
	last       reading
}

// addTo adds what the classes were given since the last call.
func (p *watchedPolicy) addTo(sum reading) error {
	now, err := readStats(p.entries)
	if err != nil {
		return err
	}
	for key, stats := range now {
		sum[key] = sum[key].plus(stats.minus(p.last[key]))
	}
	p.last = now
	return nil
}

// A watcher reads what classes are given from one call of next to the other.
type watcher struct {
	o                         Options
	policies, texts, counters *ebpf.Map
	id                        ebpf.MapID // of policies

	policy *watchedPolicy // as of the last call
	system classStats
}

// watch begins to watch.
func (o Options) watch() (w *watcher, err error) {
	if err := o.usable(); err != nil {
		return nil, err
	}
	w = &watcher{o: o}
	defer func() {
		if err != nil {
			w.close()
			w = nil
		}
	}()
	if err := w.still(); err != nil {
		return w, err
	}
	if err := o.thisVersion(); err != nil {
		return w, err
	}
	for name, m := range map[string]**ebpf.Map{pinPolicy: &w.policies, pinTexts: &w.texts, pinCounters: &w.counters} {
		if *m, err = o.open(name); err != nil {
			return w, err
		}
	}
	if w.id, err = idOf(w.policies); err != nil {
		return w, err
	}
	_, err = w.next()
	return w, err
}

func (w *watcher) close() {
	for _, m := range []*ebpf.Map{w.policies, w.texts, w.counters} {
		if m != nil {
			m.Close()
		}
	}
	if w.policy != nil {
		w.policy.entries.Close()
	}
}

// still tells why the scheduler that is watched is no longer in charge.
func (w *watcher) still() error {
	running, err := w.o.running()
	if err != nil {
		return err
	}
	if !running {
		s, err := w.o.Status()
		if err != nil {
			return err
		}
		return s.fault(w.o.Pins)
	}
	if w.policies == nil {
		return nil
	}
	now, err := w.o.open(pinPolicy)
	if err != nil {
		return err
	}
	defer now.Close()
	if id, err := idOf(now); err != nil || id != w.id {
		return errors.Join(err, fmt.Errorf("another scheduler was attached at %s meanwhile; watch that one anew", w.o.Pins))
	}
	return nil
}

func idOf(m *ebpf.Map) (ebpf.MapID, error) {
	info, err := m.Info()
	if err != nil {
		return 0, fmt.Errorf("looking at the pinned policy: %w", err)
	}
	id, _ := info.ID()
	return id, nil
}

// given is what a key's tasks were given.
type given struct {
	class, key string
	stats      classStats
}

// next returns what each key of the policy in force was given since the last
// call, in the policy's order; then the keys of the policy before that are gone,
// if they were given something; and at the end tasks without a class.
func (w *watcher) next() ([]given, error) {
	if err := w.still(); err != nil {
		return nil, err
	}
	sum := make(reading)
	gone, err := w.follow()
	if gone != nil {
		defer gone.entries.Close()
	}
	if err != nil {
		return nil, err
	}
	if gone != nil { // nothing is added to it any more
		if err := gone.addTo(sum); err != nil {
			return nil, err
		}
	}
	if err := w.policy.addTo(sum); err != nil {
		return nil, err
	}
	counters, err := readCounters(w.counters)
	if err != nil {
		return nil, err
	}
	rows := make([]given, 0, len(w.policy.classes)+1)
	for _, class := range w.policy.classes {
		rows = append(rows, given{class.Name, class.Key, sum[class.Hash]})
		delete(sum, class.Hash)
	}
	if gone != nil {
		for _, class := range gone.classes {
			if stats := sum[class.Hash]; stats != (classStats{}) {
				rows = append(rows, given{class.Name, class.Key, stats})
			}
		}
	}
	system := systemStats(counters)
	rows = append(rows, given{systemClass, "", system.minus(w.system)})
	w.system = system
	return rows, nil
}

// follow turns to the policy in force, if it is another one than so far, and
// returns that one then. Of several that came since the last call, it sees the
// last one only.
func (w *watcher) follow() (gone *watchedPolicy, err error) {
	const tries = 10 // a loader may switch in between
	for range tries {
		entries, err := entriesOf(w.policies)
		if err != nil {
			return nil, err
		}
		frame, err := frameOf(entries)
		if err != nil || w.policy != nil && frame.Generation == w.policy.generation {
			entries.Close()
			return nil, err
		}
		head, csv, err := textOf(w.policies, w.texts)
		if err != nil {
			entries.Close()
			return nil, err
		}
		if head.Generation != frame.Generation {
			entries.Close()
			continue
		}
		gone, w.policy = w.policy, &watchedPolicy{generation: frame.Generation, entries: entries}
		w.policy.classes, err = parseText(csv)
		return gone, err
	}
	return nil, fmt.Errorf("the policy was replaced %d times while it was read", tries)
}

// parseText returns the classes of a policy's text.
func parseText(csv []byte) ([]Class, error) {
	window, err := stream.NewReader[stream.Policy](bytes.NewReader(csv), "the policy in force").Next()
	if err != nil {
		return nil, err
	}
	table, err := Check(window)
	if err != nil {
		return nil, err
	}
	return table.Classes, nil
}
