package tune

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"alps/internal/stream"
	"alps/internal/unknown"
)

// MaxHistory bounds Options.History.
const MaxHistory = 10_000

// Options is how a [Tuner] works.
type Options struct {
	Predictor Predictor
	Params    Params
	// UtilPct, if not nil, stands in for the column util_pct; 0 to 100. Without
	// the overload rule, neither is looked at.
	UtilPct *float64
	// History is how many windows, the current one included, the slices and
	// waits are taken from; 1 to [MaxHistory].
	History int
	// Drift drops the history of a class whose demands have changed; it takes a
	// history of 2 or more. Each such class is a line written to Warn.
	Drift bool
	// Warn, if not nil, gets a line for what somebody should know of.
	Warn io.Writer
	// RankBy is what orders the classes.
	RankBy RankBy
	// Monotone cuts the slice of each class to the shortest of those of better
	// ranks.
	Monotone bool
	// Unknown asks for a row for functions that the policy does not know.
	Unknown bool
}

// Check tells which option is out of its range.
func (o *Options) Check() error {
	if err := o.Params.Check(); err != nil {
		return err
	}
	if o.UtilPct != nil && !(*o.UtilPct >= 0 && *o.UtilPct <= 100) {
		return fmt.Errorf("util %g is not from 0 to 100", *o.UtilPct)
	}
	if o.History < 1 || o.History > MaxHistory {
		return fmt.Errorf("history %d is not from 1 to %d", o.History, MaxHistory)
	}
	if o.Drift && o.History < 2 {
		return errors.New("drift is told by the windows before the current one; it takes a history of 2 or more")
	}
	return nil
}

// Tuner turns windows of turns into policies. It remembers the windows of the
// history and the slices of the last policy.
type Tuner struct {
	options Options
	history []*observed      // oldest first
	lastNs  map[string]int64 // slices of the last policy by class
	keeping keeping
}

// New returns a Tuner that has seen nothing yet. The options are not checked.
func New(o Options) *Tuner { return &Tuner{options: o} }

// Follow makes the rows the last policy, from which inertia takes the last
// slices: of each class that of the first row with its lowest from_ns.
func (t *Tuner) Follow(rows []stream.Policy) {
	t.lastNs = make(map[string]int64)
	lowest := make(map[stream.Name]stream.Nanos)
	for i := range rows {
		row := &rows[i]
		if from, again := lowest[row.Class]; again && from <= row.FromNs {
			continue
		}
		lowest[row.Class] = row.FromNs
		t.lastNs[strings.Clone(string(row.Class))] = int64(row.SliceNs)
	}
}

// follow is Follow of rows that the Tuner has made: those of a class stand together,
// the first from 0, and their names are kept anyway.
func (t *Tuner) follow(rows []stream.Policy) {
	t.lastNs = make(map[string]int64, len(t.lastNs))
	for i := range rows {
		if row := &rows[i]; i == 0 || row.Class != rows[i-1].Class {
			t.lastNs[string(row.Class)] = int64(row.SliceNs)
		}
	}
}

// Policy returns the policy after a window: for each class of the history, and
// for class [unknown.Class] if that is asked for and the keys have a parent
// cgroup, one row for each of its keys, or several by attained CPU time. The rows
// are ordered by the rank of a class's first one, then by class, key and from_ns.
// They have no frame; the writer of the stream gives them theirs.
//
// What is wrong with a row of the window is returned as a [*stream.Error], and
// the Tuner is as if it had not seen that window.
func (t *Tuner) Policy(w *stream.Window[stream.Turn]) ([]stream.Policy, error) {
	if err := t.keeping.check(w.ID, w.Errorf); err != nil {
		return nil, err
	}
	o := t.observer()
	if err := o.add(w.Rows, w.Lines, w.Errorf); err != nil {
		return nil, err
	}
	return t.policy(w.ID, o), nil
}

// observer returns what takes in the next window.
func (t *Tuner) observer() *observer {
	return &observer{
		anyUtil: t.options.UtilPct != nil || t.options.Params.NoOverload,
		saves:   t.keeping.keeper != nil,
	}
}

// policy is the policy after a window that was taken in.
func (t *Tuner) policy(id stream.Integer, o *observer) []stream.Policy {
	if len(t.history) == t.options.History {
		t.history = slices.Delete(t.history, 0, 1)
	}
	for _, older := range t.history {
		older.supersede(o.table)
	}
	t.warnOfRenamed(o)
	newest := o.window()
	newest.saved.id, t.keeping.newest = id, id
	t.history = append(t.history, newest)

	classes := poolClasses(t.history)
	if t.options.Drift && t.dropDrifted(id, classes) {
		classes = poolClasses(t.history)
	}
	if t.options.Unknown {
		all := poolAll(t.history, classes)
		if key := unknown.Key(all.keys); key != "" {
			all.keys = []string{key}
			classes = slices.Insert(classes, 0, all) // it takes longest
		}
	}
	utilPct := float64(o.first.UtilPct)
	if t.options.UtilPct != nil {
		utilPct = *t.options.UtilPct
	}
	policies := make([]classPolicy, len(classes))
	parallel(len(classes), func(i int) {
		policies[i] = classPolicy{row: t.row(classes[i], utilPct), pool: classes[i]}
	})
	rows := t.options.RankBy.ranked(policies)
	if t.options.Monotone {
		keepMonotone(rows)
	}
	setKinds(rows, t.history)
	t.follow(rows)
	return rows
}

// row applies the rules to a class. The rank and the key are left out.
func (t *Tuner) row(class *pool, utilPct float64) stream.Policy {
	var (
		predictedNs = t.options.Predictor.Predict(class.slicesNs)
		stdevNs     = stdev(class.slicesNs)
		penalty     = t.options.Params.penalty(utilPct)
		lastNs      = t.lastNs[class.class]
		sliceNs     = t.options.Params.sliceNs(predictedNs, stdevNs, penalty, lastNs)
	)
	return stream.Policy{
		Class:       stream.Name(class.class),
		FromNs:      0,
		SliceNs:     stream.Nanos(roundNs(sliceNs)),
		Samples:     stream.Whole(len(class.slicesNs)),
		PredictedNs: stream.Nanos(roundNs(predictedNs)),
		StdevNs:     stream.Nanos(roundNs(stdevNs)),
		Penalty:     stream.Factor(penalty),
		WaitNs:      stream.Nanos(median(class.waitsNs)),
		LastNs:      stream.Nanos(lastNs),
		DemandNs:    stream.Nanos(roundNs(Mean{}.Predict(class.demandsNs))),
	}
}
