package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestDemo is the acceptance test of the whole: what ALPS makes of a workload on
// a real kernel. The machine's time is virtual, so the figures repeat to about
// 1 % on any host. $ALPS_DEMO_SEEDS names other workloads than the first: 1,2,3.
func TestDemo(t *testing.T) {
	needMachine(t)
	t.Parallel()
	seeds := []string{"1"}
	if list := os.Getenv("ALPS_DEMO_SEEDS"); list != "" {
		seeds = strings.Split(list, ",")
	}
	for _, text := range seeds {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("ALPS_DEMO_SEEDS: %v", err)
		}
		t.Run(fmt.Sprintf("seed=%d/cpus=1", seed), func(t *testing.T) {
			t.Parallel()
			all := runDemo(t, seed, 1).All()
			atMost(t, "mean turnaround over the kernel's", all.Ratio(), 0.60)
			atMost(t, "mean turnaround over SRPT's", all.RatioToSRPT(), 1.35)
		})
		t.Run(fmt.Sprintf("seed=%d/cpus=2", seed), func(t *testing.T) {
			t.Parallel()
			table := runDemo(t, seed, 2)
			atMost(t, "mean turnaround over the kernel's", table.All().Ratio(), 0.65)
			atMost(t, "that of the class with the longest demand", table.Longest().Ratio(), 1)
		})
	}
}

func atMost(t *testing.T, what string, got, limit float64) {
	t.Helper()
	if !(got <= limit) { // so that NaN is none
		t.Errorf("%s: %.3f, must be at most %.2f", what, got, limit)
	}
}

func runDemo(t *testing.T, seed uint64, cpus int) *Table {
	t.Helper()
	out := t.TempDir()
	o := Options{
		Bin: buildTools(t), Out: out, Kernel: "newest", CPUs: cpus, Seed: seed,
		Window: time.Minute, History: 4,
	}
	result, err := o.Run(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	table, ok := result.(*Table)
	if !ok {
		t.Fatal("it went offline")
	}
	if err := table.Write(t.Output()); err != nil {
		t.Fatal(err)
	}
	if err := table.Plot(o.path("turnaround.svg")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"trace.csv", "kernel-invocations.csv", "kernel-turns.csv", "kernel-policy.csv", "kernel-result.csv",
		"alps-invocations.csv", "alps-turns.csv", "alps-policy.csv", "alps-result.csv",
		"alps-dump.csv", "alps-status.txt", "srpt-invocations.csv", "srpt-turns.csv", "turnaround.svg",
	} {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty (%v)", name, err)
		}
	}
	return table
}

// Without a C compiler there can be no machine, and what it says is told in one
// line.
func TestGoesOfflineWithoutCompiler(t *testing.T) {
	needMachine(t)
	t.Setenv("CC", "false")
	o := offlineOptions(t)
	o.Offline, o.CPUs = false, 1
	text := goesOffline(t, o)
	if !strings.Contains(text, "takes a C compiler") {
		t.Errorf("the reason is not told:\n%s", text)
	}
}

func TestGoesOfflineWithoutPackages(t *testing.T) {
	o := offlineOptions(t)
	o.Offline, o.CPUs = false, 1
	t.Setenv("PATH", t.TempDir()) // neither QEMU nor apt-get
	text := goesOffline(t, o)
	if runtime.GOARCH == "amd64" && !strings.Contains(text, "qemu-system-x86") {
		t.Errorf("what is missing is not told:\n%s", text)
	}
}

// goesOffline runs a demonstration that can have no machine and returns its log.
func goesOffline(t *testing.T, o Options) string {
	t.Helper()
	var log strings.Builder
	result, err := o.Run(t.Context(), &log)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := result.(*Recording); !ok {
		t.Fatalf("the result is a %T", result)
	}
	lines := strings.Split(strings.TrimSpace(log.String()), "\n")
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "no virtual machine: ") || !strings.HasSuffix(lines[0], "; going on offline, with recorded windows") {
		t.Errorf("not one line about the machine and one about the pipe:\n%s", log.String())
	}
	return log.String()
}

func TestReasonIsOneLine(t *testing.T) {
	o := Options{Out: t.TempDir()}
	err := errors.New("installing qemu: exit status 100:\nE: one\nE: two")
	path := o.path("no-machine.txt")
	if got, want := o.reason(err), "installing qemu: exit status 100 (more in "+path+")"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if text, _ := os.ReadFile(path); !strings.Contains(string(text), "E: two") {
		t.Errorf("%s has %q", path, text)
	}
	if got := o.reason(errors.New("no gcc\n")); got != "no gcc" {
		t.Errorf("%q", got)
	}
}

func TestRunNeedsTools(t *testing.T) {
	o := Options{Bin: t.TempDir(), Out: filepath.Join(t.TempDir(), "out"), Offline: true}
	_, err := o.Run(t.Context(), t.Output())
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("without tools: %v", err)
	}
	if _, err := os.Stat(o.Out); err == nil {
		t.Error("it began all the same")
	}
}

// An interrupted run is not one that can have no machine.
func TestInterruptedIsNotOffline(t *testing.T) {
	o := offlineOptions(t)
	o.Offline, o.CPUs = false, 1
	t.Setenv("PATH", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var log strings.Builder
	if _, err := o.Run(ctx, &log); !errors.Is(err, context.Canceled) || log.Len() > 0 {
		t.Errorf("error %v, log %q", err, log.String())
	}
}

func TestClearOut(t *testing.T) {
	o := Options{Out: t.TempDir()}
	for _, name := range []string{"alps-result.csv", "turnaround.svg", "notes.txt"} {
		if err := os.WriteFile(o.path(name), []byte("old"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.clearOut(); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(o.Out)
	if err != nil || len(left) != 1 || left[0].Name() != "notes.txt" {
		t.Errorf("left: %v (%v), want the notes alone", left, err)
	}
}

func TestUpstream(t *testing.T) {
	for release, want := range map[string]string{
		"7.3.4+deb13-cloud-amd64": "7.3.4", "6.12.0-rc3": "6.12.0", "6.18.15": "6.18.15", "": "",
	} {
		if got := upstream(release); got != want {
			t.Errorf("upstream(%q) = %q, want %q", release, got, want)
		}
	}
}
