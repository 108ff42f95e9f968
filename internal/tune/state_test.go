package tune

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"alps/internal/stream"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// memory is a Keeper.
type memory struct {
	prepared, kept []byte
	fail           error
}

func (m *memory) Prepare(write func(io.Writer) error) error {
	var b bytes.Buffer
	if err := write(&b); err != nil {
		return err
	}
	m.prepared = b.Bytes()
	return m.fail
}

func (m *memory) Commit() error {
	m.kept = m.prepared
	return nil
}

// drawWindows draws a stream of turns that contradict nothing: keys and
// invocations go from class to class, but not within a window.
func drawWindows(t *rapid.T) [][]stream.Turn {
	classes := []stream.Name{"a", "b", "c, \"d\"", "é\n"}
	keys := []string{"cgroup:/fn/a", "cgroup:/fn/b", "comm:x,y", ""}
	windows := make([][]stream.Turn, rapid.IntRange(1, 8).Draw(t, "windows"))
	for i := range windows {
		keyClass := make(map[string]stream.Name)
		classOf := make(map[stream.Name]stream.Name)
		waits := make(map[stream.Name]stream.Nanos)
		util := stream.Percent(rapid.IntRange(0, 100).Draw(t, "util"))
		for range rapid.IntRange(1, 12).Draw(t, "turns") {
			id := stream.Name(fmt.Sprint("i", rapid.IntRange(0, 9).Draw(t, "invocation")))
			if classOf[id] == "" {
				classOf[id] = rapid.SampledFrom(classes).Draw(t, "class")
				waits[id] = stream.Nanos(rapid.Int64Range(0, 100*ms).Draw(t, "wait"))
			}
			key := rapid.SampledFrom(keys).Draw(t, "key")
			if owner, taken := keyClass[key]; taken && owner != classOf[id] {
				key = ""
			}
			keyClass[key] = classOf[id]
			windows[i] = append(windows[i], stream.Turn{
				Class: classOf[id], Key: key, Invocation: id, Turn: 1,
				SliceNs: stream.Nanos(rapid.Int64Range(0, 50*ms).Draw(t, "slice")),
				WaitNs:  waits[id], CPUs: 2, UtilPct: util,
				Kind: rapid.SampledFrom([]stream.Kind{"", stream.Process, stream.Request}).Draw(t, "kind"),
			})
		}
	}
	return windows
}

// streamText is the stream of some windows, of which the first has that number.
func streamText(t rapid.TB, first int, windows [][]stream.Turn) string {
	t.Helper()
	var out strings.Builder
	w := stream.NewWriter[stream.Turn](&out)
	for i, rows := range windows {
		if err := w.Write(stream.Integer(first+i), rows); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// runTuner is Run from text to text, under the name in.csv.
func runTuner(tuner *Tuner, turns string) (string, error) {
	var out strings.Builder
	err := Run(stream.NewReader[stream.Turn](strings.NewReader(turns), "in.csv"), stream.NewWriter[stream.Policy](&out), tuner)
	return out.String(), err
}

func restore(tuner *Tuner, state string) error {
	return tuner.Restore(stream.NewReader[stream.State](strings.NewReader(state), "s.csv"), "s.csv")
}

// TestStateIsAllThatIsRemembered: runs that go on from each other's state, split
// anywhere, write what one run over all windows writes.
func TestStateIsAllThatIsRemembered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		predictor, err := PredictorNamed(rapid.SampledFrom(predictorNames).Draw(t, "predictor"), 0.75, 1)
		if err != nil {
			t.Fatal(err)
		}
		options := Options{
			Predictor: predictor, Params: DefaultParams,
			History:  rapid.IntRange(1, 5).Draw(t, "history"),
			Monotone: rapid.Bool().Draw(t, "monotone"),
			RankBy:   rapid.SampledFrom([]RankBy{RankByGittins, RankByDemand, RankByWait, RankBySlice}).Draw(t, "rank by"),
			Unknown:  rapid.Bool().Draw(t, "unknown"),
		}
		windows := drawWindows(t)
		want, err := runTuner(New(options), streamText(t, 0, windows))
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		var state memory
		for from := 0; from < len(windows); {
			to := rapid.IntRange(from+1, len(windows)).Draw(t, "split")
			tuner := New(options)
			if from > 0 {
				if err := restore(tuner, string(state.kept)); err != nil {
					t.Fatalf("%v of the state\n%s", err, state.kept)
				}
			}
			tuner.Keep(&state)
			out, err := runTuner(tuner, streamText(t, from, windows[from:to]))
			if err != nil {
				t.Fatal(err)
			}
			if from > 0 {
				_, out, _ = strings.Cut(out, "\n")
			}
			got.WriteString(out)
			from = to
		}
		if diff := cmp.Diff(want, got.String()); diff != "" {
			t.Fatalf("policies (-one run +with state):\n%s", diff)
		}
	})
}

// TestStateAfterDrift: a state from which a drifted class was dropped goes on as one
// run does; its keys stay, of which the dropped windows alone told.
func TestStateAfterDrift(t *testing.T) {
	window := func(ns stream.Nanos, key string) (rows []stream.Turn) {
		for i := range 20 {
			rows = append(rows,
				stream.Turn{Class: "a", Key: key, Invocation: stream.Name(fmt.Sprint(key, i)), Turn: 1, SliceNs: ns + stream.Nanos(i), CPUs: 1, UtilPct: 50},
				stream.Turn{Class: "b", Key: "comm:b", Invocation: stream.Name(fmt.Sprint("b", key, i)), Turn: 1, SliceNs: 5*ms + stream.Nanos(i), CPUs: 1, UtilPct: 50})
		}
		return rows
	}
	windows := [][]stream.Turn{window(10*ms, "comm:old"), window(40*ms, "comm:new"), window(40*ms, "comm:newer"), window(41*ms, "comm:newer")}
	var warnings strings.Builder
	options := Options{Predictor: Mean{}, Params: DefaultParams, History: 4, Drift: true, Warn: &warnings}
	want, err := runTuner(New(options), streamText(t, 0, windows))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(warnings.String(), `class "a" has changed`) || !strings.Contains(want, "comm:old") {
		t.Fatalf("nothing has changed: %s", warnings.String())
	}
	for split := 1; split < len(windows); split++ {
		var state memory
		first := New(options)
		first.Keep(&state)
		got, err := runTuner(first, streamText(t, 0, windows[:split]))
		if err != nil {
			t.Fatal(err)
		}
		second := New(options)
		if err := restore(second, string(state.kept)); err != nil {
			t.Fatalf("%v of the state\n%s", err, state.kept)
		}
		more, err := runTuner(second, streamText(t, split, windows[split:]))
		if err != nil {
			t.Fatal(err)
		}
		_, more, _ = strings.Cut(more, "\n")
		if diff := cmp.Diff(want, got+more); diff != "" {
			t.Errorf("split at %d (-one run +with state):\n%s", split, diff)
		}
	}
}

const stateHeader = "window,rows,what,class,key,invocation,slice_ns,wait_ns\n"

// goodState is that of a history of three windows.
const goodState = stateHeader +
	"3,1,turn,a,comm:a,i1,2000000,0\n" +
	"5,3,turn,a,comm:a,i2,4000000,7\n" +
	"5,3,policy,a,,,9000000,\n" +
	"5,3,policy,*,,,8000000,\n"

// TestRestore reads a state as people may have edited it.
func TestRestore(t *testing.T) {
	in := streamText(t, 6, [][]stream.Turn{{{Class: "a", Key: "comm:a", Invocation: "i3", Turn: 1, SliceNs: 9 * ms, CPUs: 1}}})
	for _, test := range []struct {
		name, state string
		history     int
		want        string // samples and last_ns
	}{
		{"as written", goodState, 3, "3 9000000"},
		{"a longer history takes what is there", goodState, 9, "3 9000000"},
		{"a shorter one the newest of it", goodState, 2, "2 9000000"},
		{"or none", goodState, 1, "1 9000000"},
		{"another order of rows and no column rows",
			"what,window,class,key,invocation,slice_ns,wait_ns\npolicy,5,a,,,7000000,\nturn,5,a,comm:a,i2,4000000,7\n", 3, "2 7000000"},
		{"of a history of one window", stateHeader + "5,1,policy,a,,,9000000,\n", 3, "1 9000000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tuner := newTuner(func(o *Options) { o.History = test.history })
			if err := restore(tuner, test.state); err != nil {
				t.Fatal(err)
			}
			w, err := stream.NewReader[stream.Turn](strings.NewReader(in), "in.csv").Next()
			if err != nil {
				t.Fatal(err)
			}
			rows := mustPolicy(t, tuner, w)
			if got := fmt.Sprint(rows[0].Samples, " ", int64(rows[0].LastNs)); got != test.want {
				t.Errorf("samples and last_ns are %s, want %s", got, test.want)
			}
		})
	}
}

// TestStateHasNoMore: what the next window pushes out is not in the state. All
// slices are 4 ms, and so are the policies'.
func TestStateHasNoMore(t *testing.T) {
	var windows [][]stream.Turn
	for range 3 {
		windows = append(windows, []stream.Turn{{Class: "a", Key: "comm:a", Invocation: "i", Turn: 1, SliceNs: 4 * ms, WaitNs: 5, CPUs: 1}})
	}
	const turn, policy = "turn,a,comm:a,i,4000000,5,\n", "policy,a,,,4000000,,\n"
	for history, want := range map[int]string{
		1: "3,1," + policy,
		2: "3,2," + turn + "3,2," + policy,
		3: "2,1," + turn + "3,2," + turn + "3,2," + policy,
		9: "1,1," + turn + "2,1," + turn + "3,2," + turn + "3,2," + policy,
	} {
		var state memory
		tuner := newTuner(func(o *Options) { o.History = history })
		tuner.Keep(&state)
		if _, err := runTuner(tuner, streamText(t, 1, windows)); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.TrimSpace(stateHeader)+",kind\n"+want, string(state.kept)); diff != "" {
			t.Errorf("state of a history of %d (-want +got):\n%s", history, diff)
		}
	}
}

func TestRestoreRefuses(t *testing.T) {
	edit := func(old, new string) string {
		if !strings.Contains(goodState, old) {
			panic(old)
		}
		return strings.Replace(goodState, old, new, 1)
	}
	for _, test := range []struct{ name, state, want string }{
		{"empty", "", `s.csv:1: the input is empty; a stream begins with a header`},
		{"header missing", edit(stateHeader, ""), `s.csv:1: columns "window", "what", "class", "key", "invocation", "slice_ns", "wait_ns" are missing`},
		{"column missing", edit(",wait_ns", ""), `s.csv:1: column "wait_ns" is missing`},
		{"another file", "window,rows,class,key,from_ns,rank,slice_ns\n", `s.csv:1: columns "what", "invocation", "wait_ns" are missing`},
		{"header alone", stateHeader, `s.csv:1: no window follows, so it may have been cut; remove it to begin anew`},
		{"cut in a line", goodState[:len(goodState)-5], `s.csv:5: the row has 7 cells, the header 8`},
		{"cut in a window", edit("5,3,policy,*,,,8000000,\n", ""), `s.csv:4: window 5 ends after 2 of 3 rows; if rows were left out on purpose, leave out the column rows too`},
		{"cut between windows", goodState[:strings.Index(goodState, "5,3")], `s.csv:2: what: window 3, the newest, has no policy, so the state may have been cut; remove it to begin anew`},
		{"not a number", edit("4000000", "4e6"), `s.csv:3: slice_ns: "4e6" is not a whole number`},
		{"negative", edit("9000000", "-9"), `s.csv:4: slice_ns: "-9" is negative`},
		{"unknown what", edit("5,3,turn", "5,3,trun"), `s.csv:3: what: "trun" is neither "turn", "key" nor "policy"`},
		{"class * as a turn", edit("turn,a", "turn,*"), `s.csv:2: class: "*" is what the policy calls functions that it does not know; rename the class`},
		{"windows fall", edit("3,1,", "7,1,"), `s.csv:3: window: "5" comes after window 7; window numbers must grow, and the rows of a window stand together`},
		{"the same window twice", edit("3,1,", "5,1,"), `s.csv:3: window: window 5 goes on after row 1 of 1`},
		{"policy in an older window", edit("3,1,turn,a,comm:a,i1,2000000,0", "3,1,policy,a,,,2000000,"), `s.csv:2: what: window 3 has a policy and is not the newest; only the last policy counts`},
		{"a class twice in the policy", edit("policy,*", "policy,a"), `s.csv:5: class: "a" stands in the policy on line 4 already`},
		{"a policy with a key", edit("policy,a,", "policy,a,comm:a"), `s.csv:4: key: the cell is not empty; a row "policy" has only class and slice_ns`},
		{"a policy with an invocation", edit("policy,a,,", "policy,a,,i"), `s.csv:4: invocation: the cell is not empty; a row "policy" has only class and slice_ns`},
		{"a policy with a wait", edit("9000000,", "9000000,0"), `s.csv:4: wait_ns: the cell is not empty; a row "policy" has only class and slice_ns`},
		{"a turn without an invocation", edit("i2", ""), `s.csv:3: invocation: the cell is empty; a turn is one of some invocation`},
		{"a turn without a wait", edit("4000000,7", "4000000,"), `s.csv:3: wait_ns: the cell is empty; a turn has the wait of its invocation`},
		{"rows that contradict each other", edit("5,3,policy,*,,,8000000,", "5,3,turn,a,comm:a,i2,1,8"), `s.csv:5: wait_ns: 8 differs from the 7 of invocation "i2" on line 3 of this window`},
		{"a key of two classes", edit("5,3,policy,*,,,8000000,", "5,3,turn,b,comm:a,i3,1,8"), `s.csv:5: key: "comm:a" is the key of class "a" on line 3 of this window; one key cannot tell two classes apart`},
		{"not CSV", "\x7fELF\x02\x01\x01\x00\x00", `s.csv:1: columns "window", "what", "class", "key", "invocation", "slice_ns", "wait_ns" are missing`},
	} {
		t.Run(test.name, func(t *testing.T) {
			tuner := newTuner(nil)
			err := restore(tuner, test.state)
			if err == nil || err.Error() != test.want {
				t.Errorf("error is %v, want %s", err, test.want)
			}
			if len(tuner.history) > 0 || tuner.lastNs != nil || tuner.keeping.from != "" {
				t.Errorf("the tuner has taken something: %+v", tuner)
			}
		})
	}
}

// TestWindowNotAfterTheState: of a window that the state knows, or an older one,
// there is no policy and no state; the one after it is taken.
func TestWindowNotAfterTheState(t *testing.T) {
	rows := []stream.Turn{{Class: "a", Key: "comm:a", Invocation: "i3", Turn: 1, SliceNs: 9 * ms, CPUs: 1}}
	for id := 4; id <= 6; id++ {
		state := memory{kept: []byte(goodState)}
		tuner := newTuner(func(o *Options) { o.History = 3 })
		if err := restore(tuner, goodState); err != nil {
			t.Fatal(err)
		}
		tuner.Keep(&state)
		out, err := runTuner(tuner, streamText(t, id, [][]stream.Turn{rows}))
		if id == 6 {
			if err != nil || out == "" || string(state.kept) == goodState {
				t.Errorf("window %d: error %v, policy %q, state %q", id, err, out, state.kept)
			}
			continue
		}
		want := fmt.Sprintf(`in.csv:2: window: "%d" does not come after window 5, the newest in s.csv; `+
			`leave out the windows that it knows, or, if the clock was set back, remove that file to begin anew`, id)
		if err == nil || err.Error() != want {
			t.Errorf("window %d: error %v, want %s", id, err, want)
		}
		if out != "" || string(state.kept) != goodState {
			t.Errorf("window %d: policy %q, state %q", id, out, state.kept)
		}
	}
}

// brokenWriter fails after so many writes.
type brokenWriter struct{ left int }

var errBroken = errors.New("broken")

func (w *brokenWriter) Write(p []byte) (int, error) {
	if w.left == 0 {
		return 0, errBroken
	}
	w.left--
	return len(p), nil
}

// TestStateFollowsThePolicy: one that could not be written leaves the state as it
// was, and a state that could not be prepared leaves the policy unwritten.
func TestStateFollowsThePolicy(t *testing.T) {
	in := streamText(t, 6, [][]stream.Turn{
		{{Class: "a", Key: "comm:a", Invocation: "i3", Turn: 1, SliceNs: 9 * ms, CPUs: 1}},
		{{Class: "a", Key: "comm:a", Invocation: "i4", Turn: 1, SliceNs: 9 * ms, CPUs: 1}},
	})
	run := func(state *memory, out io.Writer) error {
		tuner := newTuner(nil)
		tuner.Keep(state)
		return Run(stream.NewReader[stream.Turn](strings.NewReader(in), "in.csv"), stream.NewWriter[stream.Policy](out), tuner)
	}
	for writes, newest := range []string{"", "", "6", "7"} { // the header is the first write
		var state memory
		if err := run(&state, &brokenWriter{writes}); (err != nil) != (newest != "7") {
			t.Errorf("%d writes: error %v", writes, err)
		}
		if newest == "" && state.kept != nil || !strings.HasPrefix(string(state.kept[min(len(state.kept), len(stateHeader)+len(",kind")):]), newest) {
			t.Errorf("%d writes: the state is %q, want window %q", writes, state.kept, newest)
		}
	}
	var out strings.Builder
	state := memory{fail: errBroken}
	if err := run(&state, &out); !errors.Is(err, errBroken) || out.String() != "" || state.kept != nil {
		t.Errorf("error %v, policy %q, state %q", err, &out, state.kept)
	}
}
