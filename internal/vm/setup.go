package vm

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// Setup installs the Debian or Ubuntu packages that machines need and this
// system lacks: QEMU, and the keys of Debian's archive. That takes root; for
// others the error says what to install. Progress goes to log.
func Setup(ctx context.Context, log io.Writer) error {
	var missing []string
	if _, err := exec.LookPath(qemuProgram); err != nil {
		missing = append(missing, "qemu-system-x86")
	}
	if os.Getenv(kernelVariable) == "" && keyring() == "" {
		missing = append(missing, "debian-archive-keyring")
	}
	if len(missing) == 0 {
		return nil
	}
	list := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this system has no apt-get: install what is called %s in Debian", list)
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("not root: run as root: apt-get install --no-install-recommends %s", list)
	}
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-q", "-y", "--no-install-recommends"}, missing...),
	} {
		fmt.Fprintln(log, "apt-get", strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		out := &tail{limit: 4 << 10}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Run(); err != nil && args[0] == "install" {
			return fmt.Errorf("installing %s: %w:\n%s", list, err, out)
		}
		// A source that cannot be reached fails the update, but what is needed
		// may still be found in the others: let the installation decide.
	}
	return nil
}

// keyring returns the file of the archive's keys, "" if there is none.
func keyring() string {
	for _, k := range keyrings {
		if _, err := os.Stat(k); err == nil {
			return k
		}
	}
	return ""
}
