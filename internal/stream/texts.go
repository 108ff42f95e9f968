package stream

import (
	"fmt"
	"strconv"
	"unsafe"
)

// The structs below are the rows as gocsv writes them: each column a string.
// For a cell type of its own gocsv looks up a MarshalCSV and has it make a
// string, for each cell anew, which takes three times as long. Columns, their
// order and the names of the fields are those of the row types, which is
// tested. The frame is none of them: its cells are the same on all rows of a
// window, and are made once. So are those of the columns tagged as common for
// rows in which they are.

type invocationText struct {
	Class      string `csv:"class"`
	Key        string `csv:"key" stream:"common"`
	Invocation string `csv:"invocation"`
	ArrivalNs  string `csv:"arrival_ns"`
	CPUNs      string `csv:"cpu_ns"`
	EndNs      string `csv:"end_ns"`
	WaitNs     string `csv:"wait_ns"`
	BlockNs    string `csv:"block_ns"`
	CPUs       string `csv:"cpus" stream:"common"`
	UtilPct    string `csv:"util_pct" stream:"common"`
	BeginNs    string `csv:"begin_ns" stream:"common"`
	Sleeps     string `csv:"sleeps"`
	Switches   string `csv:"switches"`
	Lost       string `csv:"lost" stream:"common"`
	Kind       string `csv:"kind" stream:"common"`
}

func (t *texts) invocation(r *Invocation, to *invocationText) {
	*to = invocationText{
		Class:      string(r.Class),
		Key:        r.Key,
		Invocation: string(r.Invocation),
		ArrivalNs:  t.whole(int64(r.ArrivalNs)),
		CPUNs:      t.whole(int64(r.CPUNs)),
		EndNs:      t.optNanos(r.EndNs),
		WaitNs:     t.whole(int64(r.WaitNs)),
		BlockNs:    t.whole(int64(r.BlockNs)),
		CPUs:       t.whole(int64(r.CPUs)),
		UtilPct:    t.decimal(float64(r.UtilPct)),
		BeginNs:    t.optNanos(r.BeginNs),
		Sleeps:     t.whole(int64(r.Sleeps)),
		Switches:   t.whole(int64(r.Switches)),
		Lost:       t.whole(int64(r.Lost)),
		Kind:       string(r.Kind),
	}
}

type turnText struct {
	Class      string `csv:"class"`
	Key        string `csv:"key" stream:"common"`
	Invocation string `csv:"invocation"`
	Turn       string `csv:"turn"`
	SliceNs    string `csv:"slice_ns"`
	WaitNs     string `csv:"wait_ns"`
	CPUs       string `csv:"cpus" stream:"common"`
	UtilPct    string `csv:"util_pct" stream:"common"`
	StartNs    string `csv:"start_ns"`
	Kind       string `csv:"kind" stream:"common"`
}

func (t *texts) turn(r *Turn, to *turnText) {
	*to = turnText{
		Class:      string(r.Class),
		Key:        r.Key,
		Invocation: string(r.Invocation),
		Turn:       t.whole(int64(r.Turn)),
		SliceNs:    t.whole(int64(r.SliceNs)),
		WaitNs:     t.whole(int64(r.WaitNs)),
		CPUs:       t.whole(int64(r.CPUs)),
		UtilPct:    t.decimal(float64(r.UtilPct)),
		StartNs:    t.optNanos(r.StartNs),
		Kind:       string(r.Kind),
	}
}

type policyText struct {
	Class       string `csv:"class"`
	Key         string `csv:"key"`
	FromNs      string `csv:"from_ns"`
	Rank        string `csv:"rank"`
	SliceNs     string `csv:"slice_ns"`
	Samples     string `csv:"samples"`
	PredictedNs string `csv:"predicted_ns"`
	StdevNs     string `csv:"stdev_ns"`
	Penalty     string `csv:"penalty"`
	WaitNs      string `csv:"wait_ns"`
	LastNs      string `csv:"last_ns"`
	DemandNs    string `csv:"demand_ns"`
	Kind        string `csv:"kind"`
}

func (t *texts) policy(r *Policy, to *policyText) {
	*to = policyText{
		Class:       string(r.Class),
		Key:         r.Key,
		FromNs:      t.whole(int64(r.FromNs)),
		Rank:        t.whole(int64(r.Rank)),
		SliceNs:     t.whole(int64(r.SliceNs)),
		Samples:     t.whole(int64(r.Samples)),
		PredictedNs: t.whole(int64(r.PredictedNs)),
		StdevNs:     t.whole(int64(r.StdevNs)),
		Penalty:     t.decimal(float64(r.Penalty)),
		WaitNs:      t.whole(int64(r.WaitNs)),
		LastNs:      t.whole(int64(r.LastNs)),
		DemandNs:    t.whole(int64(r.DemandNs)),
		Kind:        string(r.Kind),
	}
}

type stateText struct {
	What       string `csv:"what"`
	Class      string `csv:"class"`
	Key        string `csv:"key"`
	Invocation string `csv:"invocation"`
	SliceNs    string `csv:"slice_ns"`
	WaitNs     string `csv:"wait_ns"`
	Kind       string `csv:"kind"`
}

func (t *texts) state(r *State, to *stateText) {
	*to = stateText{
		What:       string(r.What),
		Class:      string(r.Class),
		Key:        r.Key,
		Invocation: r.Invocation,
		SliceNs:    t.whole(int64(r.SliceNs)),
		WaitNs:     t.optNanos(r.WaitNs),
		Kind:       string(r.Kind),
	}
}

// marshal has gocsv write rows that have been checked, or of none the header.
func marshal[T Row](rows []T, t *texts, l *lines) error {
	switch rows := any(rows).(type) {
	case []Invocation:
		return marshalTexts(rows, t.invocation, t, l)
	case []Turn:
		return marshalTexts(rows, t.turn, t, l)
	case []Policy:
		return marshalTexts(rows, t.policy, t, l)
	case []State:
		return marshalTexts(rows, t.state, t, l)
	}
	panic(fmt.Sprintf("stream: no texts of %T", rows))
}

// texts makes the texts of cells, for one goroutine.
type texts struct {
	blocks map[uint]any // the arrays of rows that gocsv gets, by the columns without; reused
	// numbers are those of a block, one after another, in memory that is used again for
	// the next block: nobody keeps their texts.
	numbers []byte
	// The decimal made last, which is mostly the same on all rows of a window.
	last     float64
	lastText string
}

// whole is the text of a whole number, until the next block.
func (t *texts) whole(v int64) string {
	if 0 <= v && v < 100 {
		return strconv.FormatInt(v, 10) // which has these ready
	}
	from := len(t.numbers)
	t.numbers = appendWhole(t.numbers, v)
	return unsafe.String(&t.numbers[from], len(t.numbers)-from)
}

// optNanos is empty where there is no value.
func (t *texts) optNanos(v OptNanos) string {
	if !v.Valid {
		return ""
	}
	return t.whole(int64(v.Nanos))
}

// decimal is the text of a number with decimals.
func (t *texts) decimal(v float64) string {
	if v != t.last || t.lastText == "" {
		t.last, t.lastText = v, formatDecimal(v)
	}
	return t.lastText
}
