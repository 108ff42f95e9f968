package load

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"alps/internal/cli"
)

func TestWriteGiven(t *testing.T) {
	var out strings.Builder
	err := writeGiven(&out, time.UnixMilli(1764000001000), []given{
		{"a", "comm:a", classStats{Turns: 1, CPUNs: 2, WaitNs: 3, Preempted: 4, Promotions: 5, SlicesUsedUp: 6}},
		{"b, c", "cgroup:/b", classStats{}},
		{systemClass, "", classStats{Turns: 7, CPUNs: 8, WaitNs: 9}},
	})
	want := `1764000001000,a,comm:a,1,2,3,4,5,6
1764000001000,"b, c",cgroup:/b,0,0,0,0,0,0
1764000001000,*system,,7,8,9,,,
`
	if err != nil || out.String() != want {
		t.Errorf("%v, %s\nwant %s", err, &out, want)
	}
}

// nextGiven is what the keys were given since the last look, and the system's.
func nextGiven(t *testing.T, w *watcher) (keys map[string]classStats, system classStats) {
	t.Helper()
	all, err := w.next()
	if err != nil {
		t.Fatal(err)
	}
	keys = make(map[string]classStats)
	for _, g := range all[:len(all)-1] {
		keys[g.key] = g.stats
	}
	if last := all[len(all)-1]; last.class != systemClass || last.key != "" {
		t.Errorf("the last row is of %q, %q", last.class, last.key)
	}
	return keys, all[len(all)-1].stats
}

// What the classes are given comes to what the scheduler counts in all, also if
// policies follow each other.
func TestWatchAddsUp(t *testing.T) {
	o := guest(t)
	load(t, o, table(t, "1,a,comm:a,0,1,4000000,0\n1,b,comm:b,0,2,4000000,0\n1,c,comm:c,0,3,0,0\n"))
	before, err := o.Status()
	if err != nil {
		t.Fatal(err)
	}
	w, err := o.watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	one := start(t, "", body(t, "a", "cpu", "300ms"))
	two := start(t, "", body(t, "b", "cpu", "300ms"))
	eventually(t, "b has begun", func() bool { return cpuTime(t, two) > 20*time.Millisecond })
	load(t, o, table(t, "2,b,comm:b,0,1,4000000,0\n2,a,comm:a,0,2,4000000,0\n"))
	done(t, one)
	done(t, two)
	// The last that they use is counted when they leave their CPUs, which may be after
	// their parent knows of their end.
	time.Sleep(500 * time.Millisecond)
	keys, system := nextGiven(t, w)
	after, err := o.Status()
	if err != nil {
		t.Fatal(err)
	}

	grown := func(name string) uint64 { return after.Counters[name] - before.Counters[name] }
	sum := keys["comm:a"].plus(keys["comm:b"])
	for name, of := range map[string]uint64{
		"class_turns": sum.Turns, "class_cpu_ns": sum.CPUNs, "promotions": sum.Promotions, "slices_used_up": sum.SlicesUsedUp,
	} {
		if of != grown(name) || of == 0 && name != "promotions" {
			t.Errorf("%s: %d by classes, %d in all", name, of, grown(name))
		}
	}
	for key, of := range map[string]classStats{"comm:a": keys["comm:a"], "comm:b": keys["comm:b"]} {
		const used = 300_000_000
		if of.CPUNs < used || of.CPUNs > grown("class_cpu_ns")-used || of.Turns == 0 || of.SlicesUsedUp < 10 {
			t.Errorf("%s was given %+v", key, of)
		}
	}
	if a, b := keys["comm:a"], keys["comm:b"]; a.WaitNs+b.WaitNs < 100_000_000 {
		t.Errorf("of two that shared a CPU, one waited for %d ns and the other for %d", a.WaitNs, b.WaitNs)
	}
	if _, ok := keys["comm:c"]; ok {
		t.Error("a key that is gone and was given nothing has a row")
	}
	if system.Turns == 0 || system.Turns > grown("system_turns") || system.CPUNs == 0 || system.CPUNs > grown("system_cpu_ns") {
		t.Errorf("the system was given %+v", system)
	}

	if keys, _ := nextGiven(t, w); keys["comm:a"] != (classStats{}) || len(keys) != 2 {
		t.Errorf("nobody runs, and the keys are given %+v", keys)
	}
}

// Who is pushed aside by a better rank is counted, and who is promoted.
func TestWatchPreemptedAndPromoted(t *testing.T) {
	o := guest(t)
	load(t, o, table(t, "1,blink,comm:blink,0,1,0,0\n1,hog,comm:hog,0,2,1000000000,0\n1,late,comm:late,0,3,0,0\n"))
	w, err := o.watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	start(t, "", body(t, "hog", "spin"))
	start(t, "", body(t, "late", "spin"))
	start(t, "", body(t, "blink", "blink"))
	var hog, late, blink classStats
	eventually(t, "the hog is preempted, and who comes after it is promoted", func() bool {
		keys, _ := nextGiven(t, w)
		hog, late, blink = hog.plus(keys["comm:hog"]), late.plus(keys["comm:late"]), blink.plus(keys["comm:blink"])
		return hog.Preempted > 20 && late.Promotions > 2 && late.WaitNs > uint64(maxWait)
	})
	// Who is served out of turn only is nobody's to preempt.
	if late.Preempted > hog.Preempted/10 {
		t.Errorf("who comes last was preempted %d times, the hog %d times", late.Preempted, hog.Preempted)
	}
	// Threads of one process preempt each other, too.
	if all := counter(t, o, "preemptions"); hog.Preempted+late.Preempted+blink.Preempted > all {
		t.Errorf("%d preemptions by classes, %d in all", hog.Preempted+late.Preempted+blink.Preempted, all)
	}
}

// watching runs alps-load watch and returns what it prints, and its end.
func watching(o Options, ctx context.Context, interval time.Duration, count int) (io.Reader, <-chan error) {
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := o.RunWatch(ctx, cli.IO{Name: "alps-load", Stdout: in}, interval, count)
		in.Close()
		ended <- err
	}()
	return out, ended
}

func TestWatch(t *testing.T) {
	o := guest(t)
	nothing := "the kernel's own scheduler is in charge; nothing is loaded at /sys/fs/bpf/alps"
	if err := o.RunWatch(t.Context(), cli.IO{Stdout: io.Discard}, time.Second, 1); err == nil || err.Error() != nothing {
		t.Errorf("not loaded: %v", err)
	}

	load(t, o, ranks(t, 1, "comm:b", "comm:a"))
	out, ended := watching(o, t.Context(), 20*time.Millisecond, 2)
	text, err := io.ReadAll(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	lines := strings.Split(string(text), "\n")
	if len(lines) != 8 || lines[0] != "time_ms,class,key,turns,cpu_ns,wait_ns,preempted,promotions,slices_used_up" || lines[7] != "" {
		t.Fatalf("watch prints\n%s", text)
	}
	for i, want := range []string{",f0,comm:b,", ",f1,comm:a,", ",*system,,"} {
		if !strings.Contains(lines[1+i], want) || !strings.Contains(lines[4+i], want) {
			t.Errorf("row %d is not of %s:\n%s", i, want, text)
		}
	}

	// It ends when it is told to.
	ctx, cancel := context.WithCancel(t.Context())
	out, ended = watching(o, ctx, 20*time.Millisecond, 0)
	var first [100]byte
	if _, err := io.ReadFull(out, first[:]); err != nil {
		t.Fatal(err)
	}
	cancel()
	go io.Copy(io.Discard, out)
	if err := <-ended; err != nil {
		t.Error(err)
	}

	// And when the scheduler leaves.
	out, ended = watching(o, t.Context(), 20*time.Millisecond, 0)
	go io.Copy(io.Discard, out)
	dropScheduler(t)
	if err := <-ended; err == nil || !strings.HasPrefix(err.Error(), "the scheduler has left: disabled by sysrq-S") {
		t.Errorf("it has left, and watch ends with %v", err)
	}

	// Another one in its place is not the one that is watched.
	load(t, o, ranks(t, 1, "comm:a"))
	w, err := o.watch()
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	unload(t, o)
	if _, err := w.next(); err == nil || err.Error() != nothing {
		t.Errorf("unloaded: %v", err)
	}
	load(t, o, ranks(t, 1, "comm:a"))
	if _, err := w.next(); err == nil || err.Error() != "another scheduler was attached at /sys/fs/bpf/alps meanwhile; watch that one anew" {
		t.Errorf("attached anew: %v", err)
	}
}

// A reader that goes away ends watch.
func TestWatchIsCut(t *testing.T) {
	o := guest(t)
	load(t, o, ranks(t, 1, "comm:a"))
	out, in := io.Pipe()
	go func() {
		fmt.Fscan(out, new(string)) // the header
		out.Close()
	}()
	code := cli.Run(t.Context(), "alps-load", nil, cli.IO{Stdout: in, Stderr: os.Stderr}, &struct{}{},
		func(ctx context.Context, tool cli.IO) error { return o.RunWatch(ctx, tool, 20*time.Millisecond, 0) })
	if code != 0 {
		t.Errorf("it exits with %d", code)
	}
}
