package load

import (
	"errors"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A loader's steps are the system calls by which it changes something, and its
// end. The tests below kill it before each of them.
var steps = []uint32{unix.SYS_BPF, unix.SYS_FLOCK, unix.SYS_MKDIRAT, unix.SYS_UNLINKAT, unix.SYS_RMDIR, unix.SYS_EXIT_GROUP}

func init() {
	// load-steps PINS: as load, for a tracer that is told of each step.
	bodies["load-steps"] = func(args []string) {
		if err := traceSteps(); err != nil {
			fatal(err)
		}
		loadStdin(args[0])
	}
}

// traceSteps has the kernel stop the process before each step.
func traceSteps() error {
	const callNumber = 0 // offset in the kernel's struct seccomp_data
	filter := []unix.SockFilter{{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: callNumber}}
	for i, call := range steps {
		filter = append(filter, unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: call, Jt: uint8(len(steps) - i)})
	}
	filter = append(filter,
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_TRACE})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
	if errno != 0 {
		return errno
	}
	return nil
}

// runToStep runs a loader and kills it before a step, the first being 1; 0 lets
// it run to its end. It returns how many steps it has begun.
func runToStep(t *testing.T, policy *Table, kill int) (begun int) {
	t.Helper()
	runtime.LockOSThread() // a thread traces, not a process
	defer runtime.UnlockOSThread()
	cmd := loader(t, policy)
	for i, kv := range cmd.Env {
		if kv == bodyEnv+"=load "+DefaultPins {
			cmd.Env[i] = bodyEnv + "=load-steps " + DefaultPins
		}
	}
	cmd.SysProcAttr.Ptrace = true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Kill(-cmd.Process.Pid, unix.SIGKILL) })
	options := unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_EXITKILL
	for started := false; ; {
		var status unix.WaitStatus
		// Its threads, and no other process of the test.
		thread, err := unix.Wait4(-cmd.Process.Pid, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			t.Fatalf("tracing the loader: %v", err)
		case thread == cmd.Process.Pid && (status.Exited() || status.Signaled()):
			if kill == 0 && (!status.Exited() || status.ExitStatus() != 0) {
				t.Fatalf("the loader ended with %#x", uint32(status))
			}
			cmd.Process.Release()
			return begun
		case !status.Stopped():
			continue
		}
		signal := status.StopSignal()
		switch {
		case !started:
			started = true
			if err := unix.PtraceSetOptions(thread, options); err != nil {
				t.Fatal(err)
			}
			signal = 0
		case status.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
			if begun++; begun == kill {
				unix.Kill(cmd.Process.Pid, unix.SIGKILL)
				continue
			}
			signal = 0
		case signal == unix.SIGTRAP || signal == unix.SIGSTOP: // a new thread
			signal = 0
		}
		if err := unix.PtraceCont(thread, int(signal)); err != nil && !errors.Is(err, unix.ESRCH) {
			t.Fatal(err)
		}
	}
}

// killSteps are the steps at which to kill: all, or in the short form the last
// ones, in which a policy or the scheduler comes into force.
func killSteps(all int) (chosen []int) {
	for step := max(1, size(all-1, 1)); step <= all; step++ {
		chosen = append(chosen, step)
	}
	return chosen
}

func TestSoakKilledAtEachStep(t *testing.T) {
	o := guest(t)
	first, second := ranks(t, 1, "comm:a", "comm:b"), ranks(t, 2, "comm:c", "comm:d")
	t.Run("attaching", func(t *testing.T) {
		all := runToStep(t, first, 0)
		unload(t, o)
		whole := 0
		unharmed(t, func() {
			for _, step := range killSteps(all) {
				runToStep(t, first, step)
				running := settle(t, o)
				if running {
					whole++
					inForce(t, o, first)
				}
				if attached := load(t, o, first); attached == running {
					t.Errorf("killed before step %d: in force %v, but the next load attached %v", step, running, attached)
				}
				inForce(t, o, first)
				unload(t, o)
			}
		})
		if whole == 0 {
			t.Error("a loader that has done all its steps has not attached")
		}
		t.Logf("of loaders killed before steps %v, %d had attached", killSteps(all), whole)
	})
	t.Run("replacing", func(t *testing.T) {
		load(t, o, first)
		all := runToStep(t, second, 0)
		changed := 0
		survives(t, o, first, func() {
			for _, step := range killSteps(all) {
				runToStep(t, second, step)
				now := first
				if dump, err := o.Dump(); err != nil {
					t.Fatalf("killed before step %d: %v", step, err)
				} else if string(dump) == policyText(t, second) {
					now = second
					changed++
				}
				inForce(t, o, now)
				load(t, o, first)
				inForce(t, o, first)
			}
		})
		if changed == 0 {
			t.Error("a loader that has done all its steps has not replaced the policy")
		}
		t.Logf("of loaders killed before steps %v, %d had replaced the policy", killSteps(all), changed)
	})
}

func unload(t *testing.T, o Options) {
	t.Helper()
	if _, err := o.Unload(); err != nil {
		t.Fatal(err)
	}
}
