package stream

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drainBatches reads a whole stream by NextBatch. It returns what drain does:
// of the batches, those of the windows whose last one came.
func drainBatches[T Row](t interface {
	Helper()
	Fatalf(string, ...any)
}, reader *Reader[T]) (windows []window[T], err error) {
	t.Helper()
	var open window[T]
	for {
		b, err := reader.NextBatch()
		if err == io.EOF && open.Rows == nil {
			return windows, nil
		}
		if err != nil {
			return windows, err
		}
		if n := len(b.Rows); n == 0 || n > reader.batchRows || n != len(b.Lines) {
			t.Fatalf("a batch of %d rows and %d lines", n, len(b.Lines))
		}
		if open.Rows != nil && b.ID != open.ID {
			t.Fatalf("a batch of window %d within window %d", b.ID, open.ID)
		}
		open.ID = b.ID
		open.Rows, open.Lines = append(open.Rows, b.Rows...), append(open.Lines, b.Lines...)
		if b.Last {
			if reader.rowsCol < 0 {
				for i := range open.Rows {
					any(&open.Rows[i]).(framed).frame().Rows = Count(len(open.Rows))
				}
			}
			windows, open = append(windows, open), window[T]{}
		}
	}
}

// drainEach does what drainBatches does, by Each.
func drainEach[T Row](t interface {
	Helper()
	Fatalf(string, ...any)
}, reader *Reader[T]) (windows []window[T], err error) {
	t.Helper()
	for {
		var w window[T]
		last := false
		err := reader.Each(func(b *Batch[T]) error {
			if last || w.Rows != nil && b.ID != w.ID {
				t.Fatalf("a batch of window %d after the last of window %d", b.ID, w.ID)
			}
			w.ID, last = b.ID, b.Last
			w.Rows, w.Lines = append(w.Rows, b.Rows...), append(w.Lines, b.Lines...)
			return nil
		})
		if err == io.EOF && w.Rows == nil {
			return windows, nil
		}
		if err != nil {
			return windows, err
		}
		if !last {
			t.Fatalf("window %d ended without its last batch", w.ID)
		}
		if reader.rowsCol < 0 {
			for i := range w.Rows {
				any(&w.Rows[i]).(framed).frame().Rows = Count(len(w.Rows))
			}
		}
		windows = append(windows, w)
	}
}

// anyStream is a stream of windows of some hundred rows, sound or not.
func anyStream(t *rapid.T) string {
	cell := rapid.SampledFrom([]string{"a", "a", "a", "a", `"a"`, `"b,c"`, "\"d\ne\"", `"d""e"`, "é", "x y", `\.`})
	end := rapid.SampledFrom([]string{"\n", "\n", "\n", "\n", "\r\n", "\n\n", "\n\r\n"})
	var out strings.Builder
	framed := rapid.Bool().Draw(t, "column rows")
	header := policyHeader
	if !framed {
		header = strings.Replace(header, "rows,", "", 1)
	}
	out.WriteString(header)
	for id := range rapid.IntRange(1, 3).Draw(t, "windows") {
		n := rapid.IntRange(1, 150).Draw(t, "rows")
		for i := range n {
			rows := ""
			if framed {
				rows = fmt.Sprintf("%d,", n)
			}
			fmt.Fprintf(&out, "%d,%s%s,,0,%d,5%s", id, rows, cell.Draw(t, "class"), i+1, end.Draw(t, "end"))
		}
	}
	text := []byte(out.String())
	for range rapid.IntRange(0, 2).Draw(t, "faults") {
		at := rapid.IntRange(0, len(text)-1).Draw(t, "at")
		text[at] = rapid.SampledFrom([]byte("x,\"\n\r10-")).Draw(t, "byte")
	}
	return string(text[:rapid.OneOf(rapid.Just(len(text)), rapid.IntRange(0, len(text))).Draw(t, "length")])
}

// However a stream is read, the windows, lines and errors are the same: window
// by window or in batches, on one CPU or several, and in single bytes, which
// leaves all rows to encoding/csv.
func TestReadersAgree(t *testing.T) {
	setProcs(t, 4)
	rapid.Check(t, func(t *rapid.T) {
		input := anyStream(t)
		reader := func(r io.Reader) *Reader[Policy] {
			reader := NewReader[Policy](r, "stdin")
			reader.batchRows = 3
			return reader
		}
		want, _, wantErr := drain(NewReader[Policy](iotest.OneByteReader(strings.NewReader(input)), "stdin"), new(strings.Builder))
		compare := func(how string, got []window[Policy], err error) {
			if diff := cmp.Diff(want, got); diff != "" || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("%s of %q: error %v, want %v; windows (-want +got):\n%s", how, input, err, wantErr, diff)
			}
		}
		windows, _, err := drain(reader(strings.NewReader(input)), new(strings.Builder))
		compare("windows", windows, err)
		windows, err = drainBatches(t, reader(strings.NewReader(input)))
		compare("batches", windows, err)
		windows, err = drainBatches(t, reader(iotest.HalfReader(strings.NewReader(input))))
		compare("batches in pieces", windows, err)
		windows, err = drainEach(t, reader(strings.NewReader(input)))
		compare("each batch", windows, err)
	})
}

// manyRows is one window, of which some rows are other ones.
func manyRows(n int, others map[int]string) string {
	var out strings.Builder
	out.WriteString(policyHeader)
	for i := range n {
		row, other := others[i]
		if !other {
			row = fmt.Sprintf("1,%d,a,,0,1,5", n)
		}
		out.WriteString(row + "\n")
	}
	return out.String()
}

// Of several faults in a window of many batches the first is told, be it one
// of the mapping that other CPUs see at any time.
func TestBatchesTellTheFirstFault(t *testing.T) {
	setProcs(t, 4)
	const n = 3 * groupBatches * batchRows
	const otherRows = "1,7,a,,0,1,5"
	badRow := fmt.Sprintf("1,%d", n)
	badCell := badRow + ",a,,0,0,5"
	tests := []struct {
		name   string
		others map[int]string
		want   string
		rows   int // returned before
	}{
		{"two cells", map[int]string{2 * batchRows: badCell, 3 * batchRows: badCell}, `stdin:1026: rank: "0" is less than 1`, 0},
		{"a cell before a row", map[int]string{2000: badCell, 2001: badRow}, `stdin:2002: rank: "0" is less than 1`, 0},
		{"a cell before a wrong count", map[int]string{2000: badCell, 2040: otherRows}, `stdin:2002: rank: "0" is less than 1`, 0},
		{"a wrong count before a cell", map[int]string{2000: otherRows, 2001: badCell}, fmt.Sprintf(`stdin:2002: rows: "7" differs from %d on the rows of window 1 before it`, n), 0},
		{"in the second group", map[int]string{n/3 + 5: badCell, n/3 + 6: badRow}, fmt.Sprintf(`stdin:%d: rank: "0" is less than 1`, n/3+7), n / 3},
		{"the last row", map[int]string{n - 1: badCell}, fmt.Sprintf(`stdin:%d: rank: "0" is less than 1`, n+1), 2 * n / 3},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			reader := NewReader[Policy](strings.NewReader(manyRows(n, test.others)), "stdin")
			rows := 0
			b, err := reader.NextBatch()
			for ; err == nil; b, err = reader.NextBatch() {
				rows += len(b.Rows)
				if b.Last {
					t.Error("a last batch of a window at fault")
				}
			}
			wantError(t, err, test.want)
			if rows != test.rows {
				t.Errorf("%d rows before, want %d", rows, test.rows)
			}
			_, err = reader.Next()
			wantError(t, err, test.want)
		})
	}
}

// With the column rows, a window's last batch is returned while the pipe stays
// open and nothing follows, however many batches there are.
func TestNextBatchReturnsAWindowWithItsLastRow(t *testing.T) {
	for _, n := range []int{1, batchRows - 1, batchRows, batchRows + 1, groupBatches * batchRows, groupBatches*batchRows + 1} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			in, out, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			defer out.Close()
			go io.WriteString(out, manyRows(n, nil))
			reader := NewReader[Policy](in, "stdin")
			for rows := 0; ; {
				b, err := reader.NextBatch() // blocks for ever if it reads on
				if err != nil {
					t.Fatal(err)
				}
				if rows += len(b.Rows); b.Last != (rows == n) {
					t.Fatalf("last is %v after %d of %d rows", b.Last, rows, n)
				}
				if b.Last {
					break
				}
			}
			go io.WriteString(out, strings.Repeat(fmt.Sprintf("2,%d,a,,0,1,5\n", n), n))
			rows := 0
			if err := reader.Each(func(b *Batch[Policy]) error { rows += len(b.Rows); return nil }); err != nil || rows != n {
				t.Fatalf("each batch: %d of %d rows, error %v", rows, n, err)
			}
		})
	}
}

// What take finds wrong comes before what is wrong with the rows after it, ends
// the reading and stays. No goroutine is left.
func TestEachEndsWithAnErrorOfTake(t *testing.T) {
	setProcs(t, 4)
	checkGoroutines(t)
	const n = 3 * groupBatches * batchRows
	refused := errors.New("refused")
	for _, at := range []int{0, n / 3, n - 1} {
		others := map[int]string{}
		if next := at + groupBatches*batchRows; next < n {
			others[next] = fmt.Sprintf("1,%d,a,,0,0,5", n)
		}
		reader := NewReader[Policy](strings.NewReader(manyRows(n, others)+"2,1,a,,0,1,5\n"), "stdin")
		rows := 0
		err := reader.Each(func(b *Batch[Policy]) error {
			if rows += len(b.Rows); rows > at {
				return refused
			}
			return nil
		})
		if err != refused || rows != at/batchRows*batchRows+batchRows {
			t.Errorf("error %v after %d rows, want %v at row %d", err, rows, refused, at)
		}
		if _, err := reader.Next(); err != refused {
			t.Errorf("a window after it: error %v", err)
		}
	}
}

func TestNextWithinAWindow(t *testing.T) {
	reader := NewReader[Policy](strings.NewReader(manyRows(batchRows+1, nil)+"2,1,a,,0,1,5\n"), "stdin")
	if _, err := reader.NextBatch(); err != nil {
		t.Fatal(err)
	}
	if w, err := reader.Next(); err == nil {
		t.Fatalf("a window of %d rows", len(w.Rows))
	}
	if err := reader.Each(func(*Batch[Policy]) error { return nil }); err == nil {
		t.Fatal("each batch of a window")
	}
	if b, err := reader.NextBatch(); err != nil || !b.Last {
		t.Fatalf("error %v, or not the last batch", err)
	}
	if w, err := reader.Next(); err != nil || w.ID != 2 {
		t.Fatalf("window %v, error %v", w, err)
	}
}

func TestBatchErrorf(t *testing.T) {
	b, err := NewReader[Policy](strings.NewReader(policyHeader+"\n1,2,a,,0,1,5\n\n1,2,b,,0,1,5\n"), "p.csv").NextBatch()
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, b.Errorf(1, "rank", "%d is taken", 1), "p.csv:5: rank: 1 is taken")
}

// Batches of wide or long rows are short.
func TestBatchesAreBounded(t *testing.T) {
	wide := strings.TrimSpace(policyHeader)
	for i := range 1000 {
		wide += fmt.Sprintf(",c%d", i)
	}
	wide += "\n" + strings.Repeat("1,600,a,,0,1,5"+strings.Repeat(",", 1000)+"\n", 600)
	long := policyHeader + strings.Repeat("1,600,"+strings.Repeat("a", 100_000)+",,0,1,5\n", 600)
	for name, input := range map[string]string{"wide": wide, "long": long} {
		b, err := NewReader[Policy](strings.NewReader(input), "stdin").NextBatch()
		if err != nil || len(b.Rows) > 50 {
			t.Errorf("%s: error %v, or %d rows in a batch", name, err, len(b.Rows))
		}
	}
}

// A reader that is dropped in the midst of a window leaves no goroutine, nor
// does one that errs.
func TestReaderLeavesNoGoroutine(t *testing.T) {
	setProcs(t, 4)
	const n = 3 * groupBatches * batchRows
	for name, input := range map[string]string{
		"dropped": manyRows(n, nil),
		"fault":   manyRows(n, map[int]string{700: fmt.Sprintf("1,%d,a,,0,0,5", n)}),
	} {
		t.Run(name, func(t *testing.T) {
			checkGoroutines(t)
			_, err := NewReader[Policy](strings.NewReader(input), "stdin").NextBatch()
			if bad := new(Error); err != nil && !errors.As(err, &bad) {
				t.Error(err)
			}
		})
	}
}

// What is kept of a batch stays as it was when the next ones are read.
func TestRowsOfABatchMayBeCopied(t *testing.T) {
	input := policyHeader
	for i := range 5000 {
		input += fmt.Sprintf("1,5000,c%d,,0,1,5\n", i)
	}
	reader := NewReader[Policy](strings.NewReader(input), "stdin")
	var kept []Policy
	for {
		b, err := reader.NextBatch()
		if err != nil {
			t.Fatal(err)
		}
		if kept = append(kept, b.Rows...); b.Last {
			break
		}
	}
	if i := slices.IndexFunc(kept, func(row Policy) bool { return row.Frame != Frame{1, 5000} }); i >= 0 {
		t.Errorf("row %d: frame %v", i, kept[i].Frame)
	}
	for i, row := range kept {
		if want := Name(fmt.Sprintf("c%d", i)); row.Class != want {
			t.Fatalf("row %d: class %q", i, row.Class)
		}
	}
}

// A row that alone differs from the others of its batch is read as it stands, whichever
// it is.
func TestOneRowMayDiffer(t *testing.T) {
	const n = abreastRows + 3
	for i := range n {
		other := fmt.Sprintf("1,%d,b,k,7,2,9", n)
		w, err := NewReader[Policy](strings.NewReader(manyRows(n, map[int]string{i: other})), "stdin").Next()
		if err != nil {
			t.Fatal(err)
		}
		for j, row := range w.Rows {
			want := Policy{Frame: Frame{1, n}, Class: "a", Rank: 1, SliceNs: 5}
			if j == i {
				want = Policy{Frame: Frame{1, n}, Class: "b", Key: "k", FromNs: 7, Rank: 2, SliceNs: 9}
			}
			if row != want {
				t.Errorf("with row %d another one, row %d is %+v, want %+v", i, j, row, want)
			}
		}
	}
}
