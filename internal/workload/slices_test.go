package workload

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func slicesFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "policy.csv")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// kernelHasSlices says whether the kernel shows a slice of a task of its fair
// scheduler, as Linux 6.12 and newer do.
func kernelHasSlices(t *testing.T) bool {
	t.Helper()
	attr, err := unix.SchedGetAttr(0, 0)
	if err != nil {
		t.Fatal(err)
	}
	return attr.Runtime > 0
}

const slicesHeader = "window,class,key,from_ns,rank,slice_ns\n"

// Each child has the slice of its class's first row, within what the kernel
// takes; a kernel without slices is told in one line.
func TestRunnerSlices(t *testing.T) {
	for _, test := range []struct {
		sliceNs string
		wantNs  uint64 // 0: the kernel's own
	}{
		{"5000000", 5e6}, {"1", 1e5}, {"900000000", 1e8}, {"0", 0},
	} {
		file := slicesFile(t, slicesHeader+"1,other,k,0,1,77000000\n1,graphPagerank-10,k,0,2,"+test.sliceNs+"\n1,graphPagerank-10,k,9,3,8000000\n")
		cmd := runner(t, longTrace, "--no-cgroup", "--loops-per-ms", "1000", "--slices", file)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if !kernelHasSlices(t) {
			cmd.Run()
			const want = "runner: --slices: this kernel has no slices of a task's own; Linux 6.12 and newer have\n"
			if cmd.ProcessState.ExitCode() != 1 || stderr.String() != want {
				t.Fatalf("%v, stderr %q, want %q", cmd.ProcessState, &stderr, want)
			}
			continue
		}
		own, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// It has its name just before its slice, and sleeps after it.
		child := childNamed(t, cmd, "fn-hPagerank-10")
		waitAsleep(t, child)
		attr, err := unix.SchedGetAttr(child, 0)
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
		wantNs := test.wantNs
		if wantNs == 0 {
			wantNs = own.Runtime
		}
		if err != nil || attr.Runtime != wantNs {
			t.Errorf("slice_ns %s: the child has %d, want %d, error %v", test.sliceNs, attr.Runtime, wantNs, err)
		}
	}
}

// waitAsleep waits until the process sleeps.
func waitAsleep(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(stat), ") S ") {
			return
		}
	}
	t.Fatalf("process %d does not sleep", pid)
}

func TestRunnerRefusesSlices(t *testing.T) {
	for _, test := range []struct{ policy, want string }{
		{"", ":1: no column class"},
		{"class,slice_ns\n", ":1: no column from_ns"},
		{slicesHeader + "1,a,k,0\n", ":2: 4 cells are too few"},
		{slicesHeader + "1,a,k,0,1,1.5\n", ":2: from_ns or slice_ns is not a whole number"},
	} {
		cmd := runner(t, smallTrace, "--no-cgroup", "--slices", slicesFile(t, test.policy))
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		cmd.Run()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), test.want) || stdout.Len() > 0 {
			t.Errorf("%q: %v, stdout %q, stderr %q, want %q", test.policy, cmd.ProcessState, &stdout, &stderr, test.want)
		}
	}
}
