package tune

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"alps/internal/stream"
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
	// history of 2 or more. Each such class is a line written to Warn, if that
	// is not nil.
	Drift bool
	Warn  io.Writer
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

// Policy returns the policy after a window: for each class of the history, and
// for class [UnknownClass] if that is asked for and the keys have a parent
// cgroup, one row for each of its keys, or several by attained CPU time. The rows
// are ordered by the rank of a class's first one, then by class, key and from_ns.
// They have no frame; the writer of the stream gives them theirs.
//
// What is wrong with a row of the window is returned as a [*stream.Error], and
// the Tuner is as if it had not seen that window.
func (t *Tuner) Policy(w *stream.Window[stream.Turn]) ([]stream.Policy, error) {
	utilPct, err := t.utilPct(w)
	if err != nil {
		return nil, err
	}
	current, err := observe(w)
	if err != nil {
		return nil, err
	}
	if len(t.history) == t.options.History {
		t.history = slices.Delete(t.history, 0, 1)
	}
	t.history = append(t.history, current)

	classes, all := poolClasses(t.history)
	if t.options.Drift && t.dropDrifted(w.ID, classes) {
		classes, all = poolClasses(t.history)
	}
	if key := unknownKey(all.keys); key != "" && t.options.Unknown {
		all.keys = []string{key}
		classes = append(classes, all)
	}
	policies := make([]classPolicy, len(classes))
	for i, class := range classes {
		policies[i] = classPolicy{row: t.row(class, utilPct), pool: class}
	}
	rows := t.options.RankBy.ranked(policies)
	if t.options.Monotone {
		keepMonotone(rows)
	}
	t.Follow(rows)
	return rows, nil
}

// utilPct is the utilisation that holds for the whole window; 0 where no rule
// looks at it.
func (t *Tuner) utilPct(w *stream.Window[stream.Turn]) (float64, error) {
	if t.options.Params.NoOverload {
		return 0, nil
	}
	if t.options.UtilPct != nil {
		return *t.options.UtilPct, nil
	}
	first := w.Rows[0].UtilPct
	for i := range w.Rows {
		if row := &w.Rows[i]; row.UtilPct != first {
			return 0, w.Errorf(i, "util_pct", "%g differs from the %g on line %d of this window; --util PCT sets one for all",
				row.UtilPct, first, w.Lines[0])
		}
	}
	return float64(first), nil
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
