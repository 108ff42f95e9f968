package collect

import (
	"bytes"
	"encoding/binary"
	"testing"

	"alps/bpf"
	"alps/internal/rules"
)

func TestExecOf(t *testing.T) {
	record := func(head bpf.ExecExec, rest string) []byte {
		var raw bytes.Buffer
		if err := binary.Write(&raw, binary.NativeEndian, head); err != nil {
			t.Fatal(err)
		}
		raw.WriteString(rest)
		return raw.Bytes()
	}
	exec, place, err := execOf(record(bpf.ExecExec{
		StartNs: 1, Cgroup: 2, Root: 3, Mounts: 4, Tgid: 5, Uid: 6, MountNs: 7, Flags: 2, ExeBytes: 7, ArgsBytes: 4, EnvBytes: 4,
	}, "fn\x00opt\x00fn\x00aA=1\x00and what is padding"))
	if err != nil {
		t.Fatal(err)
	}
	if exec.ID != (rules.ID{PID: 5, StartNs: 1}) || exec.UID != 6 || exec.New || !exec.Cut ||
		exec.MountID != (rules.MountID{Namespace: 7, Root: 3, Change: 4}) ||
		exec.Exe != "/opt/fn" || string(exec.Cmdline) != "fn\x00a" || string(exec.Environ) != "A=1\x00" {
		t.Errorf("%+v", exec)
	}
	if place != (bpf.ExecPlace{Cgroup: 2, Root: 3, Mounts: 4, MountNs: 7}) {
		t.Errorf("%+v", place)
	}
	for name, raw := range map[string][]byte{
		"head":   record(bpf.ExecExec{}, "")[:20],
		"length": record(bpf.ExecExec{ExeBytes: 1 << 31, ArgsBytes: 1 << 31, EnvBytes: 1}, "x"),
		"rest":   record(bpf.ExecExec{EnvBytes: 3}, "ab"),
	} {
		if exec, _, err := execOf(raw); err == nil {
			t.Errorf("%s: %+v", name, exec)
		}
	}
}
