package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"alps/internal/stream"
	"alps/internal/workload"
)

// BenchmarkLoop measures what the loop costs after a window's end, without alps-load,
// which needs a kernel with sched_ext: the time until the window's policy is there, and
// the CPU time that the tools take. An iteration is a window (-benchtime 21x), of as many
// invocations of as many classes; the figures are the median, least and most of them.
//
//   - stream: alps-sim | alps-tune run, and are handed window after window;
//   - cold: both are started anew for each window and alps-tune keeps its state in a file,
//     as by cron: from their start until both have ended;
//   - live: alps-collect before them, with processes that do nothing. Needs root.
//
// docs/experiments/loop.sh makes a table of it.
func BenchmarkLoop(b *testing.B) {
	bin := b.TempDir()
	build := exec.Command("go", "build", "-o", bin, ".", "alps/cmd/alps-sim", "alps/cmd/alps-collect")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", build, err, out)
	}
	for _, size := range []struct{ invocations, classes int }{
		{10_000, 100}, {10_000, 1_000}, {10_000, 10_000},
		{100_000, 100}, {100_000, 1_000}, {100_000, 10_000}, {100_000, 65_536},
	} {
		rows := loopWindow(b, size.invocations, size.classes)
		name := fmt.Sprintf("invocations=%d/classes=%d", size.invocations, size.classes)
		b.Run("stream/"+name, func(b *testing.B) { benchStream(b, bin, rows) })
		b.Run("cold/"+name, func(b *testing.B) { benchCold(b, bin, rows) })
	}
	b.Run("live", func(b *testing.B) { benchLive(b, bin) })
}

// samples are what was measured of each window, by unit, in ms.
type samples map[string][]float64

func (s samples) add(unit string, d time.Duration) {
	s[unit] = append(s[unit], d.Seconds()*1e3)
}

func (s samples) report(b *testing.B) {
	for unit, values := range s {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], unit)
		b.ReportMetric(values[0], unit+"-least")
		b.ReportMetric(values[len(values)-1], unit+"-most")
	}
	b.ReportMetric(0, "ns/op") // says nothing here
}

// loopWindow makes the rows of a window, in which all classes are invoked equally
// often: 16 CPUs at 90% load, with demands of 5 ms to 2 s.
func loopWindow(b *testing.B, invocations, classes int) []stream.Invocation {
	b.Helper()
	s := workload.DefaultSynthetic
	s.Invocations, s.Classes, s.Zipf, s.Load.CPUs = invocations, classes, 0, 16
	parts := 1 // of a class of the generator, which makes 4,096 at most
	for s.Classes > 4096 {
		s.Classes /= 2
		parts *= 2
	}
	trace, err := workload.Generate(s)
	if err != nil {
		b.Fatal(err)
	}
	count := make(map[string]int)
	for i := range trace {
		class := trace[i].Class
		trace[i].Class = fmt.Sprint(class, "-", count[class]%parts)
		count[class]++
	}
	var rows []stream.Invocation
	seen := make(map[stream.Name]bool)
	windows, err := workload.Windows(trace, workload.WindowOptions{Length: 24 * time.Hour, CPUs: 16, KeyPrefix: "cgroup:/fn/"})
	if err != nil {
		b.Fatal(err)
	}
	for _, of := range windows {
		rows = append(rows, of...)
	}
	for i := range rows {
		seen[rows[i].Class] = true
	}
	if len(rows) != invocations || len(seen) != classes {
		b.Fatalf("%d rows of %d classes, want %d of %d", len(rows), len(seen), invocations, classes)
	}
	return rows
}

// writeLoopWindow writes the n-th window of a stream, whose invocations are others than
// those of the windows before.
func writeLoopWindow(b *testing.B, w *stream.Writer[stream.Invocation], rows []stream.Invocation, n int) {
	b.Helper()
	for i := range rows {
		rows[i].Invocation = stream.Name(fmt.Sprint(n, "-", i))
	}
	if err := w.Write(stream.Integer(n), rows); err != nil {
		b.Fatal(err)
	}
}

// benchStream hands window after window to tools that run.
func benchStream(b *testing.B, bin string, rows []stream.Invocation) {
	sim, tune := exec.Command(filepath.Join(bin, "alps-sim")), exec.Command(filepath.Join(bin, "alps-tune"))
	in, err := sim.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out := startPipe(b, sim, tune)
	policies := windowLines{in: bufio.NewReaderSize(out, 1<<20)}
	got := make(samples)
	var window bytes.Buffer
	w := stream.NewWriter[stream.Invocation](&window)
	pass := func(n int) (began, written time.Time) {
		window.Reset()
		writeLoopWindow(b, w, rows, n)
		began = time.Now()
		if _, err := in.Write(window.Bytes()); err != nil {
			b.Fatal(err)
		}
		written = time.Now()
		policies.next(b)
		return began, written
	}
	pass(1) // with what starting costs
	simCPU, tuneCPU := cpuTime(b, sim), cpuTime(b, tune)
	for n := 2; b.Loop(); n++ {
		began, written := pass(n)
		got.add("ms", time.Since(began))
		got.add("after-last-row-ms", time.Since(written))
		simNow, tuneNow := cpuTime(b, sim), cpuTime(b, tune)
		got.add("sim-cpu-ms", simNow-simCPU)
		got.add("tune-cpu-ms", tuneNow-tuneCPU)
		simCPU, tuneCPU = simNow, tuneNow
	}
	got.report(b)
	in.Close()
	wait(b, sim, tune)
}

// benchCold starts the tools for each window.
func benchCold(b *testing.B, bin string, rows []stream.Invocation) {
	dir := b.TempDir()
	windows, state := filepath.Join(dir, "invocations.csv"), filepath.Join(dir, "state.csv")
	got := make(samples)
	pass := func(n int) (took, simCPU, tuneCPU time.Duration) {
		file, err := os.Create(windows)
		if err != nil {
			b.Fatal(err)
		}
		writeLoopWindow(b, stream.NewWriter[stream.Invocation](file), rows, n)
		file.Close()
		sim, tune := exec.Command(filepath.Join(bin, "alps-sim"), windows), exec.Command(filepath.Join(bin, "alps-tune"), "--state", state)
		began := time.Now()
		out := startPipe(b, sim, tune)
		if _, err := io.Copy(io.Discard, out); err != nil {
			b.Fatal(err)
		}
		wait(b, sim, tune)
		took = time.Since(began)
		used := func(c *exec.Cmd) time.Duration { return c.ProcessState.UserTime() + c.ProcessState.SystemTime() }
		return took, used(sim), used(tune)
	}
	pass(1) // there is a state from then on
	for n := 2; b.Loop(); n++ {
		took, simCPU, tuneCPU := pass(n)
		got.add("ms", took)
		got.add("sim-cpu-ms", simCPU)
		got.add("tune-cpu-ms", tuneCPU)
	}
	got.report(b)
}

// benchLive measures the three tools on processes of 100 classes that are started while
// a window lasts.
func benchLive(b *testing.B, bin string) {
	const (
		classes = 100
		length  = 3 * time.Second
		// Beyond this there is no policy of a window: the tracing is refused here.
		patience = time.Minute
	)
	if os.Geteuid() != 0 {
		b.Skip("alps-collect needs root")
	}
	dir := b.TempDir()
	for class := range classes {
		if err := os.Symlink("/bin/true", filepath.Join(dir, fmt.Sprintf("fn-%02d", class))); err != nil {
			b.Fatal(err)
		}
	}
	collect := exec.Command(filepath.Join(bin, "alps-collect"), "--class", "comm", "--comm", "fn-*", "--window", length.String())
	sim, tune := exec.Command(filepath.Join(bin, "alps-sim")), exec.Command(filepath.Join(bin, "alps-tune"))
	var messages bytes.Buffer
	collect.Stderr = &messages
	collected, err := collect.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	in, err := sim.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	policies := windowLines{in: bufio.NewReader(startPipe(b, sim, tune))}
	if err := collect.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { collect.Process.Kill(); collect.Wait() })
	windows := windowLines{in: bufio.NewReader(collected), copyTo: bufio.NewWriter(in)}

	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				exec.Command(filepath.Join(dir, fmt.Sprintf("fn-%02d", i%classes))).Run()
			}
		}
	}()
	defer func() { close(stop); <-stopped }()

	overdue := time.AfterFunc(patience, func() { collect.Process.Kill() })
	defer overdue.Stop()
	firstID, _, err := windows.read() // it begins with what starting costs
	if err != nil {
		collect.Wait()
		b.Skipf("alps-collect does not run here: %s", bytes.TrimSpace(messages.Bytes()))
	}
	policies.next(b)
	got := make(samples)
	collectCPU, simCPU, tuneCPU := cpuTime(b, collect), cpuTime(b, sim), cpuTime(b, tune)
	for b.Loop() {
		overdue.Reset(patience)
		id, rows := windows.next(b)
		written := time.Now()
		policies.next(b)
		ready := time.Now()
		// The number of a window is when it began, in whole ms, which is late where
		// the window before was closed late. It ends on the beat of the first all the same.
		beats := time.Duration(id-firstID) * time.Millisecond
		end := time.UnixMilli(firstID).Add(beats.Round(length) + length)
		got.add("collect-ms", written.Sub(end))
		got.add("ms", ready.Sub(end))
		got["invocations"] = append(got["invocations"], float64(rows))
		collectNow, simNow, tuneNow := cpuTime(b, collect), cpuTime(b, sim), cpuTime(b, tune)
		got.add("collect-cpu-ms", collectNow-collectCPU)
		got.add("sim-cpu-ms", simNow-simCPU)
		got.add("tune-cpu-ms", tuneNow-tuneCPU)
		collectCPU, simCPU, tuneCPU = collectNow, simNow, tuneNow
	}
	got.report(b)
}

// startPipe starts two tools with a pipe between them, and returns what the second
// writes.
func startPipe(b *testing.B, first, second *exec.Cmd) io.Reader {
	b.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	first.Stdout, first.Stderr, second.Stdin, second.Stderr = w, os.Stderr, r, os.Stderr
	out, err := second.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	for _, cmd := range []*exec.Cmd{first, second} {
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	}
	r.Close()
	w.Close()
	return out
}

func wait(b *testing.B, cmds ...*exec.Cmd) {
	b.Helper()
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			b.Fatalf("%v: %v", cmd, err)
		}
	}
}

// cpuTime is what a process has used so far, by the clock that the kernel has of it,
// which is finer than the ticks of /proc.
func cpuTime(b *testing.B, cmd *exec.Cmd) time.Duration {
	b.Helper()
	const sched = 2 // CPUCLOCK_SCHED
	var used unix.Timespec
	if err := unix.ClockGettime(int32(^cmd.Process.Pid<<3|sched), &used); err != nil {
		b.Fatalf("reading the CPU time of %v: %v", cmd, err)
	}
	return time.Duration(used.Nano())
}

// windowLines finds the ends of the windows of a stream by their column rows, without
// looking at anything else: that would be time of its own.
type windowLines struct {
	in     *bufio.Reader
	copyTo *bufio.Writer // where not nil
	begun  bool
}

func (l *windowLines) next(b *testing.B) (id int64, rows int) {
	b.Helper()
	id, rows, err := l.read()
	if err != nil {
		b.Fatal("the stream ends within a window: ", err)
	}
	return id, rows
}

// read returns the number of the next window and its rows.
func (l *windowLines) read() (id int64, rows int, err error) {
	for line := 0; line == 0 || line < rows; line++ {
		text, err := l.in.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		if l.copyTo != nil {
			if _, err := l.copyTo.Write(text); err != nil {
				return 0, 0, err
			}
		}
		if !l.begun { // the header
			l.begun = true
			line--
			continue
		}
		if line > 0 {
			continue
		}
		window, rest, _ := bytes.Cut(text, []byte{','})
		count, _, _ := bytes.Cut(rest, []byte{','})
		if id, err = strconv.ParseInt(string(window), 10, 64); err != nil {
			return 0, 0, err
		}
		if rows, err = strconv.Atoi(string(count)); err != nil {
			return 0, 0, err
		}
	}
	if l.copyTo != nil {
		err = l.copyTo.Flush()
	}
	return id, rows, err
}
