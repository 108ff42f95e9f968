package stream

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// benchmarkWindows has 100,000 rows in windows of the given size.
func benchmarkWindows(size int) []window[Invocation] {
	windows := make([]window[Invocation], 100_000/size)
	for i := range windows {
		windows[i].ID = Integer(i)
		for j := range size {
			row := goodInvocation
			row.Class = Name(fmt.Sprintf("fn-%02d", j%50))
			row.Key = "cgroup:/openfaas-fn/" + string(row.Class)
			row.Invocation = Name(fmt.Sprintf("%d-%d", i, j))
			row.ArrivalNs = Nanos(1764000000000000000 + j*1_000_003)
			row.CPUNs = Nanos(j * 7_919)
			windows[i].Rows = append(windows[i].Rows, row)
		}
	}
	return windows
}

// BenchmarkRead reads streams of 100,000 rows in windows of several sizes.
func BenchmarkRead(b *testing.B) {
	for _, size := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("rows=%d", size), func(b *testing.B) {
			input := write(b, benchmarkWindows(size))
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				reader := NewReader[Invocation](strings.NewReader(input), "stdin")
				for {
					w, err := reader.Next()
					if err == io.EOF {
						break
					}
					if err != nil {
						b.Fatal(err)
					}
					rows += len(w.Rows)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

// BenchmarkWrite writes the same streams.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("rows=%d", size), func(b *testing.B) {
			windows := benchmarkWindows(size)
			b.ReportAllocs()
			rows := 0
			for b.Loop() {
				writer := NewWriter[Invocation](io.Discard)
				for _, w := range windows {
					if err := writer.Write(w.ID, w.Rows); err != nil {
						b.Fatal(err)
					}
					rows += len(w.Rows)
				}
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}
