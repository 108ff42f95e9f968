package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkTool runs the tool as a process, from a CSV file to a CSV file: a
// window of a million invocations, ten of a hundred thousand, and (ALPS_BENCH_ALL)
// a window of ten million. It reports how many it does in a second, the CPU time of
// each, which says more where other programs run too, its peak memory for each
// invocation of a window, and how much longer than the first case it takes.
func BenchmarkTool(b *testing.B) {
	const million = 1_000_000
	tool := filepath.Join(b.TempDir(), "alps-sim")
	if out, err := exec.Command("go", "build", "-o", tool, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	var million1 float64 // seconds
	for _, c := range []struct{ invocations, windows int }{{million, 1}, {million, 10}, {10 * million, 1}} {
		b.Run(fmt.Sprintf("invocations=%d/windows=%d", c.invocations, c.windows), func(b *testing.B) {
			if c.invocations > million && os.Getenv("ALPS_BENCH_ALL") == "" {
				b.Skip("10 million invocations take a minute; set ALPS_BENCH_ALL=1 for them")
			}
			in := windowsFile(b, tool, c.invocations, c.windows)
			var peak int64
			var cpu time.Duration
			b.ResetTimer()
			for b.Loop() {
				out, err := os.Create(filepath.Join(b.TempDir(), "turns.csv"))
				if err != nil {
					b.Fatal(err)
				}
				cmd := exec.Command(tool, in)
				cmd.Stdout, cmd.Stderr = out, os.Stderr
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				out.Close()
				cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss*1024)
			}
			seconds := b.Elapsed().Seconds() / float64(b.N)
			b.ReportMetric(float64(c.invocations)/seconds/1e6, "Minvocations/s")
			b.ReportMetric(float64(cpu)/float64(b.N)/float64(c.invocations), "cpu-ns/invocation")
			b.ReportMetric(float64(peak)/float64(c.invocations/c.windows), "bytes/invocation")
			if c.invocations == million && c.windows == 1 {
				million1 = seconds
			} else if million1 > 0 {
				b.ReportMetric(seconds/million1, "times-as-long")
			}
		})
	}
}

// windowsFile makes a file of invocations of 1 to 100 ms in 100 classes at 90% of
// one CPU. The tool makes it: what this process would hold for it would count as
// the peak of the processes that it starts.
func windowsFile(b *testing.B, tool string, invocations, windows int) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "invocations.csv")
	out, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	// An invocation needs 22 ms on average.
	span := time.Duration(invocations) * 25 * time.Millisecond
	cmd := exec.Command(tool, "generate", "--invocations", fmt.Sprint(invocations), "--classes", "100",
		"--min-demand", "1ms", "--max-demand", "100ms", "--window", (span / time.Duration(windows)).String())
	cmd.Stdout, cmd.Stderr = out, os.Stderr
	if err := cmd.Run(); err != nil {
		b.Fatal(err)
	}
	return path
}
