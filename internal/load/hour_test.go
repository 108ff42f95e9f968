package load

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func init() {
	// serve DURATION CPUS SEED MEAN CGROUP...: starts invocations there in turn, at
	// random and with random demands of that mean, so often that they and their
	// forking keep so many CPUs busy (0.9: 90% of one), and ends when all have.
	bodies["serve"] = func(args []string) {
		end := time.Now().Add(span(args[0]))
		cpus, err := strconv.ParseFloat(args[1], 64)
		if err != nil {
			fatal(err)
		}
		random := rand.New(rand.NewPCG(uint64(number(args[2])), 0))
		mean := span(args[3])
		var groups []int
		for _, group := range args[4:] {
			groups = append(groups, openCgroup(group))
		}
		begun, running := 0, 0
		for next := time.Now(); time.Now().Before(end); {
			if wait := time.Until(next); wait > 0 {
				time.Sleep(wait)
			}
			for running > 0 {
				ended, err := reapOne(unix.WNOHANG)
				if err != nil {
					fatal(err)
				}
				if !ended {
					break
				}
				running--
			}
			c := child{cgroup: groups[begun%len(groups)], burnNs: int64(random.ExpFloat64() * float64(mean))}
			c.fork()
			begun, running = begun+1, running+1
			// What one has cost so far, with the forking.
			cost := mean
			if ended := begun - running; ended > 0 {
				cost = max(mean/4, (cpuUsed(unix.RUSAGE_SELF)+cpuUsed(unix.RUSAGE_CHILDREN))/time.Duration(ended))
			}
			next = next.Add(time.Duration(random.ExpFloat64() * float64(cost) / cpus))
		}
		reap(running)
		fmt.Println(begun)
	}
}

func cpuUsed(who int) time.Duration {
	var used unix.Rusage
	if err := unix.Getrusage(who, &used); err != nil {
		fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// busy is the time that the CPUs were not idle, in steps of 10 ms.
func busy(t *testing.T) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	ticks := 0
	for i, field := range strings.Fields(line)[1:] {
		const idle, wait = 3, 4
		if n, err := strconv.Atoi(field); err != nil {
			t.Fatal(err)
		} else if i != idle && i != wait {
			ticks += n
		}
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// Functions of three classes for an hour, at 90% of what the machine can do.
// make soak runs it with a clock that counts instructions.
func TestSoakHour(t *testing.T) {
	const load = 0.9
	o := guest(t)
	var rows strings.Builder
	means := []time.Duration{50 * time.Millisecond, 250 * time.Millisecond, time.Second}
	for i, mean := range means {
		for j := range 4 {
			cgroup(t, fmt.Sprintf("/alps-test/class%d/%d", i, j))
		}
		fmt.Fprintf(&rows, "1,class%d,cgroup:/alps-test/class%d,0,%d,%d,%d\n", i, i, i+1, mean/4, mean)
	}
	o.Stretch = 14
	survives(t, o, table(t, rows.String()), func() {
		busyBefore, began := busy(t), time.Now()
		each := load * float64(runtime.NumCPU()) / float64(len(means))
		var servers []*exec.Cmd
		var begun []*strings.Builder
		for i, mean := range means {
			words := fmt.Sprintf("serve %v %.3f %d %v", size(2*time.Second, time.Hour), each, i, mean)
			for j := range 4 {
				words += fmt.Sprintf(" /alps-test/class%d/%d", i, j)
			}
			cmd := body(t, "serve", words)
			count := new(strings.Builder)
			cmd.Stdout = count
			servers, begun = append(servers, launch(t, "", cmd)), append(begun, count)
		}
		for i, cmd := range servers {
			done(t, cmd)
			t.Logf("%s invocations of %v", strings.TrimSpace(begun[i].String()), means[i])
		}
		took := time.Since(began)
		t.Logf("CPUs busy for %.1f%% of %v", 100*busy(t).Seconds()/took.Seconds()/float64(runtime.NumCPU())-
			100*busyBefore.Seconds()/took.Seconds()/float64(runtime.NumCPU()), took.Round(time.Second))
		if n := counter(t, o, "class_turns"); n == 0 {
			t.Error("no turn of a function")
		}
	})
}
