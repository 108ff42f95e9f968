package collect

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"
)

// Where the kernel describes its types, and the number that the host's pid
// namespace has on every Linux (PROC_PID_INIT_INO).
const (
	btfFile       = "/sys/kernel/btf/vmlinux"
	hostPIDs      = "pid:[4026531836]"
	hostPIDsProbe = "/proc/self/ns/pid"
)

// oldestKernel has ring buffers, task iterators, memory accounting without
// RLIMIT_MEMLOCK (5.11) and atomic operations that return a value (5.12).
const oldestKernel = 5<<16 | 12<<8

// check says what is missing for the kernel side to work here, before the
// kernel says EPERM or EINVAL for it.
func check() error {
	version, err := features.LinuxVersionCode()
	if err != nil {
		return fmt.Errorf("finding the kernel's version: %w", err)
	}
	if version < oldestKernel {
		return fmt.Errorf("this kernel is %d.%d; collecting needs Linux 5.12 or newer", version>>16, version>>8&0xff)
	}
	if _, err := os.Stat(btfFile); err != nil {
		return fmt.Errorf("no %s: this kernel does not describe its types; collecting needs one built with CONFIG_DEBUG_INFO_BTF=y, as those of the distributions are", btfFile)
	}
	if err := checkPrivilege(); err != nil {
		return err
	}
	// The kernel lists to a process only the processes of its namespace.
	if namespace, err := os.Readlink(hostPIDsProbe); err == nil && namespace != hostPIDs {
		return fmt.Errorf("started in a pid namespace of its own, from where the functions cannot be seen; start it on the host, or its container with the host's pids (docker run --pid=host)")
	}
	return nil
}

func checkPrivilege() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return fmt.Errorf("finding the privileges of the process: %w", err)
	}
	has := func(capability int) bool {
		return sets[capability/32].Effective&(1<<(capability%32)) != 0
	}
	if has(unix.CAP_SYS_ADMIN) || has(unix.CAP_BPF) && has(unix.CAP_PERFMON) {
		return nil
	}
	return errors.New("no privilege to load eBPF programs; run it as root or with the capabilities CAP_BPF and CAP_PERFMON")
}

// explain adds to an error of the kernel what it most likely means.
func explain(doing string, err error) error {
	var refused *ebpf.VerifierError
	switch {
	case errors.As(err, &refused):
		return fmt.Errorf("%s: this kernel refuses them: %w", doing, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: %w (in a container, or under lockdown or a security module, CAP_BPF and CAP_PERFMON may not be enough)", doing, err)
	case errors.Is(err, unix.ENOMEM):
		return fmt.Errorf("%s: %w (the memory limit of the cgroup counts for eBPF maps too)", doing, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
