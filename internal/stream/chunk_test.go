package stream

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"
)

// What is written of rows and of a function is what encoding/csv would have
// written, on one CPU and on several.
func TestWriteFuncWritesWhatWriteDoes(t *testing.T) {
	for _, procs := range []int{1, 4} {
		setProcs(t, procs)
		for _, n := range []int{0, 1, blockRows - 1, blockRows, chunkRows - 1, chunkRows, chunkRows + 1, 10*chunkRows + 7} {
			rows := make([]Turn, n)
			for i := range rows {
				rows[i] = benchmarkTurn(i)
				if i%100 == 7 {
					rows[i].Key = `a "key", in quotes`
				}
			}
			var want, got, filled strings.Builder
			plain := csv.NewWriter(&want)
			plain.Write(strings.Split(strings.TrimSpace(turnHeader)+",start_ns,kind", ","))
			for i, r := range rows {
				plain.Write([]string{"3", fmt.Sprint(n), string(r.Class), r.Key, string(r.Invocation), "1", fmt.Sprint(r.SliceNs),
					fmt.Sprint(r.WaitNs), "2", "90.5", fmt.Sprint(1764000000000000000 + i*1_000_003), "request"})
			}
			plain.Flush()
			w, f := NewWriter[Turn](&got), NewWriter[Turn](&filled)
			var calls atomic.Int64
			err := errors.Join(w.Write(3, rows), f.WriteFunc(3, n, func(i int, row *Turn) {
				calls.Add(1)
				frame := row.Frame
				if row.Frame = (Frame{}); *row != (Turn{}) || frame != (Frame{3, Count(n)}) {
					t.Errorf("row %d is given as %v of frame %v", i, row, frame)
				}
				*row = rows[i]
				row.Frame = Frame{}
			}))
			if err != nil || calls.Load() != int64(n) {
				t.Errorf("%d CPUs, %d rows: error %v, %d calls", procs, n, err, calls.Load())
			}
			if got.String() != want.String() {
				t.Errorf("%d CPUs, %d rows: Write wrote something else", procs, n)
			}
			if filled.String() != want.String() {
				t.Errorf("%d CPUs, %d rows: WriteFunc wrote something else", procs, n)
			}
		}
	}
}

// A bad row among the first leaves the output as it was, and the writer usable.
func TestWriteFuncRefusesASmallWindowWhole(t *testing.T) {
	setProcs(t, 4)
	for _, n := range []int{chunkRows, 20 * chunkRows} {
		checkGoroutines(t)
		var out strings.Builder
		w := NewWriter[Policy](&out)
		err := w.WriteFunc(1, n, func(i int, row *Policy) {
			*row = goodPolicy
			if i == chunkRows-1 {
				row.Rank = 0
			}
		})
		if err == nil || err.Error() != `window 1, row 512: rank: "0" is less than 1` || out.String() != "" {
			t.Errorf("%d rows: error %v, wrote %q", n, err, out.String())
		}
		if err := w.Write(1, []Policy{goodPolicy}); err != nil {
			t.Errorf("%d rows: after it: %v", n, err)
		}
	}
}

// Further on a bad row cuts the window short. Readers refuse it, and nothing
// can follow it.
func TestWriteFuncCutsALargeWindow(t *testing.T) {
	for _, procs := range []int{1, 4} {
		setProcs(t, procs)
		checkGoroutines(t)
		var out strings.Builder
		w := NewWriter[Policy](&out)
		fail := w.WriteFunc(1, 20*chunkRows, func(i int, row *Policy) {
			*row = goodPolicy
			if i >= 3*chunkRows {
				row.Class = ""
			}
		})
		if fail == nil || fail.Error() != `window 1, row 1537: class: the cell is empty` {
			t.Errorf("error %v", fail)
		}
		before := out.String()
		if err := w.Write(2, []Policy{goodPolicy}); err != fail {
			t.Errorf("a window after it: error %v", err)
		}
		if err := w.Close(); err != fail || out.String() != before {
			t.Errorf("closing: error %v, wrote %q", err, out.String()[len(before):])
		}
		_, _, err := readAll[Policy](before)
		wantError(t, err, "stdin:1537: window 1 ends after 1536 of 10240 rows; if rows were left out on purpose, leave out the column rows too")
	}
}

// brokenAfter fails once so many bytes are written.
type brokenAfter int

var errBroken = errors.New("the disk is full")

func (b *brokenAfter) Write(p []byte) (int, error) {
	if *b -= brokenAfter(len(p)); *b < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestWriterStopsWithItsOutput(t *testing.T) {
	setProcs(t, 4)
	for _, limit := range []brokenAfter{0, 100, 100_000} {
		checkGoroutines(t)
		w := NewWriter[Policy](&limit)
		var calls atomic.Int64
		fill := func(_ int, row *Policy) { *row = goodPolicy; calls.Add(1) }
		if err := w.WriteFunc(1, 1000*chunkRows, fill); err != errBroken {
			t.Errorf("error %v", err)
		}
		if calls.Load() > 100*chunkRows {
			t.Errorf("%d rows were made for an output that is broken", calls.Load())
		}
		if err := w.WriteFunc(2, 1, fill); err != errBroken {
			t.Errorf("a window after it: error %v", err)
		}
	}
}

// Rows are joined as encoding/csv does, with cells that gocsv has and others.
func TestLinesAreThoseOfEncodingCSV(t *testing.T) {
	cell := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-z0-9:/._-]*`), rapid.StringMatching(`[ab ,;"\r\n\\\.\t#-]*`))
	rapid.Check(t, func(t *rapid.T) {
		var want bytes.Buffer
		var got lines
		plain := csv.NewWriter(&want)
		for _, row := range rapid.SliceOfN(rapid.SliceOfN(cell, 2, 5), 1, 5).Draw(t, "rows") {
			plain.Write(row)
			common := rapid.UintRange(0, 1<<len(row)-1).Draw(t, "common")
			got.layOut(row, common)
			own := slices.Clone(row)
			for j := len(row) - 1; j >= 0; j-- {
				if common>>j&1 == 1 {
					own = slices.Delete(own, j, j+1)
				}
			}
			if err := got.Write(own); err != nil {
				t.Fatal(err)
			}
		}
		plain.Flush()
		if !bytes.Equal(got.buf, want.Bytes()) {
			t.Fatalf("wrote %q, want %q", got.buf, want.Bytes())
		}
	})
}

// Decimals are read and written as by strconv, in fewer steps.
func TestDecimalsAreThoseOfStrconv(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(
			rapid.Float64Range(0, 100),
			rapid.Map(rapid.IntRange(0, 1_000_000), func(v int) float64 { return float64(v) / 10_000 }),
			rapid.Map(rapid.IntRange(0, 1_000_000), func(v int) float64 { return math.Nextafter(float64(v)/10_000, 50) }),
		).Draw(t, "value")
		if got, want := formatDecimal(value), strconv.FormatFloat(value, 'f', -1, 64); got != want {
			t.Fatalf("%g is written as %q, want %q", value, got, want)
		}
		text := rapid.StringMatching(`([1-9][0-9]?|0)(\.[0-9]{1,18})?`).Draw(t, "text")
		want, _ := strconv.ParseFloat(text, 64)
		if got, err := parseDecimal(text, 100); got != want || err != nil {
			t.Fatalf("%q is read as %g, want %g; error %v", text, got, want, err)
		}
	})
}

func TestWriterFlushesLargeWindows(t *testing.T) {
	in, out := io.Pipe()
	const n = 5*chunkRows + 1
	go NewWriter[Policy](out).WriteFunc(1, n, func(_ int, row *Policy) { *row = goodPolicy })
	w, err := NewReader[Policy](in, "stdin").Next() // the pipe is never closed
	if err != nil || len(w.Rows) != n {
		t.Errorf("window %v, error %v", w, err)
	}
}

// Which bytes make a row one for encoding/csv, at any place of a word.
func TestNeedNoQuotes(t *testing.T) {
	for b := range 256 {
		for at := range 16 {
			line := []byte("c001,fn:/._-ABz9")
			comma := line[at] == ','
			line[at] = byte(b)
			want := b == ',' && comma || '-' <= b && b <= 'z' && b != '\\' && !comma
			if got := needNoQuotes(line, 1); got != want {
				t.Errorf("%q: %v, want %v", line, got, want)
			}
		}
	}
}

// A block in which all rows have the same text in some columns is written as its rows are
// one by one, whatever is in those columns.
func TestCommonColumnsAreWrittenAsOthers(t *testing.T) {
	keys := rapid.SampledFrom([]string{"", "k", "a,b", `"`, "c\nd"})
	rapid.Check(t, func(t *rapid.T) {
		turn, key := goodTurn, ""
		common := rapid.Bool().Draw(t, "common")
		var rows []Turn
		for range rapid.IntRange(blockRows, 4*blockRows).Draw(t, "rows") {
			if len(rows) == 0 || !common && rapid.IntRange(0, 20).Draw(t, "other") == 0 {
				key = keys.Draw(t, "key")
				turn.Kind = rapid.SampledFrom([]Kind{"", Process}).Draw(t, "kind")
				turn.CPUs = Count(rapid.IntRange(1, 200).Draw(t, "cpus"))
				turn.UtilPct = Percent(rapid.IntRange(0, 100).Draw(t, "util"))
			}
			turn.Key = key
			rows = append(rows, turn)
		}
		var want lines
		for i := range rows { // a block needs more rows than one
			want.prefix = "7,2,"
			if err := marshal(rows[i:i+1], new(texts), &want); err != nil {
				t.Fatal(err)
			}
		}
		got := lines{prefix: "7,2,"}
		if err := marshal(rows, new(texts), &got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.buf, want.buf) {
			t.Fatalf("wrote %q, want %q", got.buf, want.buf)
		}
	})
}
