package demo

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"alps/internal/stream"
)

func offlineOptions(t *testing.T) Options {
	t.Helper()
	return Options{
		Bin: buildTools(t), Out: filepath.Join(t.TempDir(), "out"), History: 4, Offline: true,
		Windows: filepath.Join(root, "testdata/windows/invocations.csv"),
	}
}

func TestOffline(t *testing.T) {
	o := offlineOptions(t)
	var log, text strings.Builder
	result, err := o.Run(t.Context(), &log)
	if err != nil {
		t.Fatal(err)
	}
	if err := result.Write(&text); err != nil {
		t.Fatal(err)
	}
	r := result.(*Recording)
	if all := r.All(); r.Windows != 3 || r.CPUs != 1 || all.N != 600 || len(r.Rows) != 13 || !(all.Ratio() > 0.3 && all.Ratio() < 0.6) {
		t.Errorf("%d windows, %d CPUs, %d rows, all: %+v", r.Windows, r.CPUs, len(r.Rows), all)
	}
	if strings.Contains(log.String(), "no virtual machine") {
		t.Errorf("asked to go offline, it complains:\n%s", log.String())
	}
	narrow(t, text.String())

	// The streams are those of the pipe.
	windows := func(name string) (ids []stream.Integer) {
		f, err := os.Open(o.path(name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		switch {
		case strings.HasSuffix(name, "turns.csv"):
			return windowIDs(t, stream.NewReader[stream.Turn](f, name))
		case strings.HasSuffix(name, "invocations.csv"):
			return windowIDs(t, stream.NewReader[stream.Invocation](f, name))
		}
		return windowIDs(t, stream.NewReader[stream.Policy](f, name))
	}
	want := windows("kernel-invocations.csv")
	for _, name := range []string{"kernel-turns.csv", "kernel-policy.csv", "kernel-dry-run.csv"} {
		if got := windows(name); len(got) != 3 || got[0] != want[0] || got[2] != want[2] {
			t.Errorf("%s has the windows %v, want %v", name, got, want)
		}
	}
	if err := result.Plot(o.path("turnaround.svg")); err != nil {
		t.Error(err)
	}
}

func windowIDs[T stream.Row](t *testing.T, in *stream.Reader[T]) (ids []stream.Integer) {
	t.Helper()
	for {
		w, err := in.Next()
		if err != nil {
			if !strings.HasSuffix(err.Error(), "EOF") {
				t.Fatal(err)
			}
			return ids
		}
		ids = append(ids, w.ID)
	}
}

func TestOfflineRefusesBadWindows(t *testing.T) {
	o := offlineOptions(t)
	o.Windows = filepath.Join(t.TempDir(), "bad.csv")
	if err := os.WriteFile(o.Windows, []byte("window,class\n1,a\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := o.Run(t.Context(), t.Output())
	if err == nil || !strings.Contains(err.Error(), "alps-sim: ") {
		t.Errorf("error %v, want one of alps-sim", err)
	}
	o.Windows = "no-such-file.csv"
	if _, err := o.Run(t.Context(), t.Output()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v, want one about the missing file", err)
	}
}

// Two windows: a ends in the first, b is seen in both and ends in the second, c
// never ends.
const twoWindows = `window,class,invocation,arrival_ns,cpu_ns,end_ns,wait_ns,block_ns,cpus,util_pct,begin_ns
1,x,a,10,5,20,5,0,1,90,0
1,y,b,5,7,,3,0,1,90,0
2,y,b,5,30,100,65,0,1,90,50
2,x,c,60,10,,0,0,1,90,50
`

func TestEndedOnceAsLastSeen(t *testing.T) {
	rows, windows, err := ended(stream.NewReader[stream.Invocation](strings.NewReader(twoWindows), "test"))
	if err != nil {
		t.Fatal(err)
	}
	if windows != 2 || len(rows) != 2 {
		t.Fatalf("%d windows and %d rows, want 2 and 2", windows, len(rows))
	}
	// By arrival, so b comes first.
	b, a := rows[0], rows[1]
	if b.Invocation != "b" || b.CPUNs != 30 || b.EndNs.Nanos != 100 || b.BeginNs.Valid {
		t.Errorf("b is %+v", b)
	}
	if a.Invocation != "a" || a.EndNs.Nanos != 20 {
		t.Errorf("a is %+v", a)
	}
	r, err := newRecording(rows, map[string]int64{"a": 5, "b": 35})
	if err != nil {
		t.Fatal(err)
	}
	// Measured: a 10 and b 95.
	want := []RecordingRow{
		{Class: "x", N: 1, CPUNs: 5, MeasuredNs: 10, SRPTNs: 5},
		{Class: "y", N: 1, CPUNs: 30, MeasuredNs: 95, SRPTNs: 35},
		{Class: "all", N: 2, CPUNs: 17.5, MeasuredNs: 52.5, SRPTNs: 20},
	}
	for i, row := range r.Rows {
		if row != want[i] {
			t.Errorf("row %d is %+v, want %+v", i, row, want[i])
		}
	}
	if got := r.All().Ratio(); got != 20/52.5 {
		t.Errorf("ratio %v", got)
	}
	if _, err := newRecording(rows, map[string]int64{"a": 5}); err == nil {
		t.Error("no error for an invocation that SRPT never ran")
	}
}

func TestEndedNone(t *testing.T) {
	running := strings.Join(strings.Split(twoWindows, "\n")[:1], "\n") + "\n1,y,b,5,7,,3,0,1,90,0\n"
	if _, _, err := ended(stream.NewReader[stream.Invocation](strings.NewReader(running), "test")); err == nil {
		t.Error("no error where nothing ended")
	}
}
