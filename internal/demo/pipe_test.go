package demo

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alps/internal/stream"
)

func TestPipeSavesEachStage(t *testing.T) {
	dir := t.TempDir()
	save := func(i string) string { return filepath.Join(dir, i) }
	err := pipe(t.Context(), strings.NewReader("b\na\n"),
		stage{[]string{"cat"}, save("1")}, stage{[]string{"sort"}, save("2")}, stage{[]string{"tr", "ab", "xy"}, save("3")})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"1": "b\na\n", "2": "a\nb\n", "3": "x\ny\n"} {
		if got, err := os.ReadFile(save(name)); err != nil || string(got) != want {
			t.Errorf("stage %s wrote %q (%v), want %q", name, got, err, want)
		}
	}
}

// A stage that dies is the error, whichever it is, and nobody waits for it for
// ever, not even who has more to say than a pipe holds.
func TestPipeEndsWithAStage(t *testing.T) {
	dies := []string{"sh", "-c", "echo no way >&2; exit 3"}
	for at, name := range []string{"first", "middle", "last"} {
		stages := []stage{{[]string{"cat"}, os.DevNull}, {[]string{"cat"}, os.DevNull}, {[]string{"cat"}, os.DevNull}}
		stages[at].args = dies
		done := make(chan error, 1)
		go func() { done <- pipe(t.Context(), bytes.NewReader(make([]byte, 4<<20)), stages...) }()
		select {
		case err := <-done:
			if err == nil || err.Error() != "sh: exit status 3: no way" {
				t.Errorf("%s: error %v", name, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: the pipe stands still", name)
		}
	}
}

func TestSRPT(t *testing.T) {
	o := Options{Bin: buildTools(t), Out: t.TempDir()}
	// One CPU: long runs 0 to 2, short comes at 2 and runs to 5, long goes on
	// to 13, and late, which came at 4, runs from there to 33.
	var rows []stream.Invocation
	for _, r := range []struct {
		id           string
		arrival, cpu stream.Nanos
	}{{"long", 0, 10}, {"short", 2, 3}, {"late", 4, 20}} {
		rows = append(rows, stream.Invocation{
			Class: stream.Name(r.id), Invocation: stream.Name(r.id), ArrivalNs: r.arrival, CPUNs: r.cpu,
			EndNs: stream.OptNanos{Nanos: 100, Valid: true}, CPUs: 1, UtilPct: 90,
		})
	}
	got, err := o.srpt(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got["long"] != 13 || got["short"] != 3 || got["late"] != 29 {
		t.Errorf("turnarounds %v, want long 13, short 3, late 29", got)
	}
}

// Each window is simulated by itself, so its turns say how long its invocations
// took in it.
func TestTurnarounds(t *testing.T) {
	const text = `window,class,invocation,turn,slice_ns,wait_ns,cpus,util_pct,start_ns
1,x,a,1,6,4,1,90,14
1,x,a,2,5,4,1,90,30
1,y,b,1,9,0,1,90,20
2,x,a,1,11,2,1,90,102
`
	in := stream.NewReader[stream.Turn](strings.NewReader(text), "test")
	for _, want := range []map[string]int64{{"a": 25, "b": 9}, {"a": 13}} {
		w, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		got := turnarounds(w.Rows)
		if len(got) != len(want) {
			t.Errorf("window %d: %v, want %v", w.ID, got, want)
		}
		for id, ns := range want {
			if got[id] != ns {
				t.Errorf("window %d: %s took %d, want %d", w.ID, id, got[id], ns)
			}
		}
	}
	if _, err := in.Next(); err != io.EOF {
		t.Error(err)
	}
}
