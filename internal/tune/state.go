package tune

import (
	"io"
	"maps"
	"slices"

	"alps/internal/stream"
)

// What the rows of the state are; see [stream.State].
const (
	stateTurn   = "turn"
	stateKey    = "key" // of a class, none of whose turns is remembered
	statePolicy = "policy"
)

// Keeper is where [Run] keeps the state of a Tuner. It is in two steps so that
// what can fail is done before the policy goes out, and what cannot, after it: one
// that nobody got leaves the state as it was.
type Keeper interface {
	// Prepare has the state written, and leaves the one before in its place.
	Prepare(write func(io.Writer) error) error
	// Commit puts what was prepared in its place.
	Commit() error
}

// keeping is what a Tuner has to do with its state.
type keeping struct {
	keeper Keeper         // nil where the state is not kept
	from   string         // the name of the state that it began with; "" if with none
	newest stream.Integer // the window that came last
}

// savedWindow is a window of the history as the state has it.
type savedWindow struct {
	id    stream.Integer
	turns []stream.State
}

// Keep makes [Run] keep the Tuner's state. Call it before the first window.
func (t *Tuner) Keep(k Keeper) { t.keeping.keeper = k }

func (t *Tuner) prepareState() error {
	if t.keeping.keeper == nil {
		return nil
	}
	return t.keeping.keeper.Prepare(t.writeState)
}

func (t *Tuner) commitState() error {
	if t.keeping.keeper == nil {
		return nil
	}
	return t.keeping.keeper.Commit()
}

// check refuses a window that the state knows, or that is older. Within a stream
// the reader does that.
func (k *keeping) check(id stream.Integer, errorf errorf) error {
	if k.from == "" || id > k.newest {
		return nil
	}
	return errorf(0, "window", "\"%d\" does not come after window %d, the newest in %s; leave out the windows that it knows, or, if the clock was set back, remove that file to begin anew",
		id, k.newest, k.from)
}

// drop forgets the turns of some classes, and keeps their keys.
func (w *savedWindow) drop(classes map[string]bool) {
	known := make(map[string]bool)
	kept := w.turns[:0]
	for _, row := range w.turns {
		if classes[string(row.Class)] {
			if known[row.Key] {
				continue // a key of a window is of one class, "" is no key
			}
			known[row.Key] = true
			row = stream.State{What: stateKey, Class: row.Class, Key: row.Key, Kind: row.Kind}
		}
		kept = append(kept, row)
	}
	clear(w.turns[len(kept):])
	w.turns = kept
}

// writeState writes what the next window's policy depends on: all but the oldest
// window of a full history, which the next window pushes out, and the slices of the
// last policy, in the newest window.
func (t *Tuner) writeState(to io.Writer) error {
	var windows []savedWindow
	for _, o := range t.stillNeeded(t.history) {
		windows = append(windows, o.saved)
	}
	if len(windows) == 0 { // a history of one window
		windows = []savedWindow{{id: t.keeping.newest}}
	}
	newest := &windows[len(windows)-1]
	newest.turns = slices.Clip(newest.turns)
	for _, class := range slices.Sorted(maps.Keys(t.lastNs)) {
		newest.turns = append(newest.turns, stream.State{
			What: statePolicy, Class: stream.Name(class), SliceNs: stream.Nanos(t.lastNs[class]),
		})
	}
	out := stream.NewWriter[stream.State](to)
	for _, w := range windows {
		if err := out.Write(w.id, w.turns); err != nil {
			return err
		}
	}
	return out.Close()
}

// stillNeeded is the part of the history that is there when the next window comes.
func (t *Tuner) stillNeeded(history []*observed) []*observed {
	return history[max(0, len(history)-(t.options.History-1)):]
}

// Restore makes the Tuner go on from a state that was kept, under which name. It
// takes as many of its windows as the history has place for. From then on, a
// window that does not come after the state's newest is refused.
//
// What is wrong with a row of the state is returned as a [*stream.Error]; the Tuner
// is then as it was.
func (t *Tuner) Restore(in *stream.Reader[stream.State], name string) error {
	var (
		history []*observed
		newest  stateWindow
	)
	for {
		w, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if newest.older != nil {
			return newest.older
		}
		if newest, err = readStateWindow(w, name); err != nil {
			return err
		}
		if o := newest.observer; o != nil {
			for _, older := range history {
				older.supersede(o.table)
			}
			history = t.stillNeeded(append(history, o.window()))
		}
	}
	if newest.missing == nil {
		return &stream.Error{Name: name, Line: 1, Msg: "no window follows, so it may have been cut; remove it to begin anew"}
	}
	if len(newest.lastNs) == 0 {
		return newest.missing
	}
	t.history = slices.Clone(history)
	t.lastNs = newest.lastNs
	t.keeping.from, t.keeping.newest = name, newest.id
	return nil
}

// stateWindow is a window of the state, and what is wrong with it unless it is, or
// is not, the newest.
type stateWindow struct {
	id       stream.Integer
	observer *observer // nil where it has no turns
	lastNs   map[string]int64
	older    error // if it is an older one
	missing  error // if it is the newest and has no policy
}

func readStateWindow(w *stream.Window[stream.State], name string) (stateWindow, error) {
	result := stateWindow{id: w.ID, lastNs: make(map[string]int64)}
	result.missing = w.Errorf(len(w.Rows)-1, "what",
		"window %d, the newest, has no policy, so the state may have been cut; remove it to begin anew", w.ID)
	o := &observer{anyUtil: true, saves: true}
	o.saved.id = w.ID
	policyLines := make(map[stream.Name]int)
	for i := range w.Rows {
		row := &w.Rows[i]
		turn := stream.Turn{Class: row.Class, Key: row.Key, Invocation: stream.Name(row.Invocation), SliceNs: row.SliceNs, WaitNs: row.WaitNs.Nanos, Kind: row.Kind}
		errorf := func(_ int, column, format string, args ...any) *stream.Error {
			err := w.Errorf(i, column, format, args...)
			err.Name = name // which only a reader gives to a window
			return err
		}
		switch row.What {
		case stateTurn:
			if row.Invocation == "" {
				return result, w.Errorf(i, "invocation", "the cell is empty; a turn is one of some invocation")
			}
			if !row.WaitNs.Valid {
				return result, w.Errorf(i, "wait_ns", "the cell is empty; a turn has the wait of its invocation")
			}
			if err := o.add([]stream.Turn{turn}, w.Lines[i:i+1], errorf); err != nil {
				return result, err
			}
		case stateKey:
			if row.Invocation != "" || row.WaitNs.Valid || row.SliceNs != 0 {
				return result, w.Errorf(i, "what", "a row %q has only class, key and kind, and slice_ns 0", stateKey)
			}
			if o.firstLine == 0 {
				o.begin(&turn, w.Lines[i], errorf)
			}
			if err := o.addClass(&turn, i, w.Lines[i], errorf); err != nil {
				return result, err
			}
			o.saved.turns = append(o.saved.turns, *row)
		case statePolicy:
			if column := turnsOnly(row); column != "" {
				return result, w.Errorf(i, column, "the cell is not empty; a row %q has only class and slice_ns", statePolicy)
			}
			if line, again := policyLines[row.Class]; again {
				return result, w.Errorf(i, "class", "%q stands in the policy on line %d already", row.Class, line)
			}
			policyLines[row.Class] = w.Lines[i]
			result.lastNs[string(row.Class)] = int64(row.SliceNs)
			if result.older == nil {
				result.older = w.Errorf(i, "what", "window %d has a policy and is not the newest; only the last policy counts", w.ID)
			}
		default:
			return result, w.Errorf(i, "what", "%q is neither %q, %q nor %q", row.What, stateTurn, stateKey, statePolicy)
		}
	}
	if len(o.saved.turns) > 0 {
		result.observer = o
	}
	return result, nil
}

// turnsOnly names a cell of a row that only a turn has; "" if all are empty.
func turnsOnly(row *stream.State) string {
	switch {
	case row.Key != "":
		return "key"
	case row.Invocation != "":
		return "invocation"
	case row.WaitNs.Valid:
		return "wait_ns"
	case row.Kind != "":
		return "kind"
	}
	return ""
}
