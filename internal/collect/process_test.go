package collect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"alps/bpf"
)

func record(t *testing.T, head bpf.CollectHead, names string) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := binary.Write(&out, binary.NativeEndian, &head); err != nil {
		t.Fatal(err)
	}
	out.WriteString(names)
	return out.Bytes()
}

func TestReadRecords(t *testing.T) {
	names := "c\x00b\x00"
	a := record(t, bpf.CollectHead{Id: 7, StartNs: 9, PathBytes: int32(len(names)), Comm: [16]int8{'f', 'n', 0, 'x'}}, names)
	b := record(t, bpf.CollectHead{Id: 8, PathBytes: -1}, "")
	c := record(t, bpf.CollectHead{Id: 9}, "")
	in := bytes.NewReader(bytes.Join([][]byte{a, b, c}, nil))
	buffer := make([]byte, headBytes+pathBytes)
	for _, want := range []process{
		{processID: processID{7, 9}, Comm: "fn", Cgroup: "/b/c"},
		{processID: processID{8, 0}, Cgroup: ""},
		{processID: processID{9, 0}, Cgroup: "/"},
	} {
		head, names, err := readRecord(in, buffer)
		if err != nil {
			t.Fatal(err)
		}
		if got := processOf(&head, names); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	if _, _, err := readRecord(in, buffer); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
	for _, cut := range [][]byte{a[:headBytes-1], a[:len(a)-1], record(t, bpf.CollectHead{PathBytes: pathBytes + 1}, "")} {
		if _, _, err := readRecord(bytes.NewReader(cut), buffer); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%d bytes: %v", len(cut), err)
		}
	}
}

// A record in the kernel is the head as Go decodes it, and the path.
func TestSizesAreTheKernelSides(t *testing.T) {
	if got := binary.Size(bpf.CollectHead{}); got != headBytes {
		t.Errorf("the head is decoded from %d bytes, and has %d", got, headBytes)
	}
	spec, err := bpf.LoadCollect()
	if err != nil {
		t.Fatal(err)
	}
	if got := int(spec.Maps[bpf.CollectMapScratch].ValueSize); got != headBytes+pathBytes {
		t.Errorf("a record in the kernel has %d bytes, want %d", got, headBytes+pathBytes)
	}
	if got := int(spec.Maps[bpf.CollectMapProcesses].ValueSize); got != binary.Size(bpf.CollectProcess{}) {
		t.Errorf("a process in the kernel has %d bytes, want %d", got, binary.Size(bpf.CollectProcess{}))
	}
}
