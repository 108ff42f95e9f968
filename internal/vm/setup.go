package vm

import (
	"context"
	"io"
	"os"
	"os/exec"

	"alps/internal/debs"
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
	return debs.Install(ctx, log, missing...)
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
