package stream

// State is a row of the file in which alps-tune keeps what it remembers from
// window to window (alps-tune to its own next run). What is one of three things:
//
//   - turn: a turn of a window of the history, as the turns stream had it;
//   - key: a key of a class in a window whose turns were dropped, as its demands
//     have changed since. Invocation and WaitNs are empty, SliceNs is 0;
//   - policy: the slice of a class in the last policy. Key, Invocation, WaitNs and
//     Kind are empty.
type State struct {
	Frame
	What  Name   `csv:"what"`
	Class Name   `csv:"class"`
	Key   string `csv:"key"`
	// Invocation is that of a turn.
	Invocation string `csv:"invocation"`
	SliceNs    Nanos  `csv:"slice_ns"`
	// WaitNs is that of a turn.
	WaitNs OptNanos `csv:"wait_ns"`
	// Kind is that of a turn, or of the key's turns.
	Kind Kind `csv:"kind" stream:"optional"`
}

// UnmarshalCSVWithFields sets the column named key from the text of a cell.
// A key that is no column is ignored.
func (r *State) UnmarshalCSVWithFields(key, text string) error {
	switch key {
	case "what":
		return r.What.UnmarshalCSV(text)
	case "class":
		return r.Class.UnmarshalCSV(text)
	case "key":
		r.Key = text
		return checkText(text)
	case "invocation":
		r.Invocation = text
		return checkText(text)
	case "slice_ns":
		return r.SliceNs.UnmarshalCSV(text)
	case "wait_ns":
		return r.WaitNs.UnmarshalCSV(text)
	case "kind":
		return r.Kind.UnmarshalCSV(text)
	}
	return r.Frame.UnmarshalCSVWithFields(key, text)
}

// check tells which column holds a value that its cell cannot have.
func (r *State) check() (string, error) {
	var e firstError
	e.add("what", r.What.check())
	e.add("class", r.Class.check())
	e.add("key", checkText(r.Key))
	e.add("invocation", checkText(r.Invocation))
	e.add("slice_ns", checkRange(int64(r.SliceNs), 0))
	e.add("wait_ns", r.WaitNs.check())
	e.add("kind", r.Kind.check())
	return e.result()
}
