package tune

import (
	"fmt"
	"io"

	"alps/internal/stream"
)

// WarnTo makes the Tuner write its warnings, each a line, to w. Without it they are
// dropped.
func (t *Tuner) WarnTo(w io.Writer) { t.warn = w }

// warnOfRenamed tells, in one line, of the keys that had another class in the
// history so far. Whoever changes the rules that classes are found by is to know
// that a class's past is not its new name's.
func (t *Tuner) warnOfRenamed(w *stream.Window[stream.Turn], current *observed) {
	if t.warn == nil {
		return
	}
	owners := make(map[string]string)
	for _, o := range t.history {
		for i, class := range o.classes {
			for _, key := range o.keys[i] {
				owners[key] = class
			}
		}
	}
	var first, was string
	renamed := 0
	for i, class := range current.classes {
		for _, key := range current.keys[i] {
			owner, known := owners[key]
			if key == "" || !known || owner == class {
				continue
			}
			if renamed == 0 {
				first, was = key, owner
			}
			renamed++
		}
	}
	if renamed == 0 {
		return
	}
	row := 0
	for w.Rows[row].Key != first {
		row++
	}
	more := ""
	if renamed > 1 {
		more = fmt.Sprintf("; %d keys in all have another class than before", renamed)
	}
	fmt.Fprintln(t.warn, w.Errorf(row, "key", "%q is of class %q from here on, and was of class %q, whose history does not go with it%s",
		first, w.Rows[row].Class, was, more))
}
