package compare

import (
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"alps/internal/sim"
	"alps/internal/stream"
)

// Timeline is all that some windows tell, as one run: an invocation that comes
// again, grown, counts once, as last seen.
type Timeline struct {
	// Jobs are the invocations in the order in which they were first seen.
	// Class is an index in Classes.
	Jobs []sim.Job
	// Classes are the names of the classes, in the order of their first rows.
	Classes []string
	// Windows are the windows, oldest first.
	Windows []Window
	// CPUs is how many CPUs the invocations share, by the column.
	CPUs int

	ids         []string         // of the invocations
	seen        map[string]int32 // by id: the job
	firstWindow []int32          // by job: index of the window in which it was first seen
	class       map[string]int32
	anyCPUs     bool // the column does not matter
}

// Window is a window of a [Timeline].
type Window struct {
	ID stream.Integer
	// BeginNs is when it began, on the clock of the arrivals: its begin_ns,
	// or the earliest arrival that was not in a window before.
	BeginNs int64
}

// A Learner is shown each window as it is read, for policies that learn.
type Learner interface {
	// Learn looks at a window, which is valid only during the call. The
	// timeline has all its classes and invocations.
	Learn(w *stream.Window[stream.Invocation], t *Timeline) error
}

// Reading is how windows are read.
type Reading struct {
	// CPUs is how many CPUs there are; 0 takes the column, which must then be
	// the same everywhere.
	CPUs int
	// Progress, if not nil, is told how many invocations have been read.
	Progress func(invocations int)
}

// Read makes a timeline of streams, one after the other, whose windows grow.
// What is wrong with a row is returned as a [*stream.Error].
func Read(ins []*stream.Reader[stream.Invocation], r Reading, learners ...Learner) (*Timeline, error) {
	t := NewTimeline(r.CPUs)
	for _, in := range ins {
		for {
			w, err := in.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, err
			}
			if err := t.add(w, r.CPUs); err != nil {
				return nil, err
			}
			for _, l := range learners {
				if err := l.Learn(w, t); err != nil {
					return nil, err
				}
			}
			if r.Progress != nil {
				r.Progress(len(t.Jobs))
			}
		}
	}
	if len(t.Jobs) == 0 {
		return nil, errors.New("there is no invocation to compare policies by: the input has no rows")
	}
	return t, nil
}

// add takes a window in.
func (t *Timeline) add(w *stream.Window[stream.Invocation], cpus int) error {
	if n := len(t.Windows); n > 0 && w.ID <= t.Windows[n-1].ID {
		return w.Errorf(0, "window", "%d comes after window %d; the windows of all files grow", w.ID, t.Windows[n-1].ID)
	}
	windowCPUs, err := sim.CheckWindow(w, cpus)
	if err != nil {
		return err
	}
	if t.CPUs == 0 {
		t.CPUs = windowCPUs
	}
	if windowCPUs != t.CPUs {
		return w.Errorf(0, "cpus", "%d differs from the %d of the windows before; --cpus N simulates N instead", windowCPUs, t.CPUs)
	}
	window := int32(len(t.Windows))
	beginNs := int64(math.MaxInt64)
	for i := range w.Rows {
		row := &w.Rows[i]
		job, err := t.job(w, i)
		if err != nil {
			return err
		}
		at, again := t.seen[string(row.Invocation)]
		if !again {
			t.enter(string(row.Invocation), job, window)
			beginNs = min(beginNs, job.ArrivalNs)
			continue
		}
		switch before := &t.Jobs[at]; {
		case before.Class != job.Class:
			return w.Errorf(i, "class", "%q differs from the %q that invocation %q had in a window before", row.Class, t.Classes[before.Class], row.Invocation)
		case before.ArrivalNs != job.ArrivalNs:
			return w.Errorf(i, "arrival_ns", "%d differs from the %d that invocation %q had in a window before", job.ArrivalNs, before.ArrivalNs, row.Invocation)
		case before.CPUNs > job.CPUNs:
			return w.Errorf(i, "cpu_ns", "%d is less than the %d that invocation %q had in a window before", job.CPUNs, before.CPUNs, row.Invocation)
		default:
			*before = job
		}
	}
	if w.Rows[0].BeginNs.Valid {
		beginNs = int64(w.Rows[0].BeginNs.Nanos)
	}
	if window > 0 {
		// A table comes into force after the one before it.
		beginNs = max(beginNs, t.Windows[window-1].BeginNs)
	}
	t.Windows = append(t.Windows, Window{ID: w.ID, BeginNs: beginNs})
	return nil
}

// job makes the job of a row.
func (t *Timeline) job(w *stream.Window[stream.Invocation], i int) (sim.Job, error) {
	row := &w.Rows[i]
	job := sim.Job{ArrivalNs: int64(row.ArrivalNs), CPUNs: int64(row.CPUNs), BlockNs: int64(row.BlockNs), Class: t.classOf(row.Class)}
	if row.Sleeps > sim.MaxSleeps {
		return job, w.Errorf(i, "sleeps", "%d is more than the %d that are simulated", row.Sleeps, sim.MaxSleeps)
	}
	if row.EndNs.Valid {
		// Several threads may have slept at once.
		job.BlockNs = min(job.BlockNs, max(0, int64(row.EndNs.Nanos-row.ArrivalNs-row.CPUNs)))
	}
	if job.BlockNs > 0 {
		// Of what nobody counted is known only that it slept.
		job.Sleeps = max(1, int32(row.Sleeps))
	}
	return job, nil
}

// classOf is the place of a class, which is new if it was not seen before.
func (t *Timeline) classOf(of stream.Name) int32 {
	class, known := t.class[string(of)]
	if !known {
		class = int32(len(t.Classes))
		name := strings.Clone(string(of))
		t.Classes = append(t.Classes, name)
		t.class[name] = class
	}
	return class
}

// counted returns the index of the first window whose invocations count, after
// so many that only teach. Invocations count by the window in which they were
// first seen.
func (t *Timeline) counted(skip int) (int32, error) {
	if skip < 0 {
		return 0, fmt.Errorf("skip %d windows: it cannot be negative", skip)
	}
	if skip >= len(t.Windows) {
		return 0, fmt.Errorf("of %d windows, nothing is left to compare after %d that only teach; record more or shorter windows, or see --skip", len(t.Windows), skip)
	}
	for _, window := range t.firstWindow {
		if int(window) >= skip {
			return int32(skip), nil
		}
	}
	return 0, fmt.Errorf("no invocation began after the first %d windows, which only teach", skip)
}

// enter takes in an invocation that was in no window before.
func (t *Timeline) enter(invocation string, job sim.Job, window int32) {
	id := strings.Clone(invocation)
	t.seen[id] = int32(len(t.Jobs))
	t.ids = append(t.ids, id)
	t.Jobs = append(t.Jobs, job)
	t.firstWindow = append(t.firstWindow, window)
}
