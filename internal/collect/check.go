package collect

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"

	"alps/internal/rules"
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

// oldestForRequests tells programs the registers of a thread (bpf_task_pt_regs).
const oldestForRequests = 5<<16 | 15<<8

// check says what is missing for the kernel side to work here, before the
// kernel says EPERM or EINVAL for it.
func check() error {
	if err := checkVersion(oldestKernel, "collecting"); err != nil {
		return err
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

// checkVersion says it where the kernel is too old for something.
func checkVersion(oldest uint32, what string) error {
	version, err := features.LinuxVersionCode()
	if err != nil {
		return fmt.Errorf("finding the kernel's version: %w", err)
	}
	if version < oldest {
		return fmt.Errorf("this kernel is %d.%d; %s needs Linux %d.%d or newer",
			version>>16, version>>8&0xff, what, oldest>>16, oldest>>8&0xff)
	}
	return nil
}

// capability is one that the process may need.
type capability struct {
	number int
	name   string
	use    string // what it is needed for
}

var (
	capBPF     = capability{unix.CAP_BPF, "CAP_BPF", "to load eBPF programs"}
	capPerfmon = capability{unix.CAP_PERFMON, "CAP_PERFMON", "to trace the processes of all users"}
	capSearch  = capability{unix.CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH", "to read what container runtimes keep for root"}
)

// missingCapabilities are those that the process does not have. CAP_SYS_ADMIN
// includes the first two.
func missingCapabilities(wanted ...capability) ([]capability, error) {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var sets [2]unix.CapUserData
	if err := unix.Capget(&header, &sets[0]); err != nil {
		return nil, fmt.Errorf("finding the privileges of the process: %w", err)
	}
	has := func(number int) bool { return sets[number/32].Effective&(1<<(number%32)) != 0 }
	return slices.DeleteFunc(wanted, func(c capability) bool {
		switch c {
		case capBPF, capPerfmon:
			return has(c.number) || has(unix.CAP_SYS_ADMIN)
		case capSearch:
			return has(c.number) || has(unix.CAP_DAC_OVERRIDE)
		}
		return has(c.number)
	}), nil
}

// checkPrivilege names each capability that is missing, on a line of its own.
func checkPrivilege() error {
	missing, err := missingCapabilities(capBPF, capPerfmon)
	if err != nil || len(missing) == 0 {
		return err
	}
	var text strings.Builder
	var names []string
	for _, c := range missing {
		fmt.Fprintf(&text, "%s is missing: it is needed %s\n", c.name, c.use)
		names = append(names, strings.ToLower(c.name))
	}
	return fmt.Errorf("%srun it as root, or give it what is missing (setcap %s+ep FILE, or AmbientCapabilities= of a systemd unit)",
		text.String(), strings.Join(names, ","))
}

// warnOfRules says what rules may not be able to read. It is no error: the files
// may be others' to read, and what could not be read is counted.
func warnOfRules(set *rules.Set, messages io.Writer) error {
	if !set.Asks(rules.Container) {
		return nil
	}
	missing, err := missingCapabilities(capSearch)
	for _, c := range missing {
		fmt.Fprintf(messages, "%s is missing: it is needed %s; %s has rules by %s\n", c.name, c.use, set.Name, rules.Container)
	}
	return err
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
