package stream

import (
	"fmt"
	"reflect"
	"strconv"
	"unsafe"

	"github.com/gocarina/gocsv"
)

// The structs below are the rows as gocsv writes them: each column a string.
// For a cell type of its own gocsv looks up a MarshalCSV and has it make a
// string, for each cell anew, which takes three times as long. Columns, their
// order and the names of the fields are those of the row types, which is
// tested. The frame is none of them: its cells are the same on all rows of a
// window, and are made once.

type invocationText struct {
	Class      string `csv:"class"`
	Key        string `csv:"key"`
	Invocation string `csv:"invocation"`
	ArrivalNs  string `csv:"arrival_ns"`
	CPUNs      string `csv:"cpu_ns"`
	EndNs      string `csv:"end_ns"`
	WaitNs     string `csv:"wait_ns"`
	BlockNs    string `csv:"block_ns"`
	CPUs       string `csv:"cpus"`
	UtilPct    string `csv:"util_pct"`
	BeginNs    string `csv:"begin_ns"`
	Sleeps     string `csv:"sleeps"`
	Switches   string `csv:"switches"`
	Lost       string `csv:"lost"`
	Kind       string `csv:"kind"`
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
	Key        string `csv:"key"`
	Invocation string `csv:"invocation"`
	Turn       string `csv:"turn"`
	SliceNs    string `csv:"slice_ns"`
	WaitNs     string `csv:"wait_ns"`
	CPUs       string `csv:"cpus"`
	UtilPct    string `csv:"util_pct"`
	StartNs    string `csv:"start_ns"`
	Kind       string `csv:"kind"`
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

// blockRows is how many rows gocsv gets at once, as an array.
const blockRows = 32

// marshalTexts gives gocsv arrays of rows. The cells of a slice, which could be
// set, it copies to the heap before it looks at them; those of an array it need
// not copy.
func marshalTexts[T Row, X any](rows []T, text func(*T, *X), t *texts, l *lines) error {
	if len(rows) == 0 {
		return gocsv.MarshalCSV([]X{}, l)
	}
	if t.block == nil {
		t.block = reflect.New(reflect.TypeFor[[blockRows]X]()).Elem().Interface()
	}
	block := inBlock[[blockRows]X](&t.block)
	for ; len(rows) >= blockRows; rows = rows[blockRows:] {
		t.numbers = t.numbers[:0]
		for i := range block {
			text(&rows[i], &block[i])
		}
		if err := gocsv.MarshalCSVWithoutHeaders(t.block, l); err != nil {
			return err
		}
	}
	t.numbers = t.numbers[:0]
	for i := range rows {
		text(&rows[i], &block[i])
	}
	return gocsv.MarshalCSVWithoutHeaders(block[:len(rows)], l)
}

// inBlock is the array that an interface holds, to be set where it is. In plain Go each
// array for gocsv would be copied to the heap once more. Nobody else has the interface:
// it is of one chunk, and gocsv keeps nothing.
func inBlock[Array any](block *any) *Array {
	return (*Array)((*struct{ kind, value unsafe.Pointer })(unsafe.Pointer(block)).value)
}

// texts makes the texts of cells, for one goroutine.
type texts struct {
	block any // the array of rows that gocsv gets; reused
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
