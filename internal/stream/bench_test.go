package stream

import (
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The benchmarks are about 100,000 rows in windows of several sizes. With
// -cpu 1,2 they show what the second CPU gives.

const benchmarkRows = 100_000

var benchmarkSizes = []int{10, 1000, benchmarkRows}

func benchmarkInvocation(i int) Invocation {
	row := goodInvocation
	row.Class = Name(fmt.Sprintf("fn-%02d", i%50))
	row.Key = "cgroup:/openfaas-fn/" + string(row.Class)
	row.Invocation = Name(fmt.Sprintf("i%d", i))
	row.ArrivalNs = Nanos(1764000000000000000 + i*1_000_003)
	row.CPUNs = Nanos(i * 7_919)
	return row
}

func benchmarkTurn(i int) Turn {
	row := goodTurn
	row.Class = Name(fmt.Sprintf("fn-%02d", i%50))
	row.Key = "cgroup:/openfaas-fn/" + string(row.Class)
	row.Invocation = Name(fmt.Sprintf("i%d", i))
	row.SliceNs, row.WaitNs = Nanos(i*7_919), Nanos(i*1_000_003)
	row.StartNs = OptNanos{Nanos(1764000000000000000 + i*1_000_003), true}
	row.Kind = Request
	return row
}

func benchmarkWindows[T Row](size int, row func(i int) T) []window[T] {
	windows := make([]window[T], benchmarkRows/size)
	for i := range windows {
		windows[i].ID = Integer(i)
		for j := range size {
			windows[i].Rows = append(windows[i].Rows, row(i*size+j))
		}
	}
	return windows
}

func BenchmarkRead(b *testing.B) {
	b.Run("invocations", func(b *testing.B) { benchmarkRead(b, benchmarkInvocation) })
	b.Run("turns", func(b *testing.B) { benchmarkRead(b, benchmarkTurn) })
}

func benchmarkRead[T Row](b *testing.B, row func(i int) T) {
	for _, size := range benchmarkSizes {
		input := write(b, benchmarkWindows(size, row))
		for name, read := range map[string]func(*Reader[T]) error{
			"windows": func(r *Reader[T]) error { _, err := r.Next(); return err },
			"batches": func(r *Reader[T]) error { return r.Each(func(*Batch[T]) error { return nil }) },
		} {
			b.Run(fmt.Sprintf("rows=%d/%s", size, name), func(b *testing.B) {
				b.SetBytes(int64(len(input)))
				b.ReportAllocs()
				cpu0 := cpuTime()
				for b.Loop() {
					reader := NewReader[T](strings.NewReader(input), "stdin")
					err := read(reader)
					for err == nil {
						err = read(reader)
					}
					if err != io.EOF {
						b.Fatal(err)
					}
				}
				reportRows(b, cpu0)
			})
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	b.Run("invocations", func(b *testing.B) { benchmarkWrite(b, benchmarkInvocation) })
	b.Run("turns", func(b *testing.B) { benchmarkWrite(b, benchmarkTurn) })
}

func benchmarkWrite[T Row](b *testing.B, row func(i int) T) {
	for _, size := range benchmarkSizes {
		windows := benchmarkWindows(size, row)
		for name, write := range map[string]func(*Writer[T], window[T]) error{
			"rows": func(w *Writer[T], rows window[T]) error { return w.Write(rows.ID, rows.Rows) },
			"func": func(w *Writer[T], rows window[T]) error {
				return w.WriteFunc(rows.ID, len(rows.Rows), func(i int, row *T) { *row = rows.Rows[i] })
			},
		} {
			b.Run(fmt.Sprintf("rows=%d/%s", size, name), func(b *testing.B) {
				b.ReportAllocs()
				cpu0 := cpuTime()
				for b.Loop() {
					writer := NewWriter[T](io.Discard)
					for _, w := range windows {
						if err := write(writer, w); err != nil {
							b.Fatal(err)
						}
					}
				}
				reportRows(b, cpu0)
			})
		}
	}
}

// reportRows reports the speed, and the CPU time of all threads, which says more
// where other programs run too. cpu0 is that before the benchmark.
func reportRows(b *testing.B, cpu0 time.Duration) {
	rows := benchmarkRows * float64(b.N)
	b.ReportMetric(rows/b.Elapsed().Seconds()/1e6, "Mrows/s")
	b.ReportMetric(float64(cpuTime()-cpu0)/rows, "cpu-ns/row")
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// BenchmarkHeld tells what a reader and a writer hold in the midst of a window,
// whatever its size.
func BenchmarkHeld(b *testing.B) {
	input := write(b, benchmarkWindows(benchmarkRows, benchmarkInvocation))
	for b.Loop() {
		before := heapBytes()
		reader := NewReader[Invocation](strings.NewReader(input), "stdin")
		if _, err := reader.NextBatch(); err != nil {
			b.Fatal(err)
		}
		writer := NewWriter[Turn](io.Discard)
		turn := benchmarkTurn(7)
		if err := writer.WriteFunc(1, benchmarkRows, func(_ int, row *Turn) { *row = turn }); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(heapBytes()-before)/1e6, "MB")
		runtime.KeepAlive(reader)
		runtime.KeepAlive(writer)
	}
}

func heapBytes() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}
