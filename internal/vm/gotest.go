package vm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// testFiles are the flags of a test binary that name a file or directory for it
// to write. The go command gives host paths; the machine writes under /out.
var testFiles = map[string]bool{ // by flag: whether it names a directory
	"blockprofile": false,
	"coverprofile": false,
	"cpuprofile":   false,
	"gocoverdir":   true,
	"memprofile":   false,
	"mutexprofile": false,
	"trace":        false,
}

// testDropped are flags that mean nothing in the machine: testlogfile is for
// the go command's cache, outputdir is resolved here.
var testDropped = map[string]bool{"testlogfile": true, "outputdir": true}

// testOutDir is the part of the machine's /out for testFiles.
const testOutDir = ".gotest"

// testVariables are the host variables that a test sees; those with a * stand
// for all that begin so. This package's own, ALPS_VM and so on, are about the
// host.
var testVariables = []string{"ALPS_*", "TEST_*", "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GOTRACEBACK"}

// RunTest runs a test binary as go test would: args are its arguments, and the
// present directory is the package's. The binary finds the package's testdata,
// and that at the module's root, under the paths they have on the host.
// Coverage and other profiles are brought back to where args want them.
//
// It is what makes
//
//	CGO_ENABLED=0 go test -exec "alps-vm test --" ./internal/load
//
// run the tests of a package on another kernel.
func (m *Machine) RunTest(ctx context.Context, binary string, args ...string) (status int, err error) {
	cwd, err := os.Getwd()
	if err != nil {
		return 0, err
	}
	testArgs, wanted := testArguments(args, cwd)
	machine := *m
	machine.Dir = cwd
	machine.Files = slices.Clip(m.Files) // appending must not write into those of m
	machine.Env = append(hostVariables(os.Environ()), m.Env...)
	for _, dir := range testdataDirs(cwd) {
		machine.Files = append(machine.Files, File{Host: dir, Guest: dir})
	}
	if len(wanted) == 0 {
		return machine.Run(ctx, append([]string{binary}, testArgs...)...)
	}

	if machine.OutDir == "" {
		if machine.OutDir, err = os.MkdirTemp("", "alps-vm-test-"); err != nil {
			return 0, err
		}
		defer os.RemoveAll(machine.OutDir)
	}
	machine.emptyDirs = []string{path.Join("/out", testOutDir)}
	for _, w := range wanted {
		if w.isDir {
			machine.emptyDirs = append(machine.emptyDirs, w.guest)
		}
	}
	status, err = machine.Run(ctx, append([]string{binary}, testArgs...)...)
	brought := filepath.Join(machine.OutDir, testOutDir)
	if err == nil {
		for _, w := range wanted {
			err = errors.Join(err, moveInto(w.host, filepath.Join(brought, w.flag), w.isDir))
		}
	}
	return status, errors.Join(err, os.RemoveAll(brought))
}

// wantedFile is a file or directory that a test writes for the host.
type wantedFile struct {
	flag        string
	host, guest string
	isDir       bool
}

// testArguments replaces host paths in a test binary's arguments. It takes
// flags as the go command writes them, -test.NAME=VALUE.
func testArguments(args []string, cwd string) (out []string, wanted []wantedFile) {
	outputDir := cwd
	for _, a := range args {
		if v, ok := strings.CutPrefix(a, "-test.outputdir="); ok {
			outputDir = v
		}
	}
	for _, a := range args {
		name, value, hasValue := strings.Cut(a, "=")
		flag, ok := strings.CutPrefix(name, "-test.")
		if !ok || !hasValue {
			out = append(out, a)
			continue
		}
		isDir, isFile := testFiles[flag]
		switch {
		case testDropped[flag]:
		case isFile:
			if !filepath.IsAbs(value) {
				value = filepath.Join(outputDir, value)
			}
			guest := path.Join("/out", testOutDir, flag)
			wanted = append(wanted, wantedFile{flag: flag, host: value, guest: guest, isDir: isDir})
			out = append(out, name+"="+guest)
		default:
			out = append(out, a)
		}
	}
	return out, wanted
}

// hostVariables picks those of testVariables out of an environment.
func hostVariables(environ []string) []string {
	var picked []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if strings.HasPrefix(name, "ALPS_VM") {
			continue
		}
		for _, v := range testVariables {
			prefix, any := strings.CutSuffix(v, "*")
			if name == v || any && strings.HasPrefix(name, prefix) {
				picked = append(picked, kv)
				break
			}
		}
	}
	return picked
}

// testdataDirs returns those that there are: dir's testdata, and that beside
// the go.mod above dir.
func testdataDirs(dir string) []string {
	isDir := func(p string) bool {
		info, err := os.Stat(p)
		return err == nil && info.IsDir()
	}
	var dirs []string
	if own := filepath.Join(dir, "testdata"); isDir(own) {
		dirs = append(dirs, own)
	}
	for root := dir; ; root = filepath.Dir(root) {
		if _, err := os.Stat(filepath.Join(root, "go.mod")); err == nil {
			if shared := filepath.Join(root, "testdata"); root != dir && isDir(shared) {
				dirs = append(dirs, shared)
			}
			return dirs
		}
		if root == filepath.Dir(root) {
			return dirs
		}
	}
}

// moveInto copies a file, or a directory's files, to a host path on whatever
// file system. A file that the test did not write, because it failed early, is
// no error.
func moveInto(to, from string, isDir bool) error {
	if !isDir {
		return copyFile(to, from)
	}
	entries, err := os.ReadDir(from)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if err := copyFile(filepath.Join(to, e.Name()), filepath.Join(from, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return fmt.Errorf("bringing back a profile: %w", err)
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
