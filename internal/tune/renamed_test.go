package tune

import (
	"strings"
	"testing"
)

// TestWarnsOfRenamed: one line for the keys that have another class than in the
// history, in the window in which that begins, and no policy is the other for it.
func TestWarnsOfRenamed(t *testing.T) {
	steps := []struct {
		keys string // class:key of each row
		want string
	}{
		{"a:x a:y b:z a:", ""},
		{"a:x b:z b:", ""}, // rows without a key are of any class
		{"b:z n:x", `:3: key: "x" is of class "n" from here on, and was of class "a", whose history does not go with it` + "\n"},
		{"n:x b:z", ""}, // told already
		{"m:y n:z n:x", `:3: key: "z" is of class "n" from here on, and was of class "b", whose history does not go with it` + "\n"}, // y has fallen out
		{"a:z a:x m:y", `:2: key: "z" is of class "a" from here on, and was of class "n", whose history does not go with it; 2 keys in all have another class than before` + "\n"},
	}
	var warnings strings.Builder
	options := func(o *Options) { o.History = 3 }
	tuner, quiet := newTuner(options), newTuner(options)
	tuner.options.Warn = &warnings
	for id, step := range steps {
		var turns []turn
		for _, row := range strings.Fields(step.keys) {
			class, key, _ := strings.Cut(row, ":")
			turns = append(turns, turn{class, class + "/" + key, 5, 0})
		}
		w := windowOf(0, 10, turns...)
		for i, row := range strings.Fields(step.keys) {
			_, w.Rows[i].Key, _ = strings.Cut(row, ":")
		}
		warnings.Reset()
		got, want := slicesMs(mustPolicy(t, tuner, w)), slicesMs(mustPolicy(t, quiet, w))
		if got != want {
			t.Errorf("window %d: %s with warnings, %s without", id, got, want)
		}
		if warnings.String() != step.want {
			t.Errorf("window %d: warned\n%swant\n%s", id, &warnings, step.want)
		}
	}
}
