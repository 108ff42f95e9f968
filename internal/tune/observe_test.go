package tune

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"alps/internal/stream"
)

// turnsText is windows of more rows than are read at once, as a stream.
func turnsText(t *testing.T, windows, turns int) (text string, whole []*stream.Window[stream.Turn]) {
	t.Helper()
	var out bytes.Buffer
	w := stream.NewWriter[stream.Turn](&out)
	rng := rand.New(rand.NewPCG(1, 2))
	for id := range windows {
		var rows []turn
		for range turns {
			class, invocation := rng.IntN(20), rng.IntN(turns)
			rows = append(rows, turn{fmt.Sprint("c", class), fmt.Sprint(class, "-", invocation), float64(rng.IntN(100)), float64(invocation % 7)})
		}
		window := windowOf(stream.Integer(id), 60, rows...)
		whole = append(whole, window)
		if err := w.Write(window.ID, window.Rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String(), whole
}

// TestRunInParts: windows that are read in parts give the policies of whole ones.
func TestRunInParts(t *testing.T) {
	text, whole := turnsText(t, 3, 3000)
	options := func(o *Options) { o.History, o.RankBy, o.Unknown = 2, RankByGittins, true }
	var got, want bytes.Buffer
	if err := Run(stream.NewReader[stream.Turn](strings.NewReader(text), "stdin"), stream.NewWriter[stream.Policy](&got), newTuner(options)); err != nil {
		t.Fatal(err)
	}
	out, tuner := stream.NewWriter[stream.Policy](&want), newTuner(options)
	for _, w := range whole {
		if err := out.Write(w.ID, mustPolicy(t, tuner, w)); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(want.String(), got.String()); diff != "" {
		t.Errorf("policies (-whole +in parts):\n%s", diff)
	}
}

// TestRefusesAcrossParts: what a row contradicts may have been in another part.
func TestRefusesAcrossParts(t *testing.T) {
	text, _ := turnsText(t, 1, 3000)
	lines := strings.SplitAfter(text, "\n")
	first := strings.Split(lines[1], ",") // window,rows,class,key,invocation,…
	cells := strings.Split(lines[2900], ",")
	for column, cell := range map[int]string{2: "other", 4: first[4], 3: first[3]} {
		changed := append([]string(nil), cells...)
		changed[column] = cell
		if column == 2 { // the key tells that the class is another's
			changed[3] = first[3]
		}
		in := strings.Join(lines[:2900], "") + strings.Join(changed, ",") + strings.Join(lines[2901:], "")
		err := Run(stream.NewReader[stream.Turn](strings.NewReader(in), "stdin"), stream.NewWriter[stream.Policy](new(bytes.Buffer)), newTuner(nil))
		if err == nil || !strings.HasPrefix(err.Error(), "stdin:2901: ") || !strings.HasSuffix(strings.Split(err.Error(), ";")[0], "on line 2 of this window") {
			t.Errorf("with %q: error is %v", cell, err)
		}
	}
}

// TestAddInStages: a whole window tells what its rows tell few by few, and of several
// faults the first.
func TestAddInStages(t *testing.T) {
	const turns, few = 10, 1000
	const classes = 3*stageRows/turns + 2
	const rows = classes * turns
	whole := benchWindow(1, classes, turns)
	faults := map[string]func(row, first *stream.Turn){
		"cpus":     func(row, _ *stream.Turn) { row.CPUs++ },
		"util_pct": func(row, _ *stream.Turn) { row.UtilPct++ },
		"key":      func(row, first *stream.Turn) { row.Class, row.Key = "other", first.Key },
		"class":    func(row, first *stream.Turn) { row.Class, row.Key, row.Invocation = "other", "", first.Invocation },
		"wait_ns": func(row, first *stream.Turn) {
			row.Class, row.Key, row.Invocation, row.WaitNs = first.Class, first.Key, first.Invocation, first.WaitNs+1
		},
		"none": func(_, _ *stream.Turn) {},
	}
	for name, fault := range faults {
		for other, otherFault := range faults {
			for _, at := range [][2]int{{1, 2}, {stageRows - 1, stageRows}, {stageRows + 1, 3 * stageRows}, {rows - 2, rows - 1}} {
				w := *whole
				w.Rows = slices.Clone(whole.Rows)
				fault(&w.Rows[at[0]], &w.Rows[0])
				otherFault(&w.Rows[at[1]], &w.Rows[0])
				var got, want observer
				gotErr := got.add(w.Rows, w.Lines, w.Errorf)
				var wantErr error
				for from := 0; from < rows && wantErr == nil; from += few {
					to := min(from+few, rows)
					wantErr = want.add(w.Rows[from:to], w.Lines[from:to], func(i int, column, format string, args ...any) *stream.Error {
						return w.Errorf(from+i, column, format, args...)
					})
				}
				if fmt.Sprint(gotErr) != fmt.Sprint(wantErr) || (gotErr == nil) != (name == "none" && other == "none") {
					t.Errorf("%s in row %d, %s in row %d: error is %v, want %v", name, at[0], other, at[1], gotErr, wantErr)
				}
				if gotErr != nil {
					continue
				}
				if !reflect.DeepEqual(got.window(), want.window()) {
					t.Error("in stages it observes something else")
				}
			}
		}
	}
}

func TestTexts(t *testing.T) {
	var clones texts
	var got, want []string
	for i := range 300 {
		text := strings.Repeat(fmt.Sprint(i), i*i%2000)
		want = append(want, text)
		got = append(got, clones.clone(text))
	}
	long := strings.Repeat("x", 3*textsBytes)
	if got, want := append(got, clones.clone(long)), append(want, long); !cmp.Equal(got, want) {
		t.Errorf("clones (-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestParallel(t *testing.T) {
	for _, n := range []int{0, 1, parallelBlock, 10*parallelBlock + 1} {
		calls := make([]atomic.Int32, n)
		parallel(n, func(i int) { calls[i].Add(1) })
		for i := range calls {
			if calls[i].Load() != 1 {
				t.Errorf("of %d, %d was called %d times", n, i, calls[i].Load())
			}
		}
	}
}

// TestSupersede: an invocation that was not on a CPU in the window between counts
// once all the same, and stays out when the newest window goes.
func TestSupersede(t *testing.T) {
	tuner := newTuner(func(o *Options) { o.History, o.RankBy = 3, RankByDemand })
	b := func(id string) turn { return turn{"a", id, 20, 0} }
	for i, step := range []struct {
		turns    []turn
		demandNs stream.Nanos
	}{
		{[]turn{{"a", "long", 90, 0}, b("b1")}, 55 * ms},
		{[]turn{b("b2")}, 43_333_333},                     // 90 20 20
		{[]turn{{"a", "long", 140, 0}, b("b3")}, 50 * ms}, // 20 20 140 20
		{[]turn{b("b4")}, 50 * ms},                        // 20 140 20 20
	} {
		rows := mustPolicy(t, tuner, windowOf(stream.Integer(i), 10, step.turns...))
		if rows[0].DemandNs != step.demandNs {
			t.Errorf("window %d: demand is %d, want %d", i, rows[0].DemandNs, step.demandNs)
		}
	}
}
