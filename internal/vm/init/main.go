// Command init is process 1 of the test machine. Package vm embeds its source,
// builds it statically and packs it into the initramfs as /init; it imports
// only the standard library so that it can be built anywhere.
//
// It mounts the kernel's file systems, runs one command, and hands what comes
// of it to the host over virtio serial ports. While the command runs it sleeps:
// with virtual time, each of its instructions would be part of the experiment.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The names of the ports and files are repeated in package vm, which makes
// them.
const (
	portStdout  = "alps.stdout"
	portStderr  = "alps.stderr"
	portControl = "alps.control"
	portOut     = "alps.out"

	argsFile = "/.alps/args" // NUL-terminated strings
	envFile  = "/.alps/env"  // NUL-terminated K=V
	cwdFile  = "/.alps/cwd"

	modulesDir = "/.alps/modules" // *.ko, loaded in the order of their names

	busybox = "/bin/busybox"
	outDir  = "/out"
)

func main() {
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "init: is process 1 of the test machine, not a command")
		os.Exit(2)
	}
	debug.SetGCPercent(-1)
	// A write to a pipe that nobody reads must not end process 1, which would
	// be a panic.
	signal.Ignore(syscall.SIGPIPE)

	if err := run(); err != nil {
		// The console is what the host shows when no status came.
		fmt.Fprintln(os.Stderr, "init:", err)
	}
	syscall.Sync()
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF)
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_RESTART)
}

// run returns an error only where the host cannot be told of it over the
// control port.
func run() error {
	if err := mountAll(); err != nil {
		return err
	}
	if err := loadModules(modulesDir); err != nil {
		return err
	}
	ports, err := openPorts(portStdout, portStderr, portControl, portOut)
	if err != nil {
		return err
	}
	control := ports[portControl]
	if err := prepare(); err != nil {
		_, err = fmt.Fprintf(control, "error %v\n", err)
		return err
	}
	status, err := runCommand(control, ports[portStdout], ports[portStderr])
	if err != nil {
		_, err = fmt.Fprintf(control, "error %v\n", err)
		return err
	}
	if err := sendTree(ports[portOut], outDir); err != nil {
		_, err = fmt.Fprintf(control, "error sending %s: %v\n", outDir, err)
		return err
	}
	for _, name := range []string{portStdout, portStderr, portOut} {
		if err := settle(ports[name]); err != nil {
			_, err = fmt.Fprintf(control, "error sending to %s: %v\n", name, err)
			return err
		}
	}
	_, err = fmt.Fprintln(control, status)
	return err
}

// settle returns once the host has taken all that was written to a port. A
// write comes back as soon as it is in the port's ring, and what is there when
// the machine is switched off is lost: if the host is busy, that is the end of
// what the command wrote. So the ring is filled up with zeros, one an entry,
// twice over; package vm drops them.
func settle(port *os.File) error {
	const ringEntries = 128 // QEMU's, hw/char/virtio-serial-bus.c
	for range 2 * ringEntries {
		if _, err := port.Write([]byte{0}); err != nil {
			return err
		}
	}
	return nil
}

// prepare does what scripts and tests take for granted.
func prepare() error {
	if err := os.MkdirAll(outDir, 0o755); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("setting up lo: %w", err)
	}
	if _, err := os.Stat(busybox); err == nil {
		pid, err := syscall.ForkExec(busybox, []string{"busybox", "--install", "-s", "/bin"}, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
		if err != nil {
			return fmt.Errorf("running %s: %w", busybox, err)
		}
		if _, err := waitFor(pid); err != nil {
			return err
		}
	}
	return nil
}

// runCommand runs the packed command to its end, then ends all that it left
// behind, and returns the line that tells the host how it went: "status 7" or
// "signal 9". What the command writes goes through pipes, not straight to the
// ports: a port can be opened only once, and /dev/stdout is an open.
func runCommand(control, stdout, stderr *os.File) (string, error) {
	args, err := readStrings(argsFile)
	if err != nil {
		return "", err
	}
	env, err := readStrings(envFile)
	if err != nil {
		return "", err
	}
	cwd, err := os.ReadFile(cwdFile)
	if err != nil {
		return "", err
	}
	path, err := lookPath(args[0], env)
	if err != nil {
		return "", err
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDONLY, 0)
	if err != nil {
		return "", err
	}

	var copies sync.WaitGroup
	outW, err := pipeTo(stdout, &copies)
	if err != nil {
		return "", err
	}
	errW, err := pipeTo(stderr, &copies)
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(control, "start"); err != nil {
		return "", err
	}
	pid, err := syscall.ForkExec(path, args, &syscall.ProcAttr{
		Dir:   string(cwd),
		Env:   env,
		Files: []uintptr{null.Fd(), uintptr(outW), uintptr(errW)},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	})
	syscall.Close(outW)
	syscall.Close(errW)
	if err != nil {
		return "", fmt.Errorf("running %s: %w", path, err)
	}
	ws, err := waitFor(pid)
	if err != nil {
		return "", err
	}
	killRest()
	copies.Wait()
	if ws.Signaled() {
		return fmt.Sprintf("signal %d", ws.Signal()), nil
	}
	return fmt.Sprintf("status %d", ws.ExitStatus()), nil
}

// waitFor reaps children, orphans among them, until pid has ended.
func waitFor(pid int) (syscall.WaitStatus, error) {
	for {
		var ws syscall.WaitStatus
		got, err := syscall.Wait4(-1, &ws, 0, nil)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, fmt.Errorf("waiting for the command: %w", err)
		case got == pid:
			return ws, nil
		}
	}
}

// killRest ends and reaps every other process: nothing may hold the pipes open
// or change the files that are about to be sent.
func killRest() {
	for {
		// Again each time: a process may have forked between the two calls.
		_ = syscall.Kill(-1, syscall.SIGKILL)
		_, err := syscall.Wait4(-1, nil, 0, nil)
		if err != nil && err != syscall.EINTR {
			return
		}
	}
}

// pipeTo returns the writing end of a pipe whose content goes to port. Plain
// blocking reads: the runtime's poller would add wake-ups of its own.
func pipeTo(port *os.File, copies *sync.WaitGroup) (int, error) {
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
		return 0, err
	}
	copies.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := syscall.Read(p[0], buf)
			if err == syscall.EINTR {
				continue
			}
			if n <= 0 {
				return
			}
			if _, err := port.Write(buf[:n]); err != nil {
				fmt.Fprintln(os.Stderr, "init:", err)
			}
		}
	})
	return p[1], nil
}

// openPorts opens virtio serial ports by name. The driver learns the names some
// time after it has found the device, so they are waited for.
func openPorts(names ...string) (map[string]*os.File, error) {
	const (
		class = "/sys/class/virtio-ports"
		limit = 10 * time.Second
		pause = 10 * time.Millisecond
	)
	ports := make(map[string]*os.File)
	for waited := time.Duration(0); ; waited += pause {
		entries, _ := os.ReadDir(class)
		for _, e := range entries {
			b, _ := os.ReadFile(class + "/" + e.Name() + "/name")
			name := strings.TrimSpace(string(b))
			if name == "" || ports[name] != nil {
				continue
			}
			fd, err := syscall.Open("/dev/"+e.Name(), syscall.O_WRONLY|syscall.O_CLOEXEC, 0)
			if err != nil {
				continue
			}
			ports[name] = os.NewFile(uintptr(fd), name)
		}
		missing := ""
		for _, name := range names {
			if ports[name] == nil {
				missing = name
			}
		}
		if missing == "" {
			return ports, nil
		}
		if waited >= limit {
			return nil, fmt.Errorf("no virtio port %s (CONFIG_VIRTIO_CONSOLE must be built in)", missing)
		}
		time.Sleep(pause)
	}
}

// readStrings reads NUL-terminated strings.
func readStrings(path string) ([]string, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s := strings.Split(string(b), "\x00")
	return s[:len(s)-1], nil
}

// lookPath finds name as execvp would, in the PATH of env.
func lookPath(name string, env []string) (string, error) {
	if strings.Contains(name, "/") {
		return name, nil
	}
	var path string
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	for dir := range strings.SplitSeq(path, ":") {
		file := dir + "/" + name
		if st, err := os.Stat(file); err == nil && st.Mode().IsRegular() && st.Mode()&0o111 != 0 {
			return file, nil
		}
	}
	return "", fmt.Errorf("no command %s in the machine's PATH %s", name, path)
}
