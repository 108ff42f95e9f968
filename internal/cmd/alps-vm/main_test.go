package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRun(t *testing.T) {
	kernel := filepath.Join(t.TempDir(), "vmlinuz")
	if err := os.WriteFile(kernel, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ALPS_VM_KERNEL", "")
	for _, test := range []struct {
		args           string
		code           int
		stdout, stderr string // exactly; and the beginning
	}{
		{"kernel " + kernel, 0, kernel + "\n", ""},
		{"kernel /no/such/file", 1, "", "alps-vm: looking for the kernel: stat /no/such/file: "},
		{"frob", 2, "", "alps-vm: unexpected argument frob; see alps-vm --help\n"},
		{"run", 2, "", `alps-vm: expected "<command> ..."`},
		{"run --", 2, "", "alps-vm: "},
		{"run --cpus x -- true", 2, "", "alps-vm: --cpus: "},
		{"run --cpus 3 --sockets 2 -- true", 1, "", "alps-vm: 3 CPUs cannot be spread evenly over 2 sockets\n"},
		{"run --icount 11 -- true", 1, "", "alps-vm: virtual time of 2^11 ns"},
	} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), strings.Fields(test.args), &stdout, &stderr)
		if code != test.code || stdout.String() != test.stdout || !strings.HasPrefix(stderr.String(), test.stderr) || test.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%s: code %d, stdout %q, stderr %q", test.args, code, &stdout, &stderr)
		}
	}
}

func TestMachineFlags(t *testing.T) {
	shift := 3
	f := machineFlags{
		Kernel: "6.1", CPUs: 2, Icount: &shift, Console: true,
		File: []string{"a", "b:/c"}, Tree: []string{"d:/e"},
	}
	var stdout, stderr bytes.Buffer
	m := f.machine(&stdout, &stderr)
	if m.Kernel != "6.1" || m.CPUs != 2 || !m.VirtualTime || m.Shift != 3 || m.Console != &stderr || m.Stdout != &stdout {
		t.Errorf("%+v", m)
	}
	got := ""
	for _, file := range m.Files {
		got += file.Host + ">" + file.Guest + " "
	}
	if got != "a> b>/c d>/e " {
		t.Error(got)
	}
	f.Icount = nil
	if f.machine(nil, nil).VirtualTime {
		t.Error("virtual time without --icount")
	}
}
