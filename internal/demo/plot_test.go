package demo

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot/plotter"
)

func TestDistribution(t *testing.T) {
	got := distribution([]int64{3000, 1, 2000, 2000})
	want := plotter.XYs{
		{X: 1000, Y: 0}, {X: 1000, Y: 0.25}, // the log scale begins at 1 us
		{X: 2000, Y: 0.25}, {X: 2000, Y: 0.5}, {X: 2000, Y: 0.5}, {X: 2000, Y: 0.75},
		{X: 3000, Y: 0.75}, {X: 3000, Y: 1},
	}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("point %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestTimeTicks(t *testing.T) {
	var labels []string
	var minor int
	for _, tick := range (timeTicks{}).Ticks(6e6, 20e9) {
		if tick.Value < 6e6 || tick.Value > 20e9 {
			t.Errorf("a tick at %v is outside", tick.Value)
		}
		if tick.IsMinor() {
			minor++
		} else {
			labels = append(labels, tick.Label)
		}
	}
	if got, want := strings.Join(labels, ","), "10 ms,100 ms,1 s,10 s"; got != want || minor != 4+3*8+1 {
		t.Errorf("labels %s and %d ticks between, want %s and 29", got, minor, want)
	}
}

func TestHumanNs(t *testing.T) {
	for ns, want := range map[float64]string{
		1e3: "1 us", 999_600: "1 ms", 1e6: "1 ms", 66.54e6: "66.5 ms", 999.4e6: "999 ms", 999.7e6: "1 s", 1.2684e9: "1.27 s", 100e9: "100 s", 1e12: "1000 s",
	} {
		if got := humanNs(ns); got != want {
			t.Errorf("humanNs(%v) = %s, want %s", ns, got, want)
		}
	}
}

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
