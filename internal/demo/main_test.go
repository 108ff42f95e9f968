package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// root is the repository's.
const root = "../.."

// toolsDir is where buildTools puts the tools.
var toolsDir string

func TestMain(m *testing.M) {
	var err error
	if toolsDir, err = os.MkdirTemp("", "alps-demo-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	status := m.Run()
	os.RemoveAll(toolsDir)
	os.Exit(status)
}

// buildTools returns the absolute path of a directory with the four tools, built
// as make build does.
func buildTools(t *testing.T) string {
	t.Helper()
	if err := buildOnce(); err != nil {
		t.Fatal(err)
	}
	return toolsDir
}

var buildOnce = sync.OnceValue(func() error {
	build := exec.Command("go", "build", "-o", toolsDir+string(filepath.Separator), "./cmd/...")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if said, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the tools: %w\n%s", err, said)
	}
	return nil
})

// needMachine skips tests that boot machines where they are not asked for.
func needMachine(t *testing.T) {
	t.Helper()
	if os.Getenv("ALPS_VM") == "" {
		t.Skip("boots a virtual machine; set ALPS_VM=1 to run it")
	}
}
