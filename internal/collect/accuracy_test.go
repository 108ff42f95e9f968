package collect

import (
	"bufio"
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"alps/internal/stream"
)

// fromEnv is a number of the environment, with which make bench asks for more.
func fromEnv(t testing.TB, name string, usual int) int {
	t.Helper()
	text, ok := os.LookupEnv(name)
	if !ok {
		return usual
	}
	value, err := strconv.Atoi(text)
	if err != nil || value < 1 {
		t.Fatalf("%s=%q is not a number", name, text)
	}
	return value
}

// measured is what the kernel tells the parent of a process.
type measured struct {
	cpuNs, schedCPUNs, waitNs, sleepNs int64
	row                                *stream.Invocation
}

// Processes of mixed length on all CPUs, with others that want those CPUs too, beside
// what the kernel tells their parents.
func TestEveryProcessIsCounted(t *testing.T) {
	const name = "fn-every"
	count := fromEnv(t, "ALPS_PROCESSES", 1000)
	options := byComm(name)
	options.Window = time.Second
	s := collect(t, options)
	for range 2 {
		start(t, body(t, "load", "burn", "1h"))
	}
	outputs := make([][]byte, 2)
	var both sync.WaitGroup
	for i := range outputs {
		both.Go(func() {
			cmd := body(t, "starter", "storm", fmt.Sprint(count/len(outputs)), name)
			cmd.Env = append(cmd.Env, fmt.Sprint(cpuEnv, "=", i%onlineCPUs(t)))
			out, err := cmd.Output()
			if err != nil {
				t.Error(err)
			}
			outputs[i] = out
		})
	}
	both.Wait()

	want := map[string]*measured{}
	for line := range strings.Lines(string(bytes.Join(outputs, nil))) {
		var pid string
		var m measured
		if _, err := fmt.Sscan(line, &pid, &m.cpuNs, &m.schedCPUNs, &m.waitNs, &m.sleepNs); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if want[pid] != nil {
			t.Skip("a pid came twice")
		}
		want[pid] = &m
	}
	for _, row := range s.finish() {
		pid, _, _ := strings.Cut(string(row.Invocation), "-")
		switch m := want[pid]; {
		case m == nil:
			t.Errorf("a row of no process: %+v", row)
		case m.row != nil && m.row.EndNs.Valid:
			t.Errorf("two ends: %+v, %+v", *m.row, row)
		default:
			m.row = &row
		}
	}
	compareAll(t, want)
	if s.messages.String() != "" {
		t.Error(&s.messages)
	}
}

// compareAll compares the rows with what the kernel says: CPU time by wait4, wait by
// schedstat, and the time asleep with what was meant.
func compareAll(t *testing.T, all map[string]*measured) {
	t.Helper()
	var cpu, wait, block sums
	tooLittle := 0
	for pid, m := range all {
		if m.row == nil || !m.row.EndNs.Valid {
			t.Errorf("no end of process %s", pid)
			continue
		}
		cpu.add(int64(m.row.CPUNs), m.cpuNs, 0.02)
		wait.add(int64(m.row.WaitNs), m.waitNs, 0.05)
		block.add(int64(m.row.BlockNs), m.sleepNs, 0.05)
		if int64(m.row.BlockNs) < m.sleepNs-1e6 {
			tooLittle++
		}
	}
	t.Logf("%d processes; CPU time %v; wait %v; blocked %v", len(all), &cpu, &wait, &block)
	// Timers may be late, and in an emulator all of it is off.
	few, off := len(all)/10, 0.005
	if slack() > 0 {
		off = 0.05
	}
	if _, bench := os.LookupEnv("ALPS_PROCESSES"); bench {
		few = 0
		if math.Abs(block.off()) > 0.05 {
			t.Errorf("time blocked is off: %v", &block)
		}
	}
	if math.Abs(cpu.off()) > off || cpu.bad > 0 {
		t.Errorf("CPU time is off: %v", &cpu)
	}
	if math.Abs(wait.off()) > 0.05+off || wait.bad > 0 {
		t.Errorf("wait is off: %v", &wait)
	}
	if tooLittle > few {
		t.Errorf("%d were blocked for less than they slept", tooLittle)
	}
}

// sums are those of values and of what they should be, and how many of them were off
// by more than a share and 1 ms.
type sums struct {
	got, want, worst int64
	bad              int
}

func (s *sums) add(got, want int64, share float64) {
	s.got += got
	s.want += want
	off := got - want
	if off < 0 {
		off = -off
	}
	s.worst = max(s.worst, off)
	if float64(off) > max(share*float64(want), 1e6)+float64(slack()) {
		s.bad++
	}
}

// off is how far off the sum is, as a share.
func (s *sums) off() float64 { return float64(s.got-s.want) / float64(max(s.want, 1)) }

func (s *sums) String() string {
	return fmt.Sprintf("%v of %v (%+.3f%%, %d off, at most by %v)",
		time.Duration(s.got), time.Duration(s.want), 100*s.off(), s.bad, time.Duration(s.worst))
}

func onlineCPUs(t testing.TB) int {
	t.Helper()
	times, err := readCPUTimes()
	if err != nil {
		t.Fatal(err)
	}
	return len(times)
}

// No process is lost, however fast they are forked.
func TestForkStorm(t *testing.T) {
	const name = "fn-storm"
	const rate = 3000 // a second, if the machine is fast enough
	length := time.Duration(fromEnv(t, "ALPS_STORM_SECONDS", 1)) * time.Second
	options := byComm(name)
	options.Window = time.Second
	s := collect(t, options)
	ownBefore := cpuTime(2)
	cmds := make([]*exec.Cmd, 2)
	outs := make([]bytes.Buffer, len(cmds))
	for i := range cmds {
		cmds[i] = body(t, "starter", "forks", fmt.Sprint(rate/len(cmds)), length.String(), name)
		cmds[i].Stdout = &outs[i]
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
	own := time.Duration(cpuTime(2) - ownBefore)
	total, lasted := 0, time.Duration(0)
	for i := range outs {
		var n int
		var d time.Duration
		if _, err := fmt.Fscan(bufio.NewReader(&outs[i]), &n, &d); err != nil {
			t.Fatal(err)
		}
		total += n
		lasted = max(lasted, d)
	}
	ends, lost := 0, stream.Whole(0)
	for _, row := range s.finish() {
		if row.EndNs.Valid {
			ends++
		}
		lost = max(lost, row.Lost)
	}
	t.Logf("%d forks in %v: %.0f a second; the collector, with the reading of its rows, took %v: %.1f%% of a CPU",
		total, lasted, float64(total)/lasted.Seconds(), own, 100*own.Seconds()/lasted.Seconds())
	if ends != total || lost > 0 || s.messages.String() != "" {
		t.Errorf("%d ends of %d processes: %s", ends, total, &s.messages)
	}
}
