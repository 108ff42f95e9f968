package main

import (
	"fmt"
	"os"
	"syscall"
	"unsafe"
)

// mounts are made in this order. Those marked optional depend on the kernel's
// configuration, and the command can do without them.
var mounts = []struct {
	fstype, dir string
	flags       uintptr
	data        string
	optional    bool
}{
	{"proc", "/proc", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, "", false},
	{"sysfs", "/sys", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, "", false},
	{"devtmpfs", "/dev", syscall.MS_NOSUID, "mode=0755", false},
	{"devpts", "/dev/pts", syscall.MS_NOSUID | syscall.MS_NOEXEC, "mode=0620,ptmxmode=0666", true},
	{"tmpfs", "/dev/shm", syscall.MS_NOSUID | syscall.MS_NODEV, "mode=1777", false},
	{"cgroup2", "/sys/fs/cgroup", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, "", true},
	{"bpf", "/sys/fs/bpf", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, "mode=0700", true},
	{"tracefs", "/sys/kernel/tracing", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, "", true},
	{"debugfs", "/sys/kernel/debug", syscall.MS_NOSUID | syscall.MS_NODEV | syscall.MS_NOEXEC, "", true},
}

func mountAll() error {
	for _, m := range mounts {
		// In sysfs the directory exists or the kernel has not got the feature.
		_ = os.MkdirAll(m.dir, 0o755)
		if err := syscall.Mount(m.fstype, m.dir, m.fstype, m.flags, m.data); err != nil && !m.optional {
			return fmt.Errorf("mounting %s on %s: %w", m.fstype, m.dir, err)
		}
	}
	// Not mounts of their own: the root is in memory already, and a mount would
	// hide what the host put there.
	for dir, mode := range map[string]os.FileMode{"/tmp": 0o777 | os.ModeSticky, "/run": 0o755} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := os.Chmod(dir, mode); err != nil {
			return err
		}
	}
	links := map[string]string{
		"/dev/fd":     "/proc/self/fd",
		"/dev/stdin":  "/proc/self/fd/0",
		"/dev/stdout": "/proc/self/fd/1",
		"/dev/stderr": "/proc/self/fd/2",
	}
	for link, target := range links {
		_ = os.Symlink(target, link)
	}
	// One by one: a controller that the kernel lacks must not keep out the
	// other.
	for _, c := range []string{"+cpu", "+cpuset"} {
		_ = os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte(c), 0)
	}
	return nil
}

// loadModules loads the modules in dir, which may be missing.
func loadModules(dir string) error {
	entries, _ := os.ReadDir(dir) // sorted
	for _, e := range entries {
		f, err := os.Open(dir + "/" + e.Name())
		if err != nil {
			return err
		}
		params := [1]byte{} // none
		_, _, errno := syscall.Syscall(sysFinitModule, f.Fd(), uintptr(unsafe.Pointer(&params)), 0)
		f.Close()
		if errno != 0 {
			return fmt.Errorf("loading %s: %w", e.Name(), errno)
		}
	}
	return nil
}

// sysFinitModule is finit_module(2) on amd64, which package syscall lacks.
const sysFinitModule = 313

func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	// struct ifreq: the name, then a union of which the flags are used.
	ifreq := struct {
		name  [16]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(ifreq.name[:], "lo")
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&ifreq)))
	if errno != 0 {
		return errno
	}
	return nil
}
