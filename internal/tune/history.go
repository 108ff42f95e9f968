package tune

import (
	"cmp"
	"slices"
	"sync"

	"alps/internal/ids"
	"alps/internal/stream"
	"alps/internal/unknown"
)

// observed is what one window has told, in the order of its rows.
type observed struct {
	classes []string
	// keys has for each class its keys, "" where it has rows without one.
	keys [][]string
	// kinds are those of the keys but "", each of its first row, where not empty.
	kinds   map[string]stream.Kind
	slices  []sample // one a turn
	waits   []sample // one an invocation
	demands []sample // one an invocation: the sum of its turns
	// invocations are those of demands, as numbers of ids.
	invocations []uint32
	ids         ids.Texts
	saved       savedWindow // only where the state is kept
}

// sample is a time of a class.
type sample struct {
	class int // in observed.classes
	ns    int64
}

// supersede forgets the demands of invocations that go on in a newer window: they
// need what that tells.
func (o *observed) supersede(newer *ids.Table) {
	o.keepDemands(func(i int) bool { return !newer.Has(o.ids.Of(int(o.invocations[i]))) })
}

// keepDemands forgets the demands that are not to be kept.
func (o *observed) keepDemands(keep func(i int) bool) {
	kept := 0
	for i, s := range o.demands {
		if keep(i) {
			o.demands[kept], o.invocations[kept] = s, o.invocations[i]
			kept++
		}
	}
	o.demands, o.invocations = o.demands[:kept], o.invocations[:kept]
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

// poolClasses puts together what the windows tell of each class, ordered by name. A
// key that has passed from one class to another belongs to the one that had it last,
// and a class that has no key any more has no pool.
func poolClasses(history []*observed) []*pool {
	of, pools := numberClasses(history)
	var (
		group                        sync.WaitGroup
		slicesNs, waitsNs, demandsNs [][]int64
	)
	group.Go(func() { slicesNs = timesOf(history, of, len(pools), func(o *observed) []sample { return o.slices }) })
	group.Go(func() { waitsNs = timesOf(history, of, len(pools), func(o *observed) []sample { return o.waits }) })
	demandsNs = timesOf(history, of, len(pools), func(o *observed) []sample { return o.demands })
	group.Wait()
	for i := range pools {
		pools[i].slicesNs, pools[i].waitsNs, pools[i].demandsNs = slicesNs[i], waitsNs[i], demandsNs[i]
	}
	newest := len(history) - 1
	for _, s := range history[newest].demands {
		pools[of[newest][s.class]].newest++
	}
	giveKeys(history, of, pools)
	var withKeys []*pool
	for i := range pools {
		if p := &pools[i]; len(p.keys) > 0 {
			slices.Sort(p.keys)
			withKeys = append(withKeys, p)
		}
	}
	slices.SortFunc(withKeys, func(a, b *pool) int { return cmp.Compare(a.class, b.class) })
	return withKeys
}

// numberClasses returns a pool for each class, with its name, and for each window the
// numbers of its classes' pools.
func numberClasses(history []*observed) (of [][]int, pools []pool) {
	of = make([][]int, len(history))
	pools = make([]pool, 0, len(history[0].classes))
	var numbers map[string]int // not of the first window alone, whose classes differ
	if len(history) > 1 {
		numbers = make(map[string]int, cap(pools))
	}
	for w, o := range history {
		of[w] = make([]int, len(o.classes))
		for i, name := range o.classes {
			number, again := numbers[name]
			if !again {
				number = len(pools)
				pools = append(pools, pool{class: name})
				if numbers != nil {
					numbers[name] = number
				}
			}
			of[w][i] = number
		}
	}
	return of, pools
}

// timesOf sorts the times of one kind by class, for all classes in one piece of
// memory: a slice that grows for each would be copied several times.
func timesOf(history []*observed, of [][]int, classes int, kind func(*observed) []sample) [][]int64 {
	ends := make([]int, classes)
	for w, o := range history {
		for _, s := range kind(o) {
			ends[of[w][s.class]]++
		}
	}
	total := 0
	for i, n := range ends {
		ends[i] = total // where it begins, and ends once it is filled
		total += n
	}
	ns := make([]int64, total)
	for w, o := range history {
		for _, s := range kind(o) {
			at := &ends[of[w][s.class]]
			ns[*at] = s.ns
			*at++
		}
	}
	times := make([][]int64, classes)
	begin := 0
	for i, end := range ends {
		times[i] = ns[begin:end:end]
		begin = end
	}
	return times
}

// giveKeys gives each pool the keys that its class had last.
func giveKeys(history []*observed, of [][]int, pools []pool) {
	if len(history) == 1 { // no key of a window is of two classes
		for i, keys := range history[0].keys {
			pools[of[0][i]].keys = slices.Clone(keys)
		}
		return
	}
	owners := make(map[string]int)
	for w, o := range history {
		for i, keys := range o.keys {
			for _, key := range keys {
				if p := &pools[of[w][i]]; key != "" {
					owners[key] = of[w][i]
				} else if !slices.Contains(p.keys, "") {
					p.keys = append(p.keys, "")
				}
			}
		}
	}
	for key, owner := range owners {
		pools[owner].keys = append(pools[owner].keys, key)
	}
}

// setKinds sets the kind of each row to that of its key in the newest window that
// has it. That of [unknown.Class], whose key is in none, is that of all keys if they
// have the same.
func setKinds(rows []stream.Policy, history []*observed) {
	if !slices.ContainsFunc(history, func(o *observed) bool { return o.kinds != nil }) {
		return
	}
	kinds := make(map[string]stream.Kind)
	for _, o := range history {
		for _, keys := range o.keys {
			for _, key := range keys {
				kinds[key] = o.kinds[key]
			}
		}
	}
	var same stream.Kind
	first := true
	for i := range rows {
		if row := &rows[i]; row.Class != unknown.Class {
			row.Kind = kinds[row.Key]
			if first {
				same = row.Kind
			} else if row.Kind != same {
				same = ""
			}
			first = false
		}
	}
	for i := range rows {
		if rows[i].Class == unknown.Class {
			rows[i].Kind = same
		}
	}
}

// poolAll puts together what the windows tell of all classes, for [unknown.Class]. Its
// keys are those of the pools of the classes.
func poolAll(history []*observed, classes []*pool) *pool {
	all := &pool{class: unknown.Class}
	for _, o := range history {
		all.slicesNs = appendTimes(all.slicesNs, o.slices)
		all.waitsNs = appendTimes(all.waitsNs, o.waits)
		all.demandsNs = appendTimes(all.demandsNs, o.demands)
	}
	for _, p := range classes {
		all.keys = append(all.keys, p.keys...)
	}
	return all
}

func appendTimes(to []int64, samples []sample) []int64 {
	to = slices.Grow(to, len(samples))
	for _, s := range samples {
		to = append(to, s.ns)
	}
	return to
}
