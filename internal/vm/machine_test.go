package vm

import (
	"archive/tar"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		machine Machine
		want    string
	}{
		{Machine{}, ""},
		{Machine{CPUs: 4, Sockets: 2}, ""},
		{Machine{CPUs: 3, Sockets: 2}, "3 CPUs cannot be spread evenly over 2 sockets"},
		{Machine{Sockets: 2}, "1 CPUs cannot be spread evenly over 2 sockets"},
		{Machine{CPUs: -1}, "-1 CPUs: a machine has 1 to 255"},
		{Machine{VirtualTime: true, Shift: 11}, "virtual time of 2^11 ns an instruction: QEMU knows 0 to 10"},
	} {
		got := ""
		if err := test.machine.check(); err != nil {
			got = err.Error()
		}
		if got != test.want {
			t.Errorf("%+v: %q, want %q", test.machine, got, test.want)
		}
	}
	if _, err := (&Machine{}).Run(t.Context()); err == nil {
		t.Error("no command is no error")
	}
}

func TestEnvironment(t *testing.T) {
	env := environment([]string{"A=1", "HOME=/h", "A=2", "B"})
	for _, want := range []string{"A=2", "HOME=/h", "TMPDIR=/tmp", guestVariable + "=1"} {
		if !slices.Contains(env, want) {
			t.Errorf("no %s in %q", want, env)
		}
	}
	for _, not := range []string{"A=1", "HOME=/root"} {
		if slices.Contains(env, not) {
			t.Errorf("%s in %q", not, env)
		}
	}
}

func TestQEMUArguments(t *testing.T) {
	e := emulation{kernel: "/k", memoryMiB: 800, machine: &Machine{CPUs: 4, Sockets: 2, Append: "nosmt", VirtualTime: true, Shift: 3}}
	args := strings.Join(e.args([]*channel{{id: "console"}, {id: "out", port: "p.out"}}), " ")
	for _, want := range []string{
		"tcg,thread=single", "cpus=4,sockets=2,cores=2,threads=1", "-m 800M", "-kernel /k", " nosmt -device",
		"-icount shift=3,sleep=off", "fd=4,set=0", "fd=5,set=1", "-serial chardev:console", "virtserialport,chardev=out,name=p.out",
	} {
		if !strings.Contains(args, want) {
			t.Errorf("no %q in %s", want, args)
		}
	}
	e.machine = &Machine{}
	if args := strings.Join(e.args(nil), " "); strings.Contains(args, "icount") || !strings.Contains(args, "cpus=1,sockets=1,cores=1") {
		t.Error(args)
	}
}

func TestStatus(t *testing.T) {
	e := emulation{}
	for _, test := range []struct {
		verdict string
		want    int
		err     string
	}{
		{"status 7", 7, ""},
		{"signal 9", 137, ""},
		{"status x", 0, `the machine reported "status x", which is no status`},
		{"error no command x", 0, "in the machine: no command x"},
		{"start", 0, "the machine ended before its command did; its console:\npanic"},
		{"", 0, "the machine ended before it could start its command; its console:\npanic"},
	} {
		got, err := e.status(test.verdict, nil, nil, "panic", "")
		message := ""
		if err != nil {
			message = err.Error()
		}
		if got != test.want || message != test.err {
			t.Errorf("%q: %d, %q", test.verdict, got, message)
		}
	}
}

func TestReceiveTree(t *testing.T) {
	archive := func(headers ...tar.Header) *bytes.Buffer {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, h := range headers {
			h.Mode = 0o755
			if h.Typeflag == tar.TypeReg {
				h.Size = 2
			}
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
			if h.Typeflag == tar.TypeReg {
				if _, err := w.Write([]byte("hi")); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return &buf
	}
	dir := filepath.Join(t.TempDir(), "new")
	good := archive(tar.Header{Name: "d", Typeflag: tar.TypeDir}, tar.Header{Name: "d/f", Typeflag: tar.TypeReg})
	if err := receiveTree(good, dir); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "d/f")); err != nil || string(b) != "hi" {
		t.Errorf("%q, %v", b, err)
	}
	for _, name := range []string{"../evil", "/evil", "d/../../evil"} {
		if err := receiveTree(archive(tar.Header{Name: name, Typeflag: tar.TypeReg}), dir); err == nil {
			t.Errorf("%s was written", name)
		}
	}
	if err := receiveTree(new(bytes.Buffer), dir); err != nil {
		t.Errorf("nothing received: %v", err)
	}
	cut := archive(tar.Header{Name: "f", Typeflag: tar.TypeReg})
	cut.Truncate(513)
	if err := receiveTree(cut, dir); err == nil {
		t.Error("half an archive is no error")
	}
}

func TestTail(t *testing.T) {
	w := &tail{limit: 5}
	for _, s := range []string{"abc", "de\r", "f", "0123456789"} {
		if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
			t.Fatal(n, err)
		}
	}
	if w.String() != "56789" {
		t.Errorf("%q", w)
	}
}

func TestCheckStatic(t *testing.T) {
	script := filepath.Join(t.TempDir(), "x.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := checkStatic(script); err != nil {
		t.Errorf("a script: %v", err)
	}
	if err := checkStatic(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a missing file is no error")
	}
	shell, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no dynamic program to look at")
	}
	if err := checkStatic(shell); err == nil || !strings.Contains(err.Error(), "is linked dynamically") {
		t.Errorf("%s: %v", shell, err)
	}
}

func TestTestArguments(t *testing.T) {
	args, wanted := testArguments([]string{
		"-test.testlogfile=/tmp/b/testlog.txt", "-test.paniconexit0", "-test.v=true", "-test.run=^TestX=y$",
		"-test.coverprofile=/tmp/b/_cover_.out", "-test.gocoverdir=/tmp/b/gocoverdir", "-test.outputdir=/w",
		"-test.cpuprofile=cpu.out", "-test.bench", ".", "-own=1",
	}, "/pkg")
	wantArgs := []string{
		"-test.paniconexit0", "-test.v=true", "-test.run=^TestX=y$",
		"-test.coverprofile=/out/.gotest/coverprofile", "-test.gocoverdir=/out/.gotest/gocoverdir",
		"-test.cpuprofile=/out/.gotest/cpuprofile", "-test.bench", ".", "-own=1",
	}
	if diff := cmp.Diff(wantArgs, args); diff != "" {
		t.Error(diff)
	}
	wantFiles := []wantedFile{
		{"coverprofile", "/tmp/b/_cover_.out", "/out/.gotest/coverprofile", false},
		{"gocoverdir", "/tmp/b/gocoverdir", "/out/.gotest/gocoverdir", true},
		{"cpuprofile", "/w/cpu.out", "/out/.gotest/cpuprofile", false},
	}
	if diff := cmp.Diff(wantFiles, wanted, cmp.AllowUnexported(wantedFile{})); diff != "" {
		t.Error(diff)
	}
}

func TestHostVariables(t *testing.T) {
	got := hostVariables([]string{"HOME=/h", "ALPS_SEED=1", "ALPS_VM=1", "GODEBUG=x", "GODEBUGGER=y", "TEST_A=2"})
	if diff := cmp.Diff([]string{"ALPS_SEED=1", "GODEBUG=x", "TEST_A=2"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestTestdataDirs(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"testdata", "a/b/testdata", "c"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string][]string{
		"a/b": {"a/b/testdata", "testdata"},
		"c":   {"testdata"},
		".":   {"testdata"},
	} {
		var got []string
		for _, d := range testdataDirs(filepath.Join(root, dir)) {
			rel, err := filepath.Rel(root, d)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, rel)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", dir, diff)
		}
	}
}

// Zeros in the middle are the command's, those at the end init's.
func TestWithoutPadding(t *testing.T) {
	var got bytes.Buffer
	w := &withoutPadding{w: &got}
	for _, part := range []string{"a\x00b", "\x00", "\x00\x00c", "", "\x00\x00", "d\x00", "\x00"} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Errorf("%q: %d, %v", part, n, err)
		}
	}
	if want := "a\x00b\x00\x00\x00c\x00\x00d"; got.String() != want {
		t.Errorf("%q, want %q", got.String(), want)
	}
}
