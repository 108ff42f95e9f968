package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// nobody is a user who may do nothing in particular.
const nobody = 65534

// TestStateNotAllowed: a state that may not be read or replaced is told before any
// policy. Root may do everything, and so the tool runs as somebody else.
func TestStateNotAllowed(t *testing.T) {
	dir, err := os.MkdirTemp("", "alps-tune") // which others can look into, unlike t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	tool := filepath.Join(dir, "alps-tune")
	if out, err := exec.Command("go", "build", "-o", tool, "alps/cmd/alps-tune").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const state = "window,rows,what,class,key,invocation,slice_ns,wait_ns\n5,1,policy,a,,,9000000,\n"
	file := filepath.Join(dir, "s.csv")
	for _, test := range []struct {
		name         string
		folder, file os.FileMode
		want         string
	}{
		{"unreadable", 0o777, 0, "open s.csv: permission denied"},
		{"read-only folder", 0o555, 0o666, "s.csv: a folder that new files can be put into is needed: permission denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := os.WriteFile(file, []byte(state), 0o666); err != nil {
				t.Fatal(err)
			}
			for path, mode := range map[string]os.FileMode{file: test.file, dir: test.folder} {
				if err := os.Chmod(path, mode); err != nil {
					t.Fatal(err)
				}
			}
			t.Cleanup(func() { os.Chmod(dir, 0o755); os.Chmod(file, 0o644) })
			cmd := exec.Command(tool, "--state", "s.csv")
			cmd.Dir = dir
			cmd.Stdin = strings.NewReader(turnsHeader + "6,1,a,comm:a,i,1,5000000,0,1,10\n")
			var stdout, stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = &stdout, &stderr
			if os.Geteuid() == 0 {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
			}
			cmd.Run()
			if got := cmd.ProcessState.ExitCode(); got != 1 || stdout.Len() > 0 || stderr.String() != "alps-tune: "+test.want+"\n" {
				t.Errorf("exit code %d, stdout %q, stderr %q; want 1 and %s", got, &stdout, &stderr, test.want)
			}
			os.Chmod(file, 0o644)
			if got, err := os.ReadFile(file); err != nil || string(got) != state {
				t.Errorf("the state is %q, %v", got, err)
			}
		})
	}
}
