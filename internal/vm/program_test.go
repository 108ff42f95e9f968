package vm

import (
	"path/filepath"
	"slices"
	"testing"
)

// The host's shell stands for a program, and libraries come one by one.
func TestLinked(t *testing.T) {
	const shell = "/bin/sh"
	needed, err := libraryNames(shell)
	if err != nil || !slices.Contains(needed, "libc.so.6") {
		t.Skipf("%s is not linked with libc.so.6: %v, %v", shell, needed, err)
	}
	root := t.TempDir()
	put := func(path, from string) {
		t.Helper()
		if err := copyProgramFile(filepath.Join(root, path), from); err != nil {
			t.Fatal(err)
		}
	}
	put("usr/share/sh", shell)
	if _, _, err := linked(root, "sh"); err == nil || err.Error() != "no program sh in the package" {
		t.Errorf("without a program: %v", err)
	}
	put("bin/sh", shell)
	picked, missing, err := linked(root, "sh")
	if err != nil || !slices.Contains(missing, "libc.so.6") || len(picked) != 1 || picked["usr/bin/sh"] != filepath.Join(root, "bin/sh") {
		t.Errorf("without libraries: picked %v, missing %v, %v", picked, missing, err)
	}
	for _, library := range needed {
		put("lib/deep/down/"+library, shell) // which is none, but needs the same
		put("usr/lib/"+library, shell)
	}
	put("usr/lib/ld-linux-x86-64.so.2", shell)
	picked, missing, err = linked(root, "sh")
	if err != nil || len(missing) > 0 {
		t.Errorf("with libraries: missing %v, %v", missing, err)
	}
	if got, want := picked[libraryDir+"/libc.so.6"], filepath.Join(root, "usr/lib/libc.so.6"); got != want {
		t.Errorf("libc.so.6 is %s, want %s", got, want)
	}
	if picked[programLoader] == "" {
		t.Errorf("no loader: %v", picked)
	}
}
