package collect

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"alps/internal/stream"
)

// needBench skips a benchmark where the kernel side cannot be loaded.
func needBench(b *testing.B) {
	b.Helper()
	if err := check(); err != nil {
		b.Skip(err)
	}
}

// What an event costs in each program, by the kernel's own statistics, while two
// processes pass a byte to and fro, and others are forked.
func BenchmarkEvent(b *testing.B) {
	needBench(b)
	for _, kind := range []stream.Kind{stream.Process, stream.Request, stream.Cgroup} {
		b.Run(string(kind), func(b *testing.B) {
			stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
			if err != nil {
				b.Skip("no statistics of eBPF programs:", err)
			}
			defer stats.Close()
			traced, err := newTracer(&Options{Invocation: kind, sizes: defaultSizes})
			if err != nil {
				b.Fatal(err)
			}
			defer traced.Close()
			for b.Loop() {
				passByte(b, 20_000)
				for range 100 {
					if err := exec.Command("/bin/true").Run(); err != nil {
						b.Skip(err)
					}
				}
				if err := traced.Ended(func(process) {}); err != nil {
					b.Fatal(err)
				}
			}
			for _, name := range traced.attached {
				stats, err := traced.loaded.Programs[name].Stats()
				if err != nil {
					b.Fatal(err)
				}
				if stats.RunCount > 0 {
					b.ReportMetric(float64(stats.Runtime)/float64(stats.RunCount), "ns/"+name)
				}
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// passByte passes a byte to and fro between this thread and another process's, so
// many times.
func passByte(b *testing.B, times int) {
	b.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		defer close(done)
		var buffer [1]byte
		for range times {
			unix.Read(pair[1], buffer[:])
			unix.Write(pair[1], buffer[:])
		}
	}()
	var buffer [1]byte
	for range times {
		unix.Write(pair[0], buffer[:])
		unix.Read(pair[0], buffer[:])
	}
	<-done
	unix.Close(pair[0])
	unix.Close(pair[1])
}

// How much longer hackbench takes while the collector is attached: pairs of runs, one
// without and one with it, so that what else the machine does is in both.
func BenchmarkHackbench(b *testing.B) {
	needBench(b)
	hackbench, err := exec.LookPath("hackbench")
	if err != nil {
		b.Skip("no hackbench, which is in Debian's package rt-tests")
	}
	pairs, messages := 15, "1000"
	if os.Getenv("ALPS_VIRTUAL_TIME") != "" {
		pairs, messages = 3, "200" // there they hardly differ, and take long
	}
	for _, options := range []Options{
		{Invocation: stream.Process},
		{Invocation: stream.Request},
		{Invocation: stream.Request, allCalls: true},
		{Invocation: stream.Cgroup},
	} {
		name := string(options.Invocation)
		if options.allCalls {
			name += "/all-calls"
		}
		b.Run(name, func(b *testing.B) {
			var slower []float64
			for b.Loop() {
				for i := range pairs {
					var took [2]time.Duration // without and with
					for j := range took {
						with := (i + j) % 2
						took[with] = runHackbench(b, options, with == 1, hackbench, "-g", "4", "-l", messages)
					}
					slower = append(slower, 100*(float64(took[1])/float64(took[0])-1))
				}
			}
			slices.Sort(slower)
			b.ReportMetric(slower[len(slower)/4], "%slower-quarter")
			b.ReportMetric(slower[len(slower)/2], "%slower-median")
			b.ReportMetric(slower[len(slower)*3/4], "%slower-3quarters")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// runHackbench runs it once, with or without a collector, and returns how long it took.
func runHackbench(b *testing.B, options Options, with bool, command ...string) time.Duration {
	b.Helper()
	if with {
		ctx, stop := context.WithCancel(b.Context())
		attached, in := io.Pipe()
		ended := make(chan error, 1)
		options.Window, options.MinRequest = 10*time.Second, 100*time.Microsecond
		var messages lockedBuffer
		go func() { ended <- Run(ctx, options, in, &messages) }()
		rows := bufio.NewReader(attached)
		if _, err := rows.ReadString('\n'); err != nil {
			b.Fatal(err)
		}
		go io.Copy(io.Discard, rows)
		defer func() {
			stop()
			if err := <-ended; err != nil {
				b.Error(err)
			}
			b.Log(messages.String())
		}()
	}
	begin := time.Now()
	if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	return time.Since(begin)
}
