package tune

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"alps/internal/ids"
	"alps/internal/stream"
	"alps/internal/unknown"
)

// observer takes in a window, part by part, and keeps what is needed of it. It
// refuses rows that contradict each other.
type observer struct {
	observed
	anyUtil bool // the utilisation does not matter
	saves   bool // what the state needs is kept

	name      string      // of the input
	first     stream.Turn // the first row, without its texts
	firstLine int
	classNos  map[string]int
	keyOwners map[string]keyOwner // of all keys but ""
	// table numbers the invocations as they are in demands and waits, lineOf has for
	// each of those the line of its first row.
	table    *ids.Table
	lineOf   []int
	texts    texts    // of classes and keys
	savedIDs []string // of the invocations, where saves

	class, demand int      // of the row before
	rowClasses    []int32  // reused
	hashes        []uint64 // of the ids of a stage; reused
}

// keyOwner is the class of a key, and the line that says so.
type keyOwner struct{ class, line int }

// errorf is an error at a row.
type errorf func(i int, column, format string, args ...any) *stream.Error

// add takes in rows of the window. Nothing that is kept refers to them.
func (o *observer) add(rows []stream.Turn, lines []int, errorf errorf) error {
	if o.firstLine == 0 && len(rows) > 0 {
		o.begin(&rows[0], lines[0], errorf)
	}
	o.rowClasses = slices.Grow(o.rowClasses[:0], len(rows))[:len(rows)]
	part := part{rows, lines, o.rowClasses, errorf}
	if len(rows) <= stageRows || o.saves {
		told, err := o.addClasses(part, 0, len(rows))
		return cmp.Or(o.addTurns(part, 0, told).orNil(), err)
	}
	return o.addInStages(part)
}

// part is rows that are added, with the class of each, as far as it has been told.
type part struct {
	rows    []stream.Turn
	lines   []int
	classes []int32
	errorf  errorf
}

// stageRows is how many rows have their classes told before they go on to the second
// stage. What is looked up is mostly in no cache, so that two CPUs that wait for the
// memory wait half as long.
const stageRows = 4096

// addInStages adds rows of which the state needs nothing.
func (o *observer) addInStages(p part) error {
	told := make(chan int, (len(p.rows)+stageRows-1)/stageRows)
	var classError error
	go func() {
		defer close(told)
		for from := 0; from < len(p.rows) && classError == nil; from += stageRows {
			var to int
			to, classError = o.addClasses(p, from, min(from+stageRows, len(p.rows)))
			told <- to
		}
	}()
	from, wrong := 0, contradiction(nil)
	for to := range told {
		if wrong == nil {
			wrong = o.addTurns(p, from, to)
		}
		from = to
	}
	// The classes are all told, and what they are called may be looked up.
	return cmp.Or(wrong.orNil(), classError)
}

// addClasses is the first stage: what rows tell of the window and their class. It
// returns up to which row they are right, and what is wrong with that.
func (o *observer) addClasses(p part, from, to int) (told int, err error) {
	for i := from; i < to; i++ {
		row := &p.rows[i]
		if row.CPUs != o.first.CPUs {
			return i, p.errorf(i, "cpus", "%d differs from the %d on line %d of this window", row.CPUs, o.first.CPUs, o.firstLine)
		}
		if row.UtilPct != o.first.UtilPct && !o.anyUtil {
			return i, p.errorf(i, "util_pct", "%g differs from the %g on line %d of this window; --util PCT sets one for all",
				row.UtilPct, o.first.UtilPct, o.firstLine)
		}
		if err := o.addClass(row, i, p.lines[i], p.errorf); err != nil {
			return i, err
		}
		p.classes[i] = int32(o.class)
	}
	return to, nil
}

// addTurns is the second stage: the turns, and the invocations that they are of.
func (o *observer) addTurns(p part, from, to int) contradiction {
	o.hashes = o.hashes[:0]
	o.table.Reserve(o.table.Len() + to - from)
	for i := from; i < to; i++ {
		o.hashes = append(o.hashes, o.table.Hash(string(p.rows[i].Invocation)))
	}
	for i := from; i < to; i++ {
		row, class := &p.rows[i], int(p.classes[i])
		o.slices = append(o.slices, sample{class, int64(row.SliceNs)})
		if wrong := o.addInvocation(row, class, o.hashes[i-from], i, p.lines[i], p.errorf); wrong != nil {
			return wrong
		}
		if o.saves {
			o.save(row, class)
		}
	}
	return nil
}

// contradiction tells what is wrong with a row, once the first stage has ended; nil if
// nothing is.
type contradiction func() error

func (c contradiction) orNil() error {
	if c == nil {
		return nil
	}
	return c()
}

// save keeps of a row that was added what the state needs of it.
func (o *observer) save(row *stream.Turn, class int) {
	// Not its own texts, which would keep all of its line.
	keys := o.keys[class]
	o.saved.turns = append(o.saved.turns, stream.State{
		What: stateTurn, Class: stream.Name(o.classes[class]), Key: keys[slices.Index(keys, row.Key)],
		Invocation: o.savedIDs[o.demand], SliceNs: row.SliceNs, WaitNs: stream.OptNanos{Nanos: row.WaitNs, Valid: true},
		Kind: o.kinds[row.Key],
	})
}

// begin begins with the first row.
func (o *observer) begin(first *stream.Turn, line int, errorf errorf) {
	o.first, o.firstLine = *first, line
	o.name = errorf(0, "", "").Name
	o.first.Class, o.first.Key, o.first.Invocation = "", "", ""
	o.classNos, o.keyOwners = make(map[string]int), make(map[string]keyOwner)
	o.reserve(min(int(first.Rows), believedRows))
}

// believedRows is for how many rows room is made because a window says that it has
// them.
const believedRows = 1 << 20

// reserve makes room for so many rows, each of an invocation of its own: most have
// one turn.
func (o *observer) reserve(rows int) {
	o.slices, o.waits, o.demands = make([]sample, 0, rows), make([]sample, 0, rows), make([]sample, 0, rows)
	o.invocations, o.lineOf = make([]uint32, 0, rows), make([]int, 0, rows)
	o.table = ids.NewTable()
	o.table.Reserve(rows)
}

// addClass sets the class of the row, with its key.
func (o *observer) addClass(row *stream.Turn, i, line int, errorf errorf) error {
	name := string(row.Class)
	if len(o.classes) == 0 || name != o.classes[o.class] {
		class, again := o.classNos[name]
		if !again {
			if name == unknown.Class {
				return errorf(i, "class", "%q is what the policy calls functions that it does not know; rename the class", name)
			}
			class = len(o.classes)
			name = o.texts.clone(name)
			o.classes, o.keys = append(o.classes, name), append(o.keys, nil)
			o.classNos[name] = class
		}
		o.class = class
	}
	keys := o.keys[o.class]
	if len(keys) > 0 && keys[len(keys)-1] == row.Key {
		return nil
	}
	if row.Key == "" {
		if !slices.Contains(keys, "") {
			o.keys[o.class] = append(keys, "")
		}
		return nil
	}
	owner, again := o.keyOwners[row.Key]
	if again && owner.class != o.class {
		return errorf(i, "key", "%q is the key of class %q on line %d of this window; one key cannot tell two classes apart",
			row.Key, o.classes[owner.class], owner.line)
	}
	if !again {
		key := o.texts.clone(row.Key)
		o.keyOwners[key] = keyOwner{o.class, line}
		o.keys[o.class] = append(keys, key)
		if row.Kind != "" {
			if o.kinds == nil {
				o.kinds = make(map[string]stream.Kind)
			}
			o.kinds[key] = row.Kind
		}
	}
	return nil
}

// addInvocation adds the row, which is of that class, to its invocation, whose id has
// that hash.
func (o *observer) addInvocation(row *stream.Turn, class int, hash uint64, i, line int, errorf errorf) contradiction {
	id := string(row.Invocation)
	if len(o.demands) == 0 || id != o.table.Of(o.demand) {
		demand, again, err := o.table.Add(id, hash)
		if err != nil {
			return func() error { return errorf(i, "invocation", "%v", err) }
		}
		if !again {
			o.demand = demand
			if o.saves {
				o.savedIDs = append(o.savedIDs, o.texts.clone(id))
			}
			o.invocations = append(o.invocations, uint32(demand))
			o.waits = append(o.waits, sample{class, int64(row.WaitNs)})
			o.demands = append(o.demands, sample{class, int64(row.SliceNs)})
			o.lineOf = append(o.lineOf, line)
			return nil
		}
		o.demand = demand
	}
	demand := &o.demands[o.demand]
	if demand.class != class {
		return func() error {
			return errorf(i, "class", "%q differs from the %q of invocation %q on line %d of this window",
				row.Class, o.classes[demand.class], row.Invocation, o.lineOf[o.demand])
		}
	}
	if waitNs := o.waits[o.demand].ns; waitNs != int64(row.WaitNs) {
		return func() error {
			return errorf(i, "wait_ns", "%d differs from the %d of invocation %q on line %d of this window",
				row.WaitNs, waitNs, row.Invocation, o.lineOf[o.demand])
		}
	}
	if int64(row.SliceNs) > math.MaxInt64-demand.ns {
		return func() error {
			return errorf(i, "slice_ns", "the turns of invocation %q add up to more than 64 bits", row.Invocation)
		}
	}
	demand.ns += int64(row.SliceNs)
	return nil
}

// window is what the window has told, without what only the observer needs.
func (o *observer) window() *observed {
	window := o.observed
	window.ids = o.table.Texts
	return &window
}

// texts clones strings, many at a time.
type texts struct{ buffer strings.Builder }

// textsBytes is how much is allocated at once.
const textsBytes = 64 << 10

func (t *texts) clone(text string) string {
	if t.buffer.Cap()-t.buffer.Len() < len(text) {
		t.buffer.Reset() // what was given out keeps the old one
		t.buffer.Grow(max(len(text), textsBytes))
	}
	begin := t.buffer.Len()
	t.buffer.WriteString(text)
	return t.buffer.String()[begin:]
}
