package workload

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// RunnerName is the file name of the runner that [BuildRunner] makes.
const RunnerName = "alps-runner"

//go:embed runner/*.c runner/*.h
var runnerSource embed.FS

// BuildRunner compiles the runner into dir and returns its path. The program
// is static, so that it also runs in a machine that has nothing else.
//
// It needs a C compiler with the static C library: $CC, or gcc where that is
// not set. The error of a missing or refusing compiler carries what it said.
func BuildRunner(ctx context.Context, dir string) (string, error) {
	source, err := os.MkdirTemp("", "alps-runner-")
	if err != nil {
		return "", fmt.Errorf("compiling the workload runner: %w", err)
	}
	defer os.RemoveAll(source)
	if err := os.CopyFS(source, runnerSource); err != nil {
		return "", fmt.Errorf("compiling the workload runner: %w", err)
	}
	parts, err := fs.Glob(runnerSource, "runner/*.c")
	if err != nil {
		return "", fmt.Errorf("compiling the workload runner: %w", err)
	}
	path, err := filepath.Abs(filepath.Join(dir, RunnerName))
	if err != nil {
		return "", fmt.Errorf("compiling the workload runner: %w", err)
	}
	compiler := os.Getenv("CC")
	if compiler == "" {
		compiler = "gcc"
	}
	args := []string{"-std=gnu11", "-O2", "-static", "-Wall", "-Wextra", "-o", path}
	cmd := exec.CommandContext(ctx, compiler, append(args, parts...)...)
	cmd.Dir = source
	said, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("compiling the workload runner with %s: %w; it takes a C compiler with the static C library (Debian: gcc libc6-dev)\n%s",
			compiler, err, strings.TrimSpace(string(said)))
	}
	return path, nil
}
