package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// BenchmarkTool runs the tool as a process, from a CSV file to a CSV file: the turns
// that alps-sim makes of a million invocations of 1 to 100 ms in 100 classes at 90% of one
// CPU, in one window and in ten. It reports how many turns it does in a second, the CPU
// time that a million take (others may use the CPUs too), and its
// peak memory for each turn of a window.
func BenchmarkTool(b *testing.B) {
	bin := b.TempDir()
	build := exec.Command("go", "build", "-o", bin, ".", "alps/cmd/alps-sim")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", build, err, out)
	}
	for _, windows := range []int{1, 10} {
		b.Run(fmt.Sprint("windows=", windows), func(b *testing.B) {
			const invocations = 1_000_000
			in := filepath.Join(b.TempDir(), "turns.csv")
			// An invocation needs 22 ms on average.
			seconds := invocations * 25 / 1000 / windows
			generate := exec.Command("bash", "-o", "pipefail", "-c", fmt.Sprintf(
				"%[1]s/alps-sim generate --invocations %[2]d --classes 100 --min-demand 1ms --max-demand 100ms --window %[3]ds | %[1]s/alps-sim >%[4]s",
				bin, invocations, seconds, in))
			if out, err := generate.CombinedOutput(); err != nil {
				b.Fatalf("%v: %v\n%s", generate, err, out)
			}
			turns := countLines(b, in) - 1
			var peak int64
			var cpu time.Duration
			b.ResetTimer()
			for b.Loop() {
				out, err := os.Create(filepath.Join(b.TempDir(), "policy.csv"))
				if err != nil {
					b.Fatal(err)
				}
				cmd := exec.Command(filepath.Join(bin, "alps-tune"), in)
				cmd.Stdout, cmd.Stderr = out, os.Stderr
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				out.Close()
				cpu += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
				peak = max(peak, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss*1024)
			}
			b.ReportMetric(float64(turns)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mturns/s")
			b.ReportMetric(cpu.Seconds()/float64(turns)/float64(b.N)*1e6, "cpu-s/Mturns")
			b.ReportMetric(float64(peak)*float64(windows)/float64(turns), "bytes/turn")
		})
	}
}

// countLines does not hold the file, which would count as the peak of the processes
// that are started.
func countLines(b *testing.B, path string) (lines int) {
	b.Helper()
	file, err := os.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	buffer := [64 << 10]byte{}
	for {
		n, err := file.Read(buffer[:])
		lines += bytes.Count(buffer[:n], []byte{'\n'})
		if err != nil {
			return lines
		}
	}
}
