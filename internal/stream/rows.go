package stream

// The cell types below are what gocsv reads. Each one accepts exactly the texts
// that the contract allows, because gocsv's own conversions let 1.9, 010, 1_000,
// overflows and empty cells pass in silence. What gocsv writes are the texts
// that are made of them.

// Integer is a whole decimal number, which may be negative.
type Integer int64

// Count is a whole decimal number of at least 1.
type Count int64

// Nanos is a time or a duration in nanoseconds, never negative.
type Nanos int64

// Whole is a whole decimal number, never negative, without a unit.
type Whole int64

// OptNanos is a [Nanos] that may be absent, which the stream writes as an
// empty cell.
type OptNanos struct {
	// Nanos is the value; 0 where the cell is empty.
	Nanos Nanos
	// Valid tells whether there is a value.
	Valid bool
}

// Kind is what an invocation is: one of the kinds below, or empty where nobody
// said, which is taken for [Process].
type Kind string

// The kinds of invocations; docs/alps-collect.md has when each begins and ends.
const (
	Process Kind = "process" // a process
	Request Kind = "request" // a burst of a thread of a process that serves many
	Cgroup  Kind = "cgroup"  // a spell in which a cgroup is neither frozen nor empty
)

// Percent is a number from 0 to 100, which may have decimals.
type Percent float64

// Name is a text that is not empty.
type Name string

// Frame is what every row of every stream begins with.
type Frame struct {
	// Window is the number of the window that the row belongs to. It grows
	// from window to window. alps-collect uses the Unix time in ms at which
	// the window began.
	Window Integer `csv:"window"`
	// Rows is how many rows the window has. A reader that was given a
	// stream without this column fills it in.
	Rows Count `csv:"rows" stream:"optional"`
}

// Invocation is a row of the invocations stream (alps-collect to alps-sim):
// one function invocation as it was seen in one window.
type Invocation struct {
	Frame
	// Class is the function deployment.
	Class Name `csv:"class"`
	// Key is what the kernel knows the class by, such as
	// cgroup:/openfaas-fn/figlet or comm:fn-resize. It may be empty in
	// offline studies.
	Key string `csv:"key" stream:"optional"`
	// Invocation identifies the invocation in the whole stream. One that
	// spans several windows has the same id in each of them.
	Invocation Name `csv:"invocation"`
	// ArrivalNs is when the invocation arrived, on any one clock.
	ArrivalNs Nanos `csv:"arrival_ns"`
	// CPUNs is the CPU time that all its threads have used so far.
	CPUNs Nanos `csv:"cpu_ns"`
	// EndNs is when it ended, on the clock of ArrivalNs; absent while it runs.
	EndNs OptNanos `csv:"end_ns"`
	// WaitNs is how long it was runnable without running.
	WaitNs Nanos `csv:"wait_ns"`
	// BlockNs is how long it slept.
	BlockNs Nanos `csv:"block_ns"`
	// CPUs is how many CPUs the functions share.
	CPUs Count `csv:"cpus"`
	// UtilPct is how busy those CPUs were in the window.
	UtilPct Percent `csv:"util_pct"`
	// BeginNs is when the window began, on the clock of ArrivalNs; the same
	// on all rows of the window. What arrived before was there already.
	BeginNs OptNanos `csv:"begin_ns" stream:"optional"`
	// Sleeps is how often it slept, for BlockNs in all. Where it is 0 or the
	// column is absent and BlockNs is not 0, nothing is known but that.
	Sleeps Whole `csv:"sleeps" stream:"optional"`
	// Switches is how often it left the CPU, to sleep or for others. Sleeps are
	// among them.
	Switches Whole `csv:"switches" stream:"optional"`
	// Lost is how much was lost while the window was measured, and while those
	// before it that have no rows were; the same on all rows of the window.
	Lost Whole `csv:"lost" stream:"optional"`
	// Kind is what was measured as one invocation.
	Kind Kind `csv:"kind" stream:"optional"`
}

// Turn is a row of the turns stream (alps-sim to alps-tune): one turn on a
// CPU that the simulated policy gave to an invocation.
type Turn struct {
	Frame
	Class      Name   `csv:"class"`
	Key        string `csv:"key" stream:"optional"`
	Invocation Name   `csv:"invocation"`
	// Turn counts the turns of the invocation in this window from 1.
	Turn Count `csv:"turn"`
	// SliceNs is how long the turn lasted.
	SliceNs Nanos `csv:"slice_ns"`
	// WaitNs is the invocation's wait from its arrival, or from the window's
	// begin if it arrived before, to its first turn; the same on all its turns.
	WaitNs Nanos `csv:"wait_ns"`
	// CPUs is how many CPUs were simulated, UtilPct that of the invocation's row.
	CPUs    Count   `csv:"cpus"`
	UtilPct Percent `csv:"util_pct"`
	// StartNs is when the turn began, on the clock of the arrivals. The
	// turnaround of an invocation is the end of its last turn
	// (StartNs + SliceNs) less StartNs of turn 1 and plus WaitNs.
	StartNs OptNanos `csv:"start_ns" stream:"optional"`
	// Kind is that of the invocation.
	Kind Kind `csv:"kind" stream:"optional"`
}

// Policy is a row of the policy stream (alps-tune to alps-load): how one
// class is scheduled from a certain attained CPU time on.
type Policy struct {
	Frame
	Class Name   `csv:"class"`
	Key   string `csv:"key" stream:"optional"`
	// FromNs is the CPU time already used by an invocation from which this
	// row holds. The lowest row of a class has 0.
	FromNs Nanos `csv:"from_ns"`
	// Rank 1 is served first.
	Rank Count `csv:"rank"`
	// SliceNs is the guaranteed time slice; 0 means none, the fair order
	// decides.
	SliceNs Nanos `csv:"slice_ns"`

	// The columns below explain the row; alps-load does not use them, and a
	// reader takes a stream without them.

	// Samples is how many turns the prediction was made from.
	Samples Whole `csv:"samples" stream:"optional"`
	// PredictedNs is the predictor's slice before any rule.
	PredictedNs Nanos `csv:"predicted_ns" stream:"optional"`
	// StdevNs is the population standard deviation of the slices.
	StdevNs Nanos `csv:"stdev_ns" stream:"optional"`
	// Penalty is the factor p of the overload rule, from 0 to 1.
	Penalty Factor `csv:"penalty" stream:"optional"`
	// WaitNs is the median SRPT wait of the class's invocations.
	WaitNs Nanos `csv:"wait_ns" stream:"optional"`
	// LastNs is the class's slice in the policy before, which inertia mixes
	// in where it is over 1 ms; 0 where there was none.
	LastNs Nanos `csv:"last_ns" stream:"optional"`

	// DemandNs is the CPU time that an invocation of the class needs in all,
	// as far as is known, or of a class with several rows what is to be spent
	// for one to be done that has used FromNs; 0 if nothing is known. alps-load
	// makes of it how long the class may be passed by.
	DemandNs Nanos `csv:"demand_ns" stream:"optional"`

	// Kind is that of the key's invocations.
	Kind Kind `csv:"kind" stream:"optional"`
}
