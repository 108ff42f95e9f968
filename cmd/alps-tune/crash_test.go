package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alps/internal/stream"
)

// crashRun is what a test of kills has: the tool, and a stream.
type crashRun struct {
	tool, state string
	windows     []string // rows, by number
}

const turnsHeader = "window,rows,class,key,invocation,turn,slice_ns,wait_ns,cpus,util_pct\n"

func newCrashRun(t *testing.T, windows, rows int) *crashRun {
	dir := t.TempDir()
	r := &crashRun{tool: filepath.Join(dir, "alps-tune"), state: filepath.Join(dir, "s.csv")}
	if out, err := exec.Command("go", "build", "-o", r.tool, "alps/cmd/alps-tune").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for w := range windows {
		var text strings.Builder
		for i := range rows {
			fmt.Fprintf(&text, "%d,%d,c%d,comm:c%d,i%d-%d,1,%d,0,1,90\n", w, rows, i%7, i%7, w, i, 1_000_000*(1+(w*31+i*17)%97))
		}
		r.windows = append(r.windows, text.String())
	}
	return r
}

// command is a run over the windows from one on, with or without the state.
func (r *crashRun) command(from int, args ...string) (cmd *exec.Cmd, stdout *bytes.Buffer) {
	cmd = exec.Command(r.tool, append([]string{"--history", "4"}, args...)...)
	cmd.Stdin = strings.NewReader(turnsHeader + strings.Join(r.windows[from:], ""))
	stdout = new(bytes.Buffer)
	cmd.Stdout = stdout
	return cmd, stdout
}

// policies reads the windows of a policy stream that may have been cut, each as a
// text, by number.
func policies(t *testing.T, text string) map[stream.Integer]string {
	t.Helper()
	got := make(map[stream.Integer]string)
	in := stream.NewReader[stream.Policy](strings.NewReader(text), "policy")
	for {
		w, err := in.Next()
		if err != nil {
			return got
		}
		got[w.ID] = fmt.Sprint(w.Rows)
	}
}

// newest is the newest window of the state, which must be whole; -1 where there is
// no state yet.
func (r *crashRun) newest(t *testing.T) int {
	t.Helper()
	file, err := os.Open(r.state)
	if os.IsNotExist(err) {
		return -1
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	newest := -1
	in := stream.NewReader[stream.State](file, "state")
	for {
		w, err := in.Next()
		if err == io.EOF {
			return newest
		}
		if err != nil {
			t.Fatal(err)
		}
		newest = int(w.ID)
	}
}

// TestKilled kills the tool again and again, wherever it is, and goes on after the
// newest window of the state that is left. Every policy that was written is that of
// one run which nobody killed, and none is left out.
func TestKilled(t *testing.T) {
	const windows, rows, kills = 60, 2000, 25
	r := newCrashRun(t, windows, rows)
	cmd, stdout := r.command(0)
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	want := policies(t, stdout.String())
	if len(want) != windows {
		t.Fatalf("%d policies of %d windows", len(want), windows)
	}

	got := make(map[stream.Integer]string)
	next, ahead, killed := 0, 0, 0
	for tries := 0; next < windows; tries++ {
		cmd, stdout := r.command(next, "--state", r.state)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if tries < kills { // at other points each time, from the start to some windows on
			time.Sleep(time.Duration(1+tries*7%31) * time.Millisecond)
			cmd.Process.Kill()
			killed++
		}
		if err := cmd.Wait(); err != nil && tries >= kills {
			t.Fatal(err)
		}
		newest := r.newest(t)
		if newest < next-1 {
			t.Fatalf("the state fell back from window %d to %d", next-1, newest)
		}
		last := -1
		for id, policy := range policies(t, stdout.String()) {
			if policy != want[id] {
				t.Fatalf("another policy of window %d than without kills", id)
			}
			got[id] = policy
			last = max(last, int(id))
		}
		if last > newest+1 || newest >= next && last < newest {
			t.Fatalf("killed when policies were written up to window %d, the state has %d", last, newest)
		}
		if last == newest+1 {
			ahead++
		}
		next = newest + 1
	}
	if len(got) != windows {
		t.Errorf("policies of %d windows, want %d", len(got), windows)
	}
	t.Logf("killed %d times, %d of them between a policy and its state", killed, ahead)
}
