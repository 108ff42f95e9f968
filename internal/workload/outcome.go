package workload

import (
	"errors"
	"fmt"
	"io"

	"alps/internal/stream"
)

// Outcome is what became of one invocation: a row of what the runner prints.
// Times count from the start of the run.
type Outcome struct {
	Invocation string
	Class      string
	// ArrivalNs is when it was due, ForkNs when the runner came to fork it,
	// StartNs when its first instruction ran, EndNs when its last one did.
	ArrivalNs, ForkNs, StartNs, EndNs int64
	// ClockNs is ArrivalNs on CLOCK_MONOTONIC, which is alps-collect's clock.
	ClockNs int64
	// DemandNs is the CPU time that was asked for, CPUNs what it used, with
	// what fork, start-up and interrupts cost it; RusageCPUNs is the same
	// from the kernel's accounts after its end, with the end in it.
	DemandNs, CPUNs, RusageCPUNs int64
	// BlockNs is how long it was to sleep, in Sleeps pieces.
	BlockNs, Sleeps int64
	// Voluntary and Involuntary count its context switches.
	Voluntary, Involuntary int64
	PID                    int64
}

// TurnaroundNs is the time from its arrival to its end.
func (o Outcome) TurnaroundNs() int64 { return o.EndNs - o.ArrivalNs }

// Slowdown is the turnaround over what it would have been alone: the CPU time
// used and the sleep. It is at least 1 but for what clocks differ.
func (o Outcome) Slowdown() float64 {
	return float64(o.TurnaroundNs()) / float64(max(1, o.CPUNs+o.BlockNs))
}

// Switches is how often it left a CPU.
func (o Outcome) Switches() int64 { return o.Voluntary + o.Involuntary }

// ReadOutcomes reads what the runner printed. Bad input is a [*stream.Error]
// that says where.
func ReadOutcomes(r io.Reader, name string) ([]Outcome, error) {
	table, err := openTable(r, name, "invocation", "class", "arrival_ns", "start_ns", "end_ns", "cpu_ns",
		"clock_ns", "fork_ns", "demand_ns", "block_ns", "rusage_cpu_ns", "voluntary", "involuntary", "pid")
	if err != nil {
		return nil, err
	}
	var outcomes []Outcome
	for {
		err := table.next()
		if errors.Is(err, io.EOF) {
			return outcomes, nil
		}
		if err != nil {
			return nil, err
		}
		o, err := readOutcome(table)
		if err != nil {
			return nil, err
		}
		outcomes = append(outcomes, o)
	}
}

func readOutcome(table *table) (Outcome, error) {
	var id, class stream.Name
	if err := table.decode("invocation", &id); err != nil {
		return Outcome{}, err
	}
	if err := table.decode("class", &class); err != nil {
		return Outcome{}, err
	}
	// Results of runners that did not print the sleeps are still read.
	var sleeps stream.Whole
	if table.has("sleeps") {
		if err := table.decode("sleeps", &sleeps); err != nil {
			return Outcome{}, err
		}
	}
	o := Outcome{Invocation: string(id), Class: string(class), Sleeps: int64(sleeps)}
	// The counts are whole numbers of at least 0 as well.
	err := table.decodeNanos(
		nanosColumn{"arrival_ns", &o.ArrivalNs}, nanosColumn{"start_ns", &o.StartNs},
		nanosColumn{"end_ns", &o.EndNs}, nanosColumn{"cpu_ns", &o.CPUNs},
		nanosColumn{"clock_ns", &o.ClockNs}, nanosColumn{"fork_ns", &o.ForkNs},
		nanosColumn{"demand_ns", &o.DemandNs}, nanosColumn{"block_ns", &o.BlockNs},
		nanosColumn{"rusage_cpu_ns", &o.RusageCPUNs},
		nanosColumn{"voluntary", &o.Voluntary}, nanosColumn{"involuntary", &o.Involuntary},
		nanosColumn{"pid", &o.PID})
	if err == nil && (o.StartNs < o.ArrivalNs || o.EndNs < o.StartNs) {
		err = table.errorf(table.line(), "end_ns", "arrival, start and end are not in order")
	}
	return o, err
}

// Invocations makes the rows of the stream that alps-sim reads, in the order
// of the outcomes: what the invocations would have been to a collector that
// watched the whole run as one window on so many CPUs. Keys are keyPrefix and
// the class, or empty where keyPrefix is.
//
// The utilisation is the CPU time used over what the CPUs had from the first
// arrival to the last end.
func Invocations(outcomes []Outcome, cpus int, keyPrefix string) ([]stream.Invocation, error) {
	if cpus < 1 {
		return nil, fmt.Errorf("making invocations: %d CPUs are too few", cpus)
	}
	if len(outcomes) == 0 {
		return nil, nil
	}
	first, last, used := outcomes[0].ArrivalNs, outcomes[0].EndNs, int64(0)
	for _, o := range outcomes {
		first, last, used = min(first, o.ArrivalNs), max(last, o.EndNs), used+o.CPUNs
	}
	util := 100 * float64(used) / (float64(cpus) * float64(max(1, last-first)))
	rows := make([]stream.Invocation, len(outcomes))
	for i, o := range outcomes {
		rows[i] = stream.Invocation{
			Class:      stream.Name(o.Class),
			Invocation: stream.Name(o.Invocation),
			ArrivalNs:  stream.Nanos(o.ArrivalNs),
			CPUNs:      stream.Nanos(o.CPUNs),
			EndNs:      stream.OptNanos{Nanos: stream.Nanos(o.EndNs), Valid: true},
			WaitNs:     stream.Nanos(max(0, o.TurnaroundNs()-o.CPUNs-o.BlockNs)),
			BlockNs:    stream.Nanos(o.BlockNs),
			CPUs:       stream.Count(cpus),
			UtilPct:    stream.Percent(min(100, util)),
			Sleeps:     stream.Whole(o.Sleeps),
		}
		if keyPrefix != "" {
			rows[i].Key = keyPrefix + o.Class
		}
	}
	return rows, nil
}
