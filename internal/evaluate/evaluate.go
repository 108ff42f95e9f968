package evaluate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"alps/internal/compare"
	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/tune"
	"alps/internal/unknown"
)

// Predictor is one to be judged, and what it is called.
type Predictor struct {
	Name string
	tune.Predictor
}

// Policies that can be simulated, by their names in alps-sim compare.
const (
	ALPS      = "alps"
	ALPSPaper = "alps-paper"
)

// Options is what is judged, and how.
type Options struct {
	Predictors []Predictor
	// Tune is how policies are made, but for the predictor.
	Tune tune.Options
	// Policy is [ALPS] or [ALPSPaper].
	Policy string
	// Skip is how many windows only teach, at least 1. A turn counts if its
	// window is after them, an invocation if it was first seen after them.
	Skip int
	// CPUs is how many are simulated; 0 takes the column cpus, which must then be
	// the same everywhere.
	CPUs int
	// Messages, if not nil, gets a line where no turnaround can be told.
	Messages io.Writer
	// Progress, if not nil, is told how far the work has come.
	Progress func(format string, args ...any)
}

// Result is how the predictors did.
type Result struct {
	Policy string
	// Windows is how many were judged.
	Windows int
	// Rows are the rows of the table: for each predictor its classes by mean
	// slice, the shortest first, then [compare.AllClasses].
	Rows []Row
}

// Row is how a predictor did for a class.
type Row struct {
	Predictor, Class string
	Errors
	// Turnaround is nil where it cannot be told: the turns have no start_ns, or
	// no invocation of the class counts.
	Turnaround *Turnaround
}

// Turnaround is what the policy with the predictor's slices came to, and SRPT.
type Turnaround struct {
	Invocations    int
	MeanNs, SRPTNs float64
}

// Ratio is the mean turnaround over that of SRPT; NaN for 0 over 0.
func (t *Turnaround) Ratio() float64 { return t.MeanNs / t.SRPTNs }

// Run reads streams of turns, one after the other, whose windows grow, and judges
// the predictors by them. What is wrong with a row is returned as a
// [*stream.Error].
func Run(ctx context.Context, ins []*stream.Reader[stream.Turn], o Options) (*Result, error) {
	r := newRun(o)
	for _, in := range ins {
		for {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			w, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			if err := r.window(w); err != nil {
				return nil, err
			}
		}
	}
	if r.windows <= o.Skip {
		return nil, fmt.Errorf("of %d windows, nothing is left to judge after %d that only teach; record more or shorter windows, or see --skip", r.windows, o.Skip)
	}
	result := &Result{Policy: o.Policy, Windows: r.windows - o.Skip}
	turnarounds, err := r.turnarounds(ctx)
	if err != nil {
		return nil, err
	}
	for i, c := range r.candidates {
		result.Rows = append(result.Rows, r.rows(c, turnarounds[i])...)
	}
	return result, nil
}

// run is the state of [Run].
type run struct {
	Options
	windows, turns int
	lastID         stream.Integer
	classes        []string // in the order of their first rows
	place          map[string]int
	sums           []sum // by class: of all turns that count
	candidates     []*candidate
	// timeline is nil from where on turnarounds cannot be told.
	timeline *compare.Timeline
}

type sum struct{ ns, turns float64 }

// candidate is a predictor and what it has led to.
type candidate struct {
	name        string
	tuner       *tune.Tuner
	predictedNs []int64  // by class, for the next window; none: unknown
	errors      []Errors // by class
	schedule    compare.Schedule
}

const none = -1

func newRun(o Options) *run {
	r := &run{Options: o, place: make(map[string]int), timeline: compare.NewTimeline(o.CPUs)}
	if r.Progress == nil {
		r.Progress = func(string, ...any) {}
	}
	o.Tune.Unknown = true
	for _, p := range o.Predictors {
		o.Tune.Predictor = p.Predictor
		r.candidates = append(r.candidates, &candidate{name: p.Name, tuner: tune.New(o.Tune)})
	}
	return r
}

// window judges a window and then learns from it.
func (r *run) window(w *stream.Window[stream.Turn]) error {
	if r.windows > 0 && w.ID <= r.lastID {
		return w.Errorf(0, "window", "%d comes after window %d; the windows of all files grow", w.ID, r.lastID)
	}
	classOf := r.classify(w)
	if r.windows >= r.Skip {
		for i := range w.Rows {
			r.judge(classOf[i], int64(w.Rows[i].SliceNs))
		}
	}
	r.lastID = w.ID
	r.windows++
	r.turns += len(w.Rows)

	// Keys say nothing here, but a tuner tells classes by them too, and has a row
	// for unknown ones only where the keys are of cgroups.
	keyed := *w
	keyed.Rows = slices.Clone(w.Rows)
	for i := range keyed.Rows {
		keyed.Rows[i].Key = compare.KeyOf(int32(classOf[i]))
	}
	policies := make([][]stream.Policy, len(r.candidates))
	for i, c := range r.candidates {
		r.Progress("%d turns read, window %d: %s", r.turns, w.ID, c.name)
		rows, err := c.tuner.Policy(&keyed)
		if err != nil {
			return err
		}
		c.predict(rows, r.place, len(r.classes))
		policies[i] = rows
	}
	return r.extend(w, policies)
}

// classify gives the classes of a window their places, and tells those of its
// rows.
func (r *run) classify(w *stream.Window[stream.Turn]) []int {
	classOf := make([]int, len(w.Rows))
	for i := range w.Rows {
		class, known := r.place[string(w.Rows[i].Class)]
		if !known {
			class = len(r.classes)
			r.classes = append(r.classes, string([]byte(w.Rows[i].Class)))
			r.place[r.classes[class]] = class
			r.sums = append(r.sums, sum{})
			for _, c := range r.candidates {
				c.errors = append(c.errors, Errors{})
				c.predictedNs = append(c.predictedNs, none)
			}
		}
		classOf[i] = class
	}
	return classOf
}

func (r *run) judge(class int, sliceNs int64) {
	r.sums[class].ns += float64(sliceNs)
	r.sums[class].turns++
	for _, c := range r.candidates {
		if c.predictedNs[class] == none {
			c.errors[class].New++
			continue
		}
		c.errors[class].judge(c.predictedNs[class], sliceNs)
	}
}

// predict takes the predictions for the next window from a policy.
func (c *candidate) predict(policy []stream.Policy, place map[string]int, classes int) {
	c.predictedNs = slices.Repeat([]int64{none}, classes)
	for i := range policy {
		if row := &policy[i]; row.Class != unknown.Class {
			c.predictedNs[place[string(row.Class)]] = int64(row.PredictedNs)
		}
	}
}

// extend adds a window, and what was learnt from it, to the timeline.
func (r *run) extend(w *stream.Window[stream.Turn], policies [][]stream.Policy) error {
	if r.timeline == nil {
		return nil
	}
	for i := range w.Rows {
		if !w.Rows[i].StartNs.Valid {
			if r.Messages != nil {
				fmt.Fprintln(r.Messages, w.Errorf(i, "start_ns", "not there, so no turnaround is told; errors are"))
			}
			r.timeline = nil
			return nil
		}
	}
	if err := r.timeline.AddTurns(w); err != nil {
		return err
	}
	for i, c := range r.candidates {
		c.schedule.Begin(r.timeline)
		c.schedule.Add(r.timeline, policies[i], r.timeline.Class)
	}
	return nil
}

// turnarounds simulates SRPT and each predictor's policies, and returns for each
// predictor what it came to by class; nil maps if that cannot be told.
func (r *run) turnarounds(ctx context.Context) ([]map[string]*Turnaround, error) {
	all := make([]map[string]*Turnaround, len(r.candidates))
	if r.timeline == nil {
		return all, nil
	}
	simulate := func(name string, p sim.Policy) ([]compare.Figures, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r.Progress("simulating %s", name)
		outcomes, err := r.timeline.Simulate(sim.Config{CPUs: r.timeline.CPUs}, p, r.Skip)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return compare.FiguresOf(name, outcomes), nil
	}
	ideal, err := simulate("srpt", sim.SRPT{})
	if err != nil {
		return nil, err
	}
	srptNs := make(map[string]float64)
	for _, f := range ideal {
		srptNs[f.Class] = f.MeanNs
	}
	for i, c := range r.candidates {
		figures, err := simulate(r.Policy+" with "+c.name, policy(r.Policy, c.schedule.Tables()))
		if err != nil {
			return nil, err
		}
		all[i] = make(map[string]*Turnaround)
		for _, f := range figures {
			all[i][f.Class] = &Turnaround{Invocations: f.N, MeanNs: f.MeanNs, SRPTNs: srptNs[f.Class]}
		}
	}
	return all, nil
}

func policy(name string, tables []sim.Table) sim.Policy {
	if name == ALPSPaper {
		return sim.ALPSPaper{Tables: tables}
	}
	return sim.ALPS{Tables: tables, Stretch: compare.DefaultParams.Stretch, MaxWaitNs: compare.DefaultParams.MaxWaitNs}
}
