package collect

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The processes that the tests measure are the test binary itself, so that the
// tests need nothing else where they run. ALPS_TEST_BODY says what it does.
// ALPS_TEST_CPU is the CPU to which its first thread and its forks keep.
const (
	bodyEnv = "ALPS_TEST_BODY"
	cpuEnv  = "ALPS_TEST_CPU"
)

func TestMain(m *testing.M) {
	if body := os.Getenv(bodyEnv); body != "" {
		os.Unsetenv(bodyEnv)
		runBody(strings.Fields(body))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// bodies are what a process can be told to do, each with its arguments.
var bodies = map[string]func(args []string){
	// burn DURATION of CPU time.
	"burn": func(args []string) { burn(duration(args[0])) },
	// sleep for ever.
	"sleep": func([]string) { unix.Pause() },
	// mount WHAT WHERE BODY...: mounts a folder in the mount namespace that it
	// has of its own, then goes on as another program.
	"mount": func(args []string) {
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			panic(err)
		}
		if err := unix.Mount(args[0], args[1], "", unix.MS_BIND, ""); err != nil {
			panic(err)
		}
		become(args[2:])
	},
	// burnsleep DURATION: the one and then the other.
	"burnsleep": func(args []string) { burn(duration(args[0])); unix.Pause() },
	// threads N DURATION: each of N threads burns that much.
	"threads": func(args []string) {
		var all sync.WaitGroup
		n, _ := strconv.Atoi(args[0])
		for range n {
			all.Go(func() { onThread(func() { burn(duration(args[1])) }) })
		}
		all.Wait()
	},
	// leaderexit DURATION: the first thread exits, another goes on and burns.
	"leaderexit": func(args []string) {
		go onThread(func() {
			time.Sleep(10 * time.Millisecond)
			burn(duration(args[0]))
			os.Exit(0)
		})
		syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
	},
	// nap N times, for a moment.
	"nap": func(args []string) {
		n, _ := strconv.Atoi(args[0])
		for range n {
			nap := unix.Timespec{Nsec: 200_000}
			syscall.RawSyscall(syscall.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&nap)), 0, 0)
		}
	},
	// serve: for each line, a duration of CPU time, burns it on the first thread and
	// says what CPU time the process has used in ns.
	"serve": func([]string) {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			burn(duration(in.Text()))
			fmt.Println(cpuTime(unix.CLOCK_PROCESS_CPUTIME_ID))
		}
	},
	// requests HOW: serves requests of file 3 on the first thread, as servers of that
	// kind do.
	"requests": func(args []string) { servers[args[0]]() },
	// pipe: serves requests of file 3, a socket, for each of which it also waits for file
	// 4, a pipe.
	"pipe": func([]string) {
		buffer := make([]byte, 64)
		for call(unix.SYS_READ, 3, at(buffer), uintptr(len(buffer)), 0, 0, 0) > 0 {
			burn(20 * time.Millisecond)
			call(unix.SYS_WRITE, 3, at(buffer), 1, 0, 0, 0)
			call(unix.SYS_READ, 4, at(buffer), uintptr(len(buffer)), 0, 0, 0)
			burn(20 * time.Millisecond)
			call(unix.SYS_WRITE, 3, at(buffer), 1, 0, 0, 0)
		}
	},
	// exec BODY...: goes on as another program.
	"exec": func(args []string) { become(args) },
	// execthread DURATION BODY...: burns, then a thread that is not the
	// leader goes on as another program.
	"execthread": func(args []string) {
		burn(duration(args[0]))
		go onThread(func() { become(args[1:]) })
		select {}
	},
	// rename NAME DURATION: forks; the child renames itself and burns. Says
	// what CPU time it used.
	"rename": func(args []string) {
		child := child{generations: 1, burnNs: int64(duration(args[1]))}
		child.name, _ = syscall.BytePtrFromString(args[0])
		child.fork()
		fmt.Print(time.Duration(child.used.Utime.Nano() + child.used.Stime.Nano()))
	},
	// handover NAME DURATION: as rename, but it is another thread that burns, which
	// the first one starts and which cannot run before the first has exited.
	"handover": func(args []string) {
		child := child{generations: 1, burnNs: int64(duration(args[1])), handsOver: true}
		child.name, _ = syscall.BytePtrFromString(args[0])
		child.fork()
		fmt.Print(time.Duration(child.used.Utime.Nano() + child.used.Stime.Nano()))
	},
	// renames N NAME: forks N times; each child renames itself and ends.
	"renames": func(args []string) {
		n, _ := strconv.Atoi(args[0])
		child := child{generations: 1}
		child.name, _ = syscall.BytePtrFromString(args[1])
		for range n {
			child.fork()
		}
	},
	// fork DURATION: forks; the child only burns.
	"fork": func(args []string) {
		child := child{generations: 1, burnNs: int64(duration(args[0]))}
		child.fork()
	},
	// request DURATION: forks; the child forks a program of the same name,
	// as a server of classic CGI does.
	"request": func(args []string) {
		child := child{generations: 2}
		child.path, _ = syscall.BytePtrFromString(os.Args[0])
		child.argv, _ = syscall.SlicePtrFromStrings(os.Args[:1])
		child.env, _ = syscall.SlicePtrFromStrings(append(os.Environ(), bodyEnv+"=burn "+args[0]))
		child.fork()
	},
	// threadname NAME DURATION: a thread that is not the first renames itself.
	"threadname": func(args []string) {
		done := make(chan bool)
		go onThread(func() {
			name, _ := syscall.BytePtrFromString(args[0])
			syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(name)), 0)
			burn(duration(args[1]))
			done <- true
		})
		<-done
	},
	// leadersleep DURATION: the first thread burns, says what CPU time the
	// process has used in ns, and exits; another sleeps.
	"leadersleep": func(args []string) {
		burn(duration(args[0]))
		go onThread(func() { unix.Pause() })
		fmt.Println(cpuTime(unix.CLOCK_PROCESS_CPUTIME_ID))
		syscall.Syscall(syscall.SYS_EXIT, 0, 0, 0)
	},
	// spin NAME: forks; the child renames itself and never sleeps.
	"spin": func(args []string) {
		child := child{generations: 1, spins: true}
		child.name, _ = syscall.BytePtrFromString(args[0])
		child.fork()
	},
}

func runBody(words []string) {
	if cpu, err := strconv.Atoi(os.Getenv(cpuEnv)); err == nil {
		pin(cpu)
	}
	do, ok := bodies[words[0]]
	if !ok {
		fmt.Fprintf(os.Stderr, "no body %q\n", words[0])
		os.Exit(2)
	}
	do(words[1:])
}

func duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil {
		panic(err)
	}
	return d
}

// cpuTime reads one of the clocks, in ns.
//
//go:nosplit
func cpuTime(clock uintptr) int64 {
	var now unix.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&now)), 0)
	return now.Sec*1e9 + now.Nsec
}

// burn uses that much CPU time of its thread.
func burn(d time.Duration) {
	for end := cpuTime(unix.CLOCK_THREAD_CPUTIME_ID) + int64(d); cpuTime(unix.CLOCK_THREAD_CPUTIME_ID) < end; {
	}
}

// pin keeps the calling thread on one CPU.
func pin(cpu int) {
	var set unix.CPUSet
	set.Set(cpu)
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		panic(err)
	}
}

// onThread runs f on a thread of its own, which is not the leader as long as
// init has locked that to the main goroutine.
func onThread(f func()) {
	runtime.LockOSThread()
	f()
}

func init() {
	if os.Getenv(bodyEnv) != "" {
		runtime.LockOSThread()
	}
}

// child is what a fork of the process does; zero values are left out.
type child struct {
	generations int   // 2: the child's child does it
	name        *byte // to rename itself to
	handsOver   bool  // to another thread
	burnNs      int64
	spins       bool  // for ever, and without system calls
	path        *byte // to exec
	argv, env   []*byte
	used        unix.Rusage // set by fork
}

// fork forks and waits for the child. There, nothing is left of the Go runtime
// but this thread: it may only make raw system calls, and it must never look
// whether the runtime asks it to let others run, hence nosplit.
//
//go:nosplit
func (c *child) fork() {
	for generation := range c.generations {
		pid, _, _ := syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0)
		if pid == 0 {
			continue
		}
		syscall.RawSyscall6(syscall.SYS_WAIT4, pid, 0, 0, uintptr(unsafe.Pointer(&c.used)), 0, 0)
		if generation == 0 {
			return
		}
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
	}
	if c.name != nil {
		syscall.RawSyscall(syscall.SYS_PRCTL, unix.PR_SET_NAME, uintptr(unsafe.Pointer(c.name)), 0)
	}
	if c.handsOver {
		handOver()
	}
	for cpuTime(unix.CLOCK_THREAD_CPUTIME_ID) < c.burnNs {
	}
	//lint:ignore SA5002 it is meant to spin until it is killed
	for c.spins {
	}
	if c.path != nil {
		syscall.RawSyscall(syscall.SYS_EXECVE, uintptr(unsafe.Pointer(c.path)),
			uintptr(unsafe.Pointer(&c.argv[0])), uintptr(unsafe.Pointer(&c.env[0])))
	}
	syscall.RawSyscall(syscall.SYS_EXIT_GROUP, 0, 0, 0)
}

// handOver returns in another thread of the process, after the calling one has exited:
// that has a priority of real time until then, which it does not hand on. The two have
// one stack, so both system calls are made in one place, for the one to leave all return
// addresses as the other needs them.
//
//go:nosplit
func handOver() {
	const fifo, resetOnFork = 1, 1 << 30
	priority := int32(1)
	if _, _, errno := syscall.RawSyscall(unix.SYS_SCHED_SETSCHEDULER, 0, fifo|resetOnFork, uintptr(unsafe.Pointer(&priority))); errno != 0 {
		syscall.RawSyscall(syscall.SYS_EXIT_GROUP, uintptr(errno), 0, 0)
	}
	number, argument := uintptr(syscall.SYS_CLONE), uintptr(unix.CLONE_VM|unix.CLONE_FS|unix.CLONE_FILES|unix.CLONE_SIGHAND|unix.CLONE_THREAD|unix.CLONE_SYSVSEM)
	for {
		tid, _, _ := syscall.RawSyscall6(number, argument, 0, 0, 0, 0, 0)
		if tid == 0 {
			return
		}
		number, argument = syscall.SYS_EXIT, 0
	}
}

// become execs a body under the same name.
func become(words []string) {
	env := append(os.Environ(), bodyEnv+"="+strings.Join(words, " "))
	panic(syscall.Exec(os.Args[0], os.Args[:1], env))
}

// body is a process that does one of the bodies; its comm is name.
func body(t *testing.T, name string, words ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(link)
	cmd.Env = append(os.Environ(), bodyEnv+"="+strings.Join(words, " "), "GOMAXPROCS=2", "GOGC=off")
	cmd.Stderr = os.Stderr
	return cmd
}

// run runs a body and returns the CPU time that the kernel says it used, its
// ended children included.
func run(t *testing.T, cmd *exec.Cmd) time.Duration {
	t.Helper()
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v", cmd.Env[len(cmd.Env)-1], err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// runRenamed runs a fork on CPU 0 that renames itself, burns and ends, and
// returns the CPU time that the kernel told its parent, on the same CPU.
func runRenamed(t *testing.T, name, burn string) time.Duration {
	t.Helper()
	return runFork(t, "rename", name, burn)
}

// runFork does the same with another body that forks and renames itself.
func runFork(t *testing.T, what, name, burn string) time.Duration {
	t.Helper()
	cmd := body(t, "starter", what, name, burn)
	cmd.Env = append(cmd.Env, cpuEnv+"=0")
	out, err := cmd.Output()
	if err != nil {
		t.Error(err)
		return 0
	}
	used, err := time.ParseDuration(string(out))
	if err != nil {
		t.Error(err)
	}
	return used
}

// stolen is how long a hypervisor has kept a CPU from running, in steps of 10 ms.
func stolen(t *testing.T, cpu int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(stat)) {
		fields := strings.Fields(line)
		if len(fields) < 9 || fields[0] != fmt.Sprint("cpu", cpu) {
			continue
		}
		ticks, err := strconv.Atoi(fields[8])
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(ticks) * 10 * time.Millisecond
	}
	t.Fatalf("no cpu%d in /proc/stat", cpu)
	return 0
}

// start starts a body that does not end by itself; it is killed at the end.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(cmd) })
}

// kill ends a started body and its forks, and waits for it.
func kill(cmd *exec.Cmd) {
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	cmd.Wait()
}
