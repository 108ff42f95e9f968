package stream

import (
	"errors"
	"io"
	"math"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wholeInvocationHeader has the optional columns too.
var wholeInvocationHeader = strings.TrimSpace(invocationHeader) + ",begin_ns,sleeps,switches,lost,kind\n"

var (
	goodInvocation = Invocation{Class: "a", Invocation: "i", ArrivalNs: 10, CPUNs: 4, EndNs: OptNanos{20, true}, WaitNs: 5, BlockNs: 1, CPUs: 2, UtilPct: 90.5, BeginNs: OptNanos{9, true}, Sleeps: 3, Switches: 7, Lost: 11, Kind: Request}
	goodTurn       = Turn{Class: "a", Invocation: "i", Turn: 1, SliceNs: 4, WaitNs: 5, CPUs: 2, UtilPct: 90.5, StartNs: OptNanos{15, true}, Kind: Cgroup}
	goodPolicy     = Policy{Class: "a", FromNs: 0, Rank: 1, SliceNs: 6, Samples: 3, PredictedNs: 7, StdevNs: 1, Penalty: 0.5, WaitNs: 2, LastNs: 8, DemandNs: 21, Kind: Process}
	goodState      = State{What: "turn", Class: "a", Invocation: "i", SliceNs: 4, WaitNs: OptNanos{5, true}}
)

func TestWriterWritesTheContract(t *testing.T) {
	quoted := goodInvocation
	quoted.Class, quoted.Key, quoted.EndNs, quoted.UtilPct, quoted.BeginNs = `a "b", c`, "comm:x\ny", OptNanos{}, Percent(math.Copysign(0, -1)), OptNanos{}
	got := write(t, []window[Invocation]{
		{ID: -1, Rows: []Invocation{goodInvocation, quoted}},
		{ID: 1764000000000, Rows: []Invocation{goodInvocation}},
	})
	want := wholeInvocationHeader +
		"-1,2,a,,i,10,4,20,5,1,2,90.5,9,3,7,11,request\n" +
		"-1,2,\"a \"\"b\"\", c\",\"comm:x\ny\",i,10,4,,5,1,2,0,,3,7,11,request\n" +
		"1764000000000,1,a,,i,10,4,20,5,1,2,90.5,9,3,7,11,request\n"
	if got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
	if got, want := write(t, []window[Turn]{{ID: 1, Rows: []Turn{goodTurn}}}), strings.TrimSpace(turnHeader)+",start_ns,kind\n1,1,a,,i,1,4,5,2,90.5,15,cgroup\n"; got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
	if got, want := write(t, []window[Policy]{{ID: 1, Rows: []Policy{goodPolicy}}}), strings.TrimSpace(policyHeader)+",samples,predicted_ns,stdev_ns,penalty,wait_ns,last_ns,demand_ns,kind\n1,1,a,,0,1,6,3,7,1,0.5,2,8,21,process\n"; got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
	if got, want := write(t, []window[State]{{ID: 1, Rows: []State{goodState, {What: "policy", Class: "a", SliceNs: 6}}}}), strings.TrimSpace(stateHeader)+",kind\n1,2,turn,a,,i,4,5,\n1,2,policy,a,,,6,,\n"; got != want {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
}

func TestWriterWritesTheHeaderOfAnEmptyStream(t *testing.T) {
	if got := write[Invocation](t, nil); got != wholeInvocationHeader {
		t.Errorf("wrote %q", got)
	}
	if got := write(t, []window[Invocation]{{ID: 1}, {ID: 2}}); got != wholeInvocationHeader {
		t.Errorf("windows without rows: wrote %q", got)
	}
}

func TestWriterFlushesEachWindow(t *testing.T) {
	var out strings.Builder
	w := NewWriter[Policy](&out)
	for i, lines := range []int{3, 5} {
		if err := w.Write(Integer(i), []Policy{goodPolicy, goodPolicy}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(out.String(), "\n"); got != lines {
			t.Errorf("%d lines are out after window %d, want %d", got, i, lines)
		}
	}
}

func TestWriterSetsTheFrameInPlace(t *testing.T) {
	rows := []Policy{goodPolicy, goodPolicy}
	if err := NewWriter[Policy](io.Discard).Write(7, rows); err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		if row.Frame != (Frame{7, 2}) {
			t.Errorf("frame %v", row.Frame)
		}
	}
}

func TestWriterRefusesWindowsThatDoNotGrow(t *testing.T) {
	for _, second := range []Integer{5, 4, -9} {
		var out strings.Builder
		w := NewWriter[Policy](&out)
		if err := w.Write(5, []Policy{goodPolicy}); err != nil {
			t.Fatal(err)
		}
		before := out.String()
		if err := w.Write(second, []Policy{goodPolicy}); err == nil || !strings.Contains(err.Error(), "after window 5") {
			t.Errorf("window %d: error %v", second, err)
		}
		if out.String() != before {
			t.Errorf("window %d was written", second)
		}
	}
}

func TestWriterRefusesWindowsThatReadersWould(t *testing.T) {
	var out strings.Builder
	w := NewWriter[Policy](&out)
	w.maxRows = 2
	err := w.Write(1, []Policy{goodPolicy, goodPolicy, goodPolicy})
	if err == nil || err.Error() != "window 1 has 3 rows; at most 2 are allowed" || out.String() != "" {
		t.Errorf("error %v, output %q", err, out.String())
	}
	if err := w.Write(1, []Policy{goodPolicy, goodPolicy}); err != nil {
		t.Error(err)
	}
}

func TestWriterRefusesWritesAfterClose(t *testing.T) {
	var out strings.Builder
	w := NewWriter[Policy](&out)
	if err := errors.Join(w.Close(), w.Close()); err != nil {
		t.Fatal(err)
	}
	before := out.String()
	if err := w.Write(1, []Policy{goodPolicy}); err == nil || out.String() != before {
		t.Errorf("error %v, output %q", err, out.String())
	}
}

// Each column refuses the values that a reader would not take back, and the
// error names it.
func TestWriterRefusesWhatAReaderWould(t *testing.T) {
	t.Run("invocations", func(t *testing.T) { testWriterRefuses(t, goodInvocation) })
	t.Run("turns", func(t *testing.T) { testWriterRefuses(t, goodTurn) })
	t.Run("policy", func(t *testing.T) { testWriterRefuses(t, goodPolicy) })
	t.Run("state", func(t *testing.T) { testWriterRefuses(t, goodState) })
}

func testWriterRefuses[T Row](t *testing.T, good T) {
	bad := map[reflect.Type][]any{
		reflect.TypeFor[Name]():     {Name(""), Name("\xff"), Name("a\r\nb")},
		reflect.TypeFor[string]():   {"\xff", "a\r\nb"},
		reflect.TypeFor[Kind]():     {Kind("thread")},
		reflect.TypeFor[Count]():    {Count(0), Count(-1)},
		reflect.TypeFor[Nanos]():    {Nanos(-1)},
		reflect.TypeFor[Whole]():    {Whole(-1)},
		reflect.TypeFor[OptNanos](): {OptNanos{-1, true}},
		reflect.TypeFor[Percent]():  {Percent(-0.1), Percent(100.1), Percent(math.NaN()), Percent(math.Inf(1))},
		reflect.TypeFor[Factor]():   {Factor(-0.1), Factor(1.1), Factor(math.NaN()), Factor(math.Inf(-1))},
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		column := field.Tag.Get("csv")
		if field.Anonymous || column == "window" || column == "rows" {
			continue // the writer sets these
		}
		values := bad[field.Type]
		if len(values) == 0 {
			t.Errorf("%s: no bad values of type %v", column, field.Type)
		}
		for _, value := range values {
			row := good
			reflect.ValueOf(&row).Elem().FieldByIndex(field.Index).Set(reflect.ValueOf(value))
			var out strings.Builder
			err := NewWriter[T](&out).Write(3, []T{good, row})
			if err == nil || !strings.HasPrefix(err.Error(), "window 3, row 2: "+column+": ") {
				t.Errorf("%s = %v: error %v", column, value, err)
			}
			if out.String() != "" {
				t.Errorf("%s = %v: wrote %q", column, value, out.String())
			}
		}
	}
}

func TestWriterReturnsTheErrorOfAClosedPipe(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in.Close()
	w := NewWriter[Policy](out)
	for id := range Integer(3) {
		if err := w.Write(id, []Policy{goodPolicy}); !errors.Is(err, syscall.EPIPE) {
			t.Errorf("error %v, want EPIPE", err)
		}
	}
	if err := w.Close(); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("closing: error %v, want EPIPE", err)
	}
}

// What gocsv writes are the columns and fields of the row types, but for the
// frame.
func TestTextsHaveTheColumnsOfTheRows(t *testing.T) {
	t.Run("invocations", testTexts[Invocation, invocationText])
	t.Run("turns", testTexts[Turn, turnText])
	t.Run("policy", testTexts[Policy, policyText])
	t.Run("state", testTexts[State, stateText])
}

func testTexts[T Row, X any](t *testing.T) {
	var want, got []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]())[1+2:] { // after the Frame and its fields
		want = append(want, field.Name+" "+field.Tag.Get("csv"))
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[X]()) {
		got = append(got, field.Name+" "+field.Tag.Get("csv"))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("fields and columns (-row +text):\n%s", diff)
	}
}
