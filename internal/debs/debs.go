// Package debs installs Debian packages that tests and virtual machines need.
package debs

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// reasonBytes bounds what an error shows of apt's output: its end.
const reasonBytes = 4 << 10

// Install installs packages by the system's apt. That takes root; for others
// the error says what to install. Progress goes to log.
func Install(ctx context.Context, log io.Writer, packages ...string) error {
	list := strings.Join(packages, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("this system has no apt-get: install what is called %s in Debian", list)
	}
	if os.Getuid() != 0 {
		return fmt.Errorf("not root: run as root: apt-get install --no-install-recommends %s", list)
	}
	unlock, err := lock()
	if err != nil {
		return err
	}
	defer unlock()
	for _, args := range [][]string{
		{"update", "-q"},
		append([]string{"install", "-q", "-y", "--no-install-recommends"}, packages...),
	} {
		fmt.Fprintln(log, "apt-get", strings.Join(args, " "))
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		out, err := cmd.CombinedOutput()
		if err != nil && args[0] == "install" {
			return fmt.Errorf("installing %s: %w:\n%s", list, err, out[max(0, len(out)-reasonBytes):])
		}
		// A source that cannot be reached fails the update, but what is needed
		// may still be found in the others: let the installation decide.
	}
	return nil
}

// lock keeps others of this project's programs from running apt at the same
// time: tests of several packages run at once, and apt-get update does not wait.
func lock() (unlock func(), err error) {
	file, err := os.Open(os.TempDir()) // a lock of a folder leaves no file behind
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("waiting for apt: %w", err)
	}
	return func() { file.Close() }, nil
}
