package load

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

const (
	schedExtDir = "/sys/kernel/sched_ext"
	vmlinuxBTF  = "/sys/kernel/btf/vmlinux"
)

// Supported tells what this machine or this user lacks to run the scheduler
// with pins in the directory pins, in one line that says what to do; nil if
// nothing is known to be missing.
func Supported(pins string) error {
	if _, err := os.Stat(schedExtDir); errors.Is(err, fs.ErrNotExist) {
		return errors.New("this kernel has no sched_ext; Linux 6.12 or newer built with CONFIG_SCHED_CLASS_EXT=y is needed")
	}
	if _, err := os.Stat(vmlinuxBTF); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("this kernel has no BTF (%s); one built with CONFIG_DEBUG_INFO_BTF=y is needed", vmlinuxBTF)
	}
	parent := filepath.Dir(pins)
	var st unix.Statfs_t
	if err := unix.Statfs(parent, &st); err != nil {
		return fmt.Errorf("looking at %s: %w", parent, err)
	}
	if st.Type != unix.BPF_FS_MAGIC {
		return fmt.Errorf("%s is not on a BPF file system; mount one: mount -t bpf bpf /sys/fs/bpf", parent)
	}
	if os.Geteuid() != 0 {
		return errors.New("no privilege to load a scheduler; run as root")
	}
	if !capable() {
		return errors.New("no privilege; run as root, outside containers that withhold CAP_BPF or CAP_SYS_ADMIN")
	}
	return nil
}

// capable tells whether this process has CAP_SYS_ADMIN, or CAP_BPF and
// CAP_PERFMON. Asked first, because what fails without them is sometimes a
// probe of a library, which takes it for a kernel that is too old.
func capable() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return true // the kernel will say
	}
	has := func(capability uint) bool { return data[capability/32].Effective>>(capability%32)&1 == 1 }
	return has(unix.CAP_SYS_ADMIN) || has(unix.CAP_BPF) && has(unix.CAP_PERFMON)
}

// inCharge returns the name of the sched_ext scheduler that is in charge, ""
// if the kernel's own is.
func inCharge() string {
	state, err := os.ReadFile(filepath.Join(schedExtDir, "state"))
	if err != nil || strings.TrimSpace(string(state)) == "disabled" {
		return ""
	}
	ops, err := os.ReadFile(filepath.Join(schedExtDir, "root", "ops"))
	if err != nil { // it has left in between, or is about to come
		return ""
	}
	return strings.TrimSpace(string(ops))
}

// changing tells whether the kernel is between two schedulers, in which it
// names none and takes none.
func changing() bool {
	state, err := os.ReadFile(filepath.Join(schedExtDir, "state"))
	switch strings.TrimSpace(string(state)) {
	case "enabled", "disabled":
		return false
	}
	return err == nil
}

// explain adds to an error of the kernel what can be done about it.
func explain(doing string, err error) error {
	var ve *ebpf.VerifierError
	switch {
	case errors.Is(err, unix.EPERM) && !errors.As(err, &ve):
		return fmt.Errorf("%s: no privilege; run as root, outside containers that withhold CAP_BPF or CAP_SYS_ADMIN", doing)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("%s: another sched_ext scheduler is in charge; stop it first", doing)
	case errors.As(err, &ve):
		return fmt.Errorf("%s: the kernel's verifier refuses it: %+v", doing, ve)
	}
	return fmt.Errorf("%s: %w", doing, err)
}
