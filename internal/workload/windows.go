package workload

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"time"

	"alps/internal/stream"
)

// WindowOptions says how [Windows] looks at a trace.
type WindowOptions struct {
	// Length is how long a window is, at least 1 ms.
	Length time.Duration
	// CPUs is how many CPUs the functions share: the column cpus, and what
	// the utilisation is a share of. It makes nobody wait.
	CPUs int
	// KeyPrefix is what goes before the class in the keys, such as
	// cgroup:/fn/; where it is empty, they are.
	KeyPrefix string
}

// DefaultWindowLength is the length of alps-collect's windows.
const DefaultWindowLength = time.Minute

// maxTimeNs bounds when an invocation may end and how long a window may be, so
// that no sum of the two overflows. It is 73 years.
const maxTimeNs = math.MaxInt64 / 4

func (o WindowOptions) check() error {
	switch {
	case o.Length < time.Millisecond || o.Length > maxTimeNs:
		return fmt.Errorf("windows of %v are not from 1ms to %v", o.Length, time.Duration(maxTimeNs))
	case o.CPUs < 1:
		return fmt.Errorf("%d CPUs are too few", o.CPUs)
	}
	return nil
}

// Windows returns the windows of the invocations stream that alps-collect
// would make of the trace on an ideal machine: one with a CPU for each
// invocation, on which nobody ever waits. So each invocation runs as
// [Request.after] says, wait_ns is 0, and what is waited for is left to the
// policy that is simulated with the stream.
//
// Windows follow each other from time 0 of the trace on. An invocation is a
// row of each window in which it lived; one that ends just when a window does
// has ended in it, one that arrives then is of the next. The id of an
// invocation is the number of its request, from 1; rows are in order of the
// arrivals. The number of a window is its begin in ms, and a window without
// invocations has no rows and is left out.
//
// util_pct is the CPU time used in the window over what the options' CPUs had
// in it, to 0.01 %: the load offered, of which no more than 100 % counts and
// nothing is put off to the next window. The window in which the trace ends
// counts up to the last end, for what follows is no part of the workload.
//
// The rows are those of one window at a time, and valid until the next; the
// cost is that of the rows. A trace that is not sorted or has numbers that
// are negative or too large is refused at once.
func Windows(trace Trace, o WindowOptions) (iter.Seq2[stream.Integer, []stream.Invocation], error) {
	err := o.check()
	for i := 0; err == nil && i < len(trace); i++ {
		err = trace[i].checkTimes()
		if err == nil && i > 0 && trace[i].ArrivalNs < trace[i-1].ArrivalNs {
			err = errUnsorted
		}
		if err != nil {
			err = fmt.Errorf("request %d: %w", i+1, err)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("making windows of a trace: %w", err)
	}
	return func(yield func(stream.Integer, []stream.Invocation) bool) {
		w := newWindower(o, func(id stream.Integer, rows []stream.Invocation) error {
			if !yield(id, rows) {
				return errStopped
			}
			return nil
		})
		for _, request := range trace {
			if w.Add(request) != nil {
				return // stopped: the requests were looked at above
			}
		}
		w.Close()
	}, nil
}

var errUnsorted = errors.New("it is before the arrival above it; sort the trace")

// errStopped is that of an iteration that is broken off.
var errStopped = errors.New("stopped")

// WriteWindows writes the windows of the trace as a stream, and ends it.
func WriteWindows(out *stream.Writer[stream.Invocation], trace Trace, o WindowOptions) error {
	windows, err := Windows(trace, o)
	if err != nil {
		return err
	}
	for id, rows := range windows {
		if err := out.Write(id, rows); err != nil {
			return err
		}
	}
	return out.Close()
}

// Windower makes the windows that [Windows] makes, of requests that come one
// by one. It holds what lives in one window, not the trace.
type Windower struct {
	o       WindowOptions
	emit    func(stream.Integer, []stream.Invocation) error
	maxRows int // of a window

	added  int   // requests so far
	lastNs int64 // arrival of the last of them
	// live are the invocations that had not ended when the window began, and
	// those that arrived since, by arrival.
	live    []live
	keys    map[string]string // by class
	beginNs int64             // of the window, where any live
	rows    []stream.Invocation
}

// NewWindower returns a windower that hands each window to emit: its number
// and its rows, which are valid until emit returns. An error of emit ends it.
func NewWindower(o WindowOptions, emit func(stream.Integer, []stream.Invocation) error) (*Windower, error) {
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("making windows of a trace: %w", err)
	}
	return newWindower(o, emit), nil
}

func newWindower(o WindowOptions, emit func(stream.Integer, []stream.Invocation) error) *Windower {
	return &Windower{o: o, emit: emit, maxRows: stream.MaxWindowRows, keys: make(map[string]string)}
}

// live is an invocation that has not ended.
type live struct {
	Request
	id    stream.Name
	key   string
	cpuNs int64 // by the end of the window before
}

// Add takes the next request, and emits the windows that end by its arrival.
func (w *Windower) Add(r Request) error {
	w.added++
	err := r.checkTimes()
	if err == nil && r.ArrivalNs < w.lastNs {
		err = errUnsorted
	}
	if err != nil {
		return fmt.Errorf("making windows of a trace: request %d: %w", w.added, err)
	}
	w.lastNs = r.ArrivalNs
	for len(w.live) > 0 && r.ArrivalNs >= w.beginNs+w.o.Length.Nanoseconds() {
		if err := w.end(false); err != nil {
			return err
		}
	}
	if len(w.live) == 0 {
		w.beginNs = r.ArrivalNs / w.o.Length.Nanoseconds() * w.o.Length.Nanoseconds()
	}
	if len(w.live) == w.maxRows {
		return fmt.Errorf("window %d has more than %d invocations, the most that a stream may have; take a sample, or shorter windows",
			w.beginNs/int64(time.Millisecond), w.maxRows)
	}
	w.live = append(w.live, live{Request: r, id: stream.Name(strconv.Itoa(w.added)), key: w.key(r.Class)})
	return nil
}

// Close emits the windows in which those live that have not ended.
func (w *Windower) Close() error {
	for len(w.live) > 0 {
		if err := w.end(true); err != nil {
			return err
		}
	}
	return nil
}

// end ends the window, and begins the one after it. In the last ones nothing
// arrives any more.
func (w *Windower) end(last bool) error {
	endNs := w.beginNs + w.o.Length.Nanoseconds()
	nextNs := endNs
	w.rows = w.rows[:0]
	candidates := w.live
	w.live = w.live[:0]
	// A sum of many CPUs' time need not fit into 64 bits.
	var usedNs float64
	lastEndNs := w.beginNs
	for _, l := range candidates {
		now := l.after(endNs - l.ArrivalNs)
		usedNs += float64(now.cpuNs - l.cpuNs)
		l.cpuNs = now.cpuNs
		row := stream.Invocation{
			Class:      stream.Name(l.Class),
			Key:        l.key,
			Invocation: l.id,
			ArrivalNs:  stream.Nanos(l.ArrivalNs),
			CPUNs:      stream.Nanos(now.cpuNs),
			BlockNs:    stream.Nanos(now.blockNs),
			CPUs:       stream.Count(w.o.CPUs),
			BeginNs:    stream.OptNanos{Nanos: stream.Nanos(w.beginNs), Valid: true},
			Sleeps:     stream.Whole(now.sleeps),
		}
		if now.ended {
			ended := l.ArrivalNs + l.durationNs()
			row.EndNs = stream.OptNanos{Nanos: stream.Nanos(ended), Valid: true}
			lastEndNs = max(lastEndNs, ended)
		} else {
			w.live = append(w.live, l)
		}
		w.rows = append(w.rows, row)
	}
	if last && len(w.live) == 0 {
		endNs = lastEndNs
	}
	util := 100 * usedNs / (float64(w.o.CPUs) * float64(max(1, endNs-w.beginNs)))
	util = min(100, math.Round(100*util)/100)
	for i := range w.rows {
		w.rows[i].UtilPct = stream.Percent(util)
	}
	id := stream.Integer(w.beginNs / int64(time.Millisecond))
	w.beginNs = nextNs
	return w.emit(id, w.rows)
}

// key returns the key of a class, the same text for all its rows.
func (w *Windower) key(class string) string {
	if w.o.KeyPrefix == "" {
		return ""
	}
	key, ok := w.keys[class]
	if !ok {
		key = w.o.KeyPrefix + class
		w.keys[class] = key
	}
	return key
}

// checkTimes refuses what [Request.after] cannot reckon with.
func (r *Request) checkTimes() error {
	if r.ArrivalNs < 0 || r.CPUNs < 0 || r.SleepNs < 0 || r.Sleeps < 0 {
		return fmt.Errorf("%+v has a negative number", *r)
	}
	if r.Sleeps > maxSleeps {
		return fmt.Errorf("%d sleeps are more than %d", r.Sleeps, maxSleeps)
	}
	if end := float64(r.ArrivalNs) + float64(r.CPUNs) + float64(r.Sleeps)*float64(r.SleepNs); end > maxTimeNs {
		return fmt.Errorf("it would end at %.3g ns, after %d", end, int64(maxTimeNs))
	}
	return nil
}

// durationNs is how long the invocation takes where nobody else runs.
func (r *Request) durationNs() int64 { return r.CPUNs + r.Sleeps*r.SleepNs }

// progress is what an invocation has done so far.
type progress struct {
	cpuNs, blockNs int64
	// sleeps counts the sleeps that have begun to last.
	sleeps int64
	ended  bool
}

// after returns what the invocation has done ns after its arrival, where
// nobody else runs. As in the runner, the CPU demand is spread over Sleeps + 1
// parts, the first of which are longer by 1 ns where it does not divide.
func (r *Request) after(ns int64) progress {
	if ns >= r.durationNs() {
		return progress{cpuNs: r.CPUNs, blockNs: r.Sleeps * r.SleepNs, sleeps: r.Sleeps, ended: true}
	}
	part, longer := r.CPUNs/(r.Sleeps+1), r.CPUNs%(r.Sleeps+1)
	var done progress
	if turnNs := part + 1 + r.SleepNs; ns < longer*turnNs {
		part++
	} else {
		done = progress{cpuNs: longer * (part + 1), blockNs: longer * r.SleepNs, sleeps: longer}
		ns -= longer * turnNs
	}
	turnNs := part + r.SleepNs // over 0, as the invocation has not ended
	turns, rest := ns/turnNs, ns%turnNs
	done.cpuNs += turns*part + min(rest, part)
	done.blockNs += turns*r.SleepNs + max(0, rest-part)
	done.sleeps += turns
	if rest > part {
		done.sleeps++
	}
	return done
}
