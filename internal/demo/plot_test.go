package demo

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func TestPlot(t *testing.T) {
	dir := t.TempDir()
	table := &Table{
		Kernel: "Linux 7.3.4", CPUs: 1, Rows: make([]Row, 1),
		KernelNs: []int64{40e6, 900e6, 12e9}, ALPSNs: []int64{10e6, 50e6, 11e9}, SRPTNs: []int64{9e6, 45e6, 10e9},
	}
	var pictures [][]byte
	for _, name := range []string{"1.svg", "2.svg"} {
		path := filepath.Join(dir, name)
		if err := table.Plot(path); err != nil {
			t.Fatal(err)
		}
		picture, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pictures = append(pictures, picture)
	}
	if !bytes.Equal(pictures[0], pictures[1]) {
		t.Error("two pictures of the same differ")
	}
	for _, text := range []string{"Linux 7.3.4 (mean 4.31 s)", "ALPS (mean 3.69 s)", "SRPT, the ideal (mean 3.35 s)", ">100 ms<", ">10 s<", ">50 %<"} {
		if !bytes.Contains(pictures[0], []byte(text)) {
			t.Errorf("the picture lacks %q", text)
		}
	}
	if err := table.Plot(filepath.Join(dir, "picture.txt")); err == nil {
		t.Error("no error for a format that there is not")
	}
}
