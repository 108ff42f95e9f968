package collect

import (
	"cmp"
	"slices"

	"alps/internal/stream"
)

// window gathers the invocations of one window.
type window struct {
	kind       stream.Kind
	classifier *classifier
	rows       map[processID]stream.Invocation
	// before has the CPU times that the window before reported of
	// invocations that went on.
	before map[processID]stream.Nanos
	lost   losses
}

// add takes a process into the window if it is an invocation of a function.
// What is added later replaces an earlier row of the same process.
func (w *window) add(p *process) {
	class, key, verdict := w.classifier.classify(p)
	switch {
	case verdict == leftOut:
		return
	case verdict == unnameable:
		w.lost.PathTooLong++
		return
	}
	if _, again := w.rows[p.processID]; !again && len(w.rows) == stream.MaxWindowRows {
		w.lost.WindowFull++
		return
	}
	w.rows[p.processID] = stream.Invocation{
		Class:      stream.Name(class),
		Key:        key,
		Invocation: stream.Name(p.processID.String()),
		ArrivalNs:  stream.Nanos(p.StartNs),
		// That of a running thread is reckoned at the edge of a window, to
		// some µs; what was reported is not taken back.
		CPUNs:    max(stream.Nanos(p.CPUNs), w.before[p.processID]),
		EndNs:    stream.OptNanos{Nanos: stream.Nanos(p.EndNs), Valid: p.EndNs != 0},
		WaitNs:   stream.Nanos(p.WaitNs),
		BlockNs:  stream.Nanos(p.blockNs()),
		Sleeps:   stream.Whole(p.Sleeps),
		Switches: stream.Whole(p.Switches),
		Kind:     w.kind,
	}
}

// close returns the rows by arrival, and the window that follows. Lost is for the
// column of that name.
func (w *window) close(beginNs int64, cpus int, utilPct float64, lost uint64) (rows []stream.Invocation, next *window) {
	next = newWindow(w.kind, w.classifier)
	for id, row := range w.rows {
		row.CPUs, row.UtilPct = stream.Count(cpus), stream.Percent(utilPct)
		row.Lost = stream.Whole(lost)
		row.BeginNs = stream.OptNanos{Nanos: stream.Nanos(beginNs), Valid: true}
		rows = append(rows, row)
		if !row.EndNs.Valid {
			next.before[id] = row.CPUNs
		}
	}
	slices.SortFunc(rows, func(a, b stream.Invocation) int {
		return cmp.Or(cmp.Compare(a.ArrivalNs, b.ArrivalNs), cmp.Compare(a.Invocation, b.Invocation))
	})
	return rows, next
}

func newWindow(kind stream.Kind, c *classifier) *window {
	return &window{
		kind:       kind,
		classifier: c,
		rows:       map[processID]stream.Invocation{},
		before:     map[processID]stream.Nanos{},
	}
}
