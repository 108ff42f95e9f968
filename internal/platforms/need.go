package platforms

import (
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"alps/internal/debs"
)

// installEnv allows tests to install Debian packages; make test sets it.
const installEnv = "ALPS_INSTALL"

// installTime bounds an installation.
const installTime = 10 * time.Minute

// Need finds programs, each given as PROGRAM or PROGRAM=PACKAGE of Debian.
// Packages that are missing are installed if ALPS_INSTALL is set, else the test
// is skipped.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("making containers takes root")
	}
	missing := lacking(programs)
	if len(missing) == 0 {
		return
	}
	list := strings.Join(missing, " ")
	if os.Getenv(installEnv) == "" {
		t.Skipf("Debian's packages are missing: %s (with %s=1, which make test sets, the tests install them)", list, installEnv)
	}
	ctx, stop := context.WithTimeout(context.Background(), installTime)
	defer stop()
	if err := debs.Install(ctx, t.Output(), missing...); err != nil {
		t.Skip(err)
	}
	if missing := lacking(programs); len(missing) > 0 {
		t.Fatalf("%s: installed, but not found", strings.Join(missing, " "))
	}
}

// lacking are the packages of programs that this system lacks.
func lacking(programs []string) []string {
	var missing []string
	for _, p := range programs {
		program, debian, renamed := strings.Cut(p, "=")
		if !renamed {
			debian = program
		}
		path, err := exec.LookPath(program)
		if err != nil || program == "busybox" && !isStatic(path) {
			missing = append(missing, debian)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing) // a package may have several of the programs
}

// isStatic tells whether a program runs in a root file system without libraries.
func isStatic(path string) bool {
	out, err := exec.Command("ldd", path).CombinedOutput()
	return err != nil || !strings.Contains(string(out), "libc")
}
