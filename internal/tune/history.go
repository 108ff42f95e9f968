package tune

import (
	"maps"
	"math"
	"slices"
	"strings"

	"alps/internal/stream"
)

// observed is what one window has told, in the order of its rows.
type observed struct {
	classes []string
	// keys has for each class its keys, "" where it has rows without one.
	keys    [][]string
	slices  []sample // one a turn
	waits   []sample // one an invocation
	demands []sample // one an invocation: the sum of its turns
	// invocations are the ids of those of demands.
	invocations []string
}

// sample is a time of a class.
type sample struct {
	class int // in observed.classes
	ns    int64
}

// observe takes from a window what is needed of it; nothing in the result
// refers to the window. It refuses rows that contradict each other.
func observe(w *stream.Window[stream.Turn]) (*observed, error) {
	type origin struct{ first, class int } // the first row, and its class
	type seenInvocation struct {
		origin
		demand int // in observed.demands
	}
	type classKey struct {
		class int
		key   string
	}
	var (
		o           observed
		classes     = make(map[stream.Name]int)
		known       = make(map[classKey]bool)
		owners      = make(map[string]origin)
		invocations = make(map[stream.Name]seenInvocation)
	)
	for i := range w.Rows {
		row := &w.Rows[i]
		if row.Class == UnknownClass {
			return nil, w.Errorf(i, "class", "%q is what the policy calls functions that it does not know; rename the class", row.Class)
		}
		if row.CPUs != w.Rows[0].CPUs {
			return nil, w.Errorf(i, "cpus", "%d differs from the %d on line %d of this window", row.CPUs, w.Rows[0].CPUs, w.Lines[0])
		}
		class, again := classes[row.Class]
		if !again {
			class = len(o.classes)
			o.classes = append(o.classes, strings.Clone(string(row.Class)))
			o.keys = append(o.keys, nil)
			classes[row.Class] = class
		}
		if !known[classKey{class, row.Key}] {
			if owner, taken := owners[row.Key]; taken && row.Key != "" {
				return nil, w.Errorf(i, "key", "%q is the key of class %q on line %d of this window; one key cannot tell two classes apart",
					row.Key, o.classes[owner.class], w.Lines[owner.first])
			}
			owners[row.Key] = origin{i, class}
			known[classKey{class, row.Key}] = true
			o.keys[class] = append(o.keys[class], strings.Clone(row.Key))
		}
		o.slices = append(o.slices, sample{class, int64(row.SliceNs)})

		seen, again := invocations[row.Invocation]
		if !again {
			invocations[row.Invocation] = seenInvocation{origin{i, class}, len(o.demands)}
			o.waits = append(o.waits, sample{class, int64(row.WaitNs)})
			o.demands = append(o.demands, sample{class, int64(row.SliceNs)})
			o.invocations = append(o.invocations, strings.Clone(string(row.Invocation)))
			continue
		}
		if seen.class != class {
			return nil, w.Errorf(i, "class", "%q differs from the %q of invocation %q on line %d of this window",
				row.Class, o.classes[seen.class], row.Invocation, w.Lines[seen.first])
		}
		if first := &w.Rows[seen.first]; first.WaitNs != row.WaitNs {
			return nil, w.Errorf(i, "wait_ns", "%d differs from the %d of invocation %q on line %d of this window",
				row.WaitNs, first.WaitNs, row.Invocation, w.Lines[seen.first])
		}
		demand := &o.demands[seen.demand]
		if int64(row.SliceNs) > math.MaxInt64-demand.ns {
			return nil, w.Errorf(i, "slice_ns", "the turns of invocation %q add up to more than 64 bits", row.Invocation)
		}
		demand.ns += int64(row.SliceNs)
	}
	return &o, nil
}

// pool is what the history tells of one class, oldest window first.
type pool struct {
	class    string
	keys     []string // sorted
	slicesNs []int64
	waitsNs  []int64
	// demandsNs are the CPU times that the invocations needed in all, each once:
	// one that spans windows needs what the last of them tells.
	demandsNs []int64
	// newest is how many of them, the last, are of the newest window.
	newest int
}

// poolClasses puts together what the windows tell of each class, ordered by
// name, and of all classes together. A key that has passed from one class to
// another belongs to the one that had it last, and a class that has no key any
// more has no pool.
func poolClasses(history []*observed) (classes []*pool, all *pool) {
	all = &pool{class: UnknownClass}
	byName := make(map[string]*pool)
	type ownedKey struct{ class, key string }
	owned := make(map[ownedKey]bool)
	owners := make(map[string]string)
	last := make(map[string]*observed) // window of each invocation
	for _, o := range history {
		for _, id := range o.invocations {
			last[id] = o
		}
	}
	for _, o := range history {
		pools := make([]*pool, len(o.classes))
		for i, name := range o.classes {
			if byName[name] == nil {
				byName[name] = &pool{class: name}
			}
			pools[i] = byName[name]
			for _, key := range o.keys[i] {
				owner, taken := owners[key]
				if taken && owner != name && key != "" {
					delete(owned, ownedKey{owner, key})
				}
				owners[key] = name
				owned[ownedKey{name, key}] = true
			}
		}
		for _, s := range o.slices {
			pools[s.class].slicesNs = append(pools[s.class].slicesNs, s.ns)
			all.slicesNs = append(all.slicesNs, s.ns)
		}
		for _, s := range o.waits {
			pools[s.class].waitsNs = append(pools[s.class].waitsNs, s.ns)
			all.waitsNs = append(all.waitsNs, s.ns)
		}
		for i, s := range o.demands {
			if last[o.invocations[i]] == o {
				pools[s.class].demandsNs = append(pools[s.class].demandsNs, s.ns)
				all.demandsNs = append(all.demandsNs, s.ns)
				if o == history[len(history)-1] {
					pools[s.class].newest++
				}
			}
		}
	}
	for o := range owned {
		byName[o.class].keys = append(byName[o.class].keys, o.key)
	}
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		if p := byName[name]; len(p.keys) > 0 {
			slices.Sort(p.keys)
			classes = append(classes, p)
			all.keys = append(all.keys, p.keys...)
		}
	}
	return classes, all
}
