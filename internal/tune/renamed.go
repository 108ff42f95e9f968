package tune

import (
	"fmt"

	"alps/internal/stream"
)

// warnOfRenamed tells, in one line, of the keys that had another class in the
// history so far. Whoever changes the rules that classes are found by is to know
// that a class's past is not its new name's.
func (t *Tuner) warnOfRenamed(current *observer) {
	if t.options.Warn == nil {
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
	more := ""
	if renamed > 1 {
		more = fmt.Sprintf("; %d keys in all have another class than before", renamed)
	}
	owner := current.keyOwners[first]
	fmt.Fprintln(t.options.Warn, &stream.Error{Name: current.name, Line: owner.line, Column: "key", Msg: fmt.Sprintf(
		"%q is of class %q from here on, and was of class %q, whose history does not go with it%s",
		first, current.classes[owner.class], was, more)})
}
