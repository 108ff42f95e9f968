package stream

import (
	"fmt"
	"reflect"
)

// Row is one of the four kinds of rows.
//
// The texts of a row that was read share one string with those of the rows
// around it, up to 512 lines. Who keeps one of them for longer than the rest
// clones it ([strings.Clone]) or looks up an equal one that is kept already, or
// else keeps the lines.
type Row interface {
	Invocation | Turn | Policy | State
}

// column is what the tags of a row type say of one of its columns.
type column struct {
	name     string
	optional bool // may be absent from the header
}

// columnsOf returns the columns of a row type in the order in which they are
// written.
func columnsOf[T Row]() []column {
	return columnsOfType(reflect.TypeFor[T]())
}

func columnsOfType(row reflect.Type) []column {
	var columns []column
	for i := range row.NumField() {
		field := row.Field(i)
		if field.Anonymous {
			columns = append(columns, columnsOfType(field.Type)...)
			continue
		}
		columns = append(columns, column{
			name:     field.Tag.Get("csv"),
			optional: field.Tag.Get("stream") == "optional",
		})
	}
	return columns
}

// The methods below are the fastest way that gocsv has to fill a row. It calls
// them for each cell, also for those of unknown columns. That their columns are
// those of the tags is tested.

// UnmarshalCSVWithFields sets the column named key from the text of a cell.
// A key that is no column is ignored.
func (r *Invocation) UnmarshalCSVWithFields(key, text string) error {
	switch key {
	case "class":
		return r.Class.UnmarshalCSV(text)
	case "key":
		r.Key = text
		return checkText(text)
	case "invocation":
		return r.Invocation.UnmarshalCSV(text)
	case "arrival_ns":
		return r.ArrivalNs.UnmarshalCSV(text)
	case "cpu_ns":
		return r.CPUNs.UnmarshalCSV(text)
	case "end_ns":
		return r.EndNs.UnmarshalCSV(text)
	case "wait_ns":
		return r.WaitNs.UnmarshalCSV(text)
	case "block_ns":
		return r.BlockNs.UnmarshalCSV(text)
	case "cpus":
		return r.CPUs.UnmarshalCSV(text)
	case "util_pct":
		return r.UtilPct.UnmarshalCSV(text)
	case "begin_ns":
		return r.BeginNs.UnmarshalCSV(text)
	case "sleeps":
		return r.Sleeps.UnmarshalCSV(text)
	case "switches":
		return r.Switches.UnmarshalCSV(text)
	case "lost":
		return r.Lost.UnmarshalCSV(text)
	case "kind":
		return r.Kind.UnmarshalCSV(text)
	}
	return r.Frame.UnmarshalCSVWithFields(key, text)
}

// UnmarshalCSVWithFields sets the column named key from the text of a cell.
// A key that is no column is ignored.
func (r *Turn) UnmarshalCSVWithFields(key, text string) error {
	switch key {
	case "class":
		return r.Class.UnmarshalCSV(text)
	case "key":
		r.Key = text
		return checkText(text)
	case "invocation":
		return r.Invocation.UnmarshalCSV(text)
	case "turn":
		return r.Turn.UnmarshalCSV(text)
	case "slice_ns":
		return r.SliceNs.UnmarshalCSV(text)
	case "wait_ns":
		return r.WaitNs.UnmarshalCSV(text)
	case "cpus":
		return r.CPUs.UnmarshalCSV(text)
	case "util_pct":
		return r.UtilPct.UnmarshalCSV(text)
	case "start_ns":
		return r.StartNs.UnmarshalCSV(text)
	case "kind":
		return r.Kind.UnmarshalCSV(text)
	}
	return r.Frame.UnmarshalCSVWithFields(key, text)
}

// UnmarshalCSVWithFields sets the column named key from the text of a cell.
// A key that is no column is ignored.
func (r *Policy) UnmarshalCSVWithFields(key, text string) error {
	switch key {
	case "class":
		return r.Class.UnmarshalCSV(text)
	case "key":
		r.Key = text
		return checkText(text)
	case "from_ns":
		return r.FromNs.UnmarshalCSV(text)
	case "rank":
		return r.Rank.UnmarshalCSV(text)
	case "slice_ns":
		return r.SliceNs.UnmarshalCSV(text)
	case "samples":
		return r.Samples.UnmarshalCSV(text)
	case "predicted_ns":
		return r.PredictedNs.UnmarshalCSV(text)
	case "stdev_ns":
		return r.StdevNs.UnmarshalCSV(text)
	case "penalty":
		return r.Penalty.UnmarshalCSV(text)
	case "wait_ns":
		return r.WaitNs.UnmarshalCSV(text)
	case "last_ns":
		return r.LastNs.UnmarshalCSV(text)
	case "demand_ns":
		return r.DemandNs.UnmarshalCSV(text)
	case "kind":
		return r.Kind.UnmarshalCSV(text)
	}
	return r.Frame.UnmarshalCSVWithFields(key, text)
}

// UnmarshalCSVWithFields sets a column of the frame. The cells of unknown
// columns end here too; of them only the encoding is checked.
func (f *Frame) UnmarshalCSVWithFields(key, text string) error {
	switch key {
	case "window":
		return f.Window.UnmarshalCSV(text)
	case "rows":
		return f.Rows.UnmarshalCSV(text)
	}
	return checkText(text)
}

// frameHeader is what the header begins with, and framePrefix what the rows of
// a window begin with.
const frameHeader = "window,rows,"

func framePrefix(f Frame) string {
	return fmt.Sprintf("%d,%d,", f.Window, f.Rows)
}

// frame gives generic code the frame of any row.
func (f *Frame) frame() *Frame { return f }

// framed is any *Row.
type framed interface {
	frame() *Frame
	check() (column string, err error)
}

// firstError collects the first error of several cells.
type firstError struct {
	column string
	err    error
}

func (f *firstError) add(column string, err error) {
	if f.err == nil && err != nil {
		f.column, f.err = column, err
	}
}

func (f *firstError) result() (string, error) { return f.column, f.err }

// check tells which column holds a value that its cell cannot have.
func (r *Invocation) check() (string, error) {
	var e firstError
	e.add("class", r.Class.check())
	e.add("key", checkText(r.Key))
	e.add("invocation", r.Invocation.check())
	e.add("arrival_ns", checkRange(int64(r.ArrivalNs), 0))
	e.add("cpu_ns", checkRange(int64(r.CPUNs), 0))
	e.add("end_ns", r.EndNs.check())
	e.add("wait_ns", checkRange(int64(r.WaitNs), 0))
	e.add("block_ns", checkRange(int64(r.BlockNs), 0))
	e.add("cpus", checkRange(int64(r.CPUs), 1))
	e.add("util_pct", checkDecimal(float64(r.UtilPct), 100))
	e.add("begin_ns", r.BeginNs.check())
	e.add("sleeps", checkRange(int64(r.Sleeps), 0))
	e.add("switches", checkRange(int64(r.Switches), 0))
	e.add("lost", checkRange(int64(r.Lost), 0))
	e.add("kind", r.Kind.check())
	return e.result()
}

// check tells which column holds a value that its cell cannot have.
func (r *Turn) check() (string, error) {
	var e firstError
	e.add("class", r.Class.check())
	e.add("key", checkText(r.Key))
	e.add("invocation", r.Invocation.check())
	e.add("turn", checkRange(int64(r.Turn), 1))
	e.add("slice_ns", checkRange(int64(r.SliceNs), 0))
	e.add("wait_ns", checkRange(int64(r.WaitNs), 0))
	e.add("cpus", checkRange(int64(r.CPUs), 1))
	e.add("util_pct", checkDecimal(float64(r.UtilPct), 100))
	e.add("start_ns", r.StartNs.check())
	e.add("kind", r.Kind.check())
	return e.result()
}

// check tells which column holds a value that its cell cannot have.
func (r *Policy) check() (string, error) {
	var e firstError
	e.add("class", r.Class.check())
	e.add("key", checkText(r.Key))
	e.add("from_ns", checkRange(int64(r.FromNs), 0))
	e.add("rank", checkRange(int64(r.Rank), 1))
	e.add("slice_ns", checkRange(int64(r.SliceNs), 0))
	e.add("samples", checkRange(int64(r.Samples), 0))
	e.add("predicted_ns", checkRange(int64(r.PredictedNs), 0))
	e.add("stdev_ns", checkRange(int64(r.StdevNs), 0))
	e.add("penalty", checkDecimal(float64(r.Penalty), 1))
	e.add("wait_ns", checkRange(int64(r.WaitNs), 0))
	e.add("last_ns", checkRange(int64(r.LastNs), 0))
	e.add("demand_ns", checkRange(int64(r.DemandNs), 0))
	e.add("kind", r.Kind.check())
	return e.result()
}
