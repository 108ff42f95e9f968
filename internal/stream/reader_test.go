package stream

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func TestReaderMapsEveryColumn(t *testing.T) {
	input := strings.TrimSuffix(invocationHeader, "\n") + ",begin_ns,sleeps,switches,lost,kind\n" +
		`-7,2,fn-a,cgroup:/openfaas-fn/a,"i,1",1,2,3,4,5,6,7.25,8,9,10,11,cgroup` + "\n" +
		`-7,2,"fn ""b""",,i2,0,9223372036854775807,,0,0,1,100,,0,0,0,` + "\n"
	want := []window[Invocation]{{ID: -7, Lines: []int{2, 3}, Rows: []Invocation{
		{Frame{-7, 2}, "fn-a", "cgroup:/openfaas-fn/a", "i,1", 1, 2, OptNanos{3, true}, 4, 5, 6, 7.25, OptNanos{8, true}, 9, 10, 11, Cgroup},
		{Frame{-7, 2}, `fn "b"`, "", "i2", 0, 1<<63 - 1, OptNanos{}, 0, 0, 1, 100, OptNanos{}, 0, 0, 0, ""},
	}}}
	got, warnings, err := readAll[Invocation](input)
	if diff := cmp.Diff(want, got); diff != "" || err != nil || warnings != "" {
		t.Errorf("error %v, warnings %q, windows (-want +got):\n%s", err, warnings, diff)
	}
}

func TestReaderTakesWhatTheContractAllows(t *testing.T) {
	const row = "1,1,a,,i,0,1,,0,0,1,0\n"
	long := invocationHeader + strings.Repeat("1,3000,a,,i,0,1,,0,0,1,0\n", 3000)
	tests := []struct {
		name  string
		input string
		sizes []int
	}{
		{"header only", invocationHeader, []int{}},
		{"header without line end", strings.TrimSpace(invocationHeader), []int{}},
		{"one row", invocationHeader + row, []int{1}},
		{"CRLF", strings.ReplaceAll(invocationHeader+row, "\n", "\r\n"), []int{1}},
		{"byte order mark", "\ufeff" + invocationHeader + row, []int{1}},
		{"byte order mark before a quote", "\ufeff\"window\"" + strings.TrimPrefix(invocationHeader, "window") + row, []int{1}},
		{"blank lines", "\n" + invocationHeader + "\n\n" + row + "\n", []int{1}},
		{"more rows than gocsv maps at once", long, []int{3000}},
		{"exactly as many rows as gocsv maps at once", invocationHeader + strings.Repeat("1,1024,a,,i,0,1,,0,0,1,0\n", 1024), []int{1024}},
		{"windows that grow by leaps", invocationHeader + "-9,1" + row[3:] + "0,1" + row[3:] + "7,2" + row[3:] + "7,2" + row[3:], []int{1, 1, 2}},
		{"columns in another order", "rows,util_pct,cpus,block_ns,wait_ns,end_ns,cpu_ns,arrival_ns,invocation,key,class,window\n1,0,1,0,0,,1,0,i,,a,1\n", []int{1}},
		{
			"no rows, no key, no line end at the end",
			"window,class,invocation,arrival_ns,cpu_ns,end_ns,wait_ns,block_ns,cpus,util_pct\n" +
				"1,a,i,0,1,,0,0,1,0\n1,a,j,0,1,,0,0,1,0\n2,a,i,0,1,,0,0,1,0", []int{2, 1},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			windows, warnings, err := readAll[Invocation](test.input)
			if err != nil || warnings != "" {
				t.Errorf("error %v, warnings %q", err, warnings)
			}
			if diff := cmp.Diff(test.sizes, sizes(windows)); diff != "" {
				t.Errorf("rows of the windows (-want +got):\n%s", diff)
			}
			for _, w := range windows {
				for _, row := range w.Rows {
					if row.Frame != (Frame{w.ID, Count(len(w.Rows))}) {
						t.Fatalf("window %d of %d rows: frame %v", w.ID, len(w.Rows), row.Frame)
					}
				}
			}
		})
	}
}

// A filter that leaves out rows also leaves out the column rows; the same
// windows come out.
func TestReaderWithoutRowsReturnsTheSameWindows(t *testing.T) {
	var framed, filtered strings.Builder
	framed.WriteString(policyHeader)
	filtered.WriteString(strings.Replace(policyHeader, "rows,", "", 1))
	for id := range 5 {
		for rank := range id * 700 {
			fmt.Fprintf(&framed, "%d,%d,c,,0,%d,5\n", id, id*700, rank+1)
			fmt.Fprintf(&filtered, "%d,c,,0,%d,5\n", id, rank+1)
		}
	}
	want, _, err := readAll[Policy](framed.String())
	if err != nil || len(want) != 4 {
		t.Fatalf("%d windows, error %v", len(want), err)
	}
	got, _, err := readAll[Policy](filtered.String())
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, windows (-want +got):\n%s", err, diff)
	}
}

func TestReaderWarnsOnceOfUnknownColumns(t *testing.T) {
	input := "note," + strings.TrimSpace(policyHeader) + ",\"a\nb\"\n" + "x,1,1,a,,0,1,5,y\n" + "x,2,1,a,,0,1,5,y\n"
	windows, warnings, err := readAll[Policy](input)
	if err != nil || len(windows) != 2 {
		t.Errorf("%d windows, error %v", len(windows), err)
	}
	if want := `stdin:1: ignored unknown columns: "note", "a\nb"` + "\n"; warnings != want {
		t.Errorf("warnings %q, want %q", warnings, want)
	}
}

// With the column rows, a window is returned while the pipe stays open and
// nothing follows.
func TestReaderReturnsAWindowWithItsLastRow(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer out.Close()
	reader := NewReader[Policy](in, "stdin")
	header := policyHeader
	for id := 1; id <= 3; id++ {
		for row := range 3 {
			fmt.Fprintf(out, "%s%d,3,c%d,,0,1,5\n", header, id, row)
			header = ""
		}
		w, err := reader.Next() // blocks for ever if it reads on
		if err != nil || w.ID != Integer(id) || len(w.Rows) != 3 {
			t.Fatalf("window %v, error %v", w, err)
		}
	}
	out.Close()
	if _, err := reader.Next(); err != io.EOF {
		t.Errorf("at the end: error %v", err)
	}
}

func TestReaderErrorsStay(t *testing.T) {
	reader := NewReader[Policy](strings.NewReader(policyHeader+"1,1,a,,0,0,5\n2,1,a,,0,1,5\n"), "file.csv")
	for range 3 {
		w, err := reader.Next()
		wantError(t, err, `file.csv:2: rank: "0" is less than 1`)
		if w != nil {
			t.Errorf("window %v with the error", w)
		}
	}
}

func TestReaderReportsFailedReads(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, input := range []string{"", "window,ro", policyHeader, policyHeader + "1,2,a,,0,1,5\n1,2,a,,0"} {
		r := io.MultiReader(strings.NewReader(input), iotest.ErrReader(broken))
		_, err := NewReader[Policy](r, "stdin").Next()
		if !errors.Is(err, broken) || err.Error() != "stdin: the disk is gone" {
			t.Errorf("after %q: error %v", input, err)
		}
	}
}

// Whatever pieces the input comes in, the windows are the same.
func TestReaderTakesInputInAnyPieces(t *testing.T) {
	input := "\ufeff" + invocationHeader + "1,2,a,,i,0,1,,0,0,1,0\r\n\n1,2,\"b\nc\",,j,0,1,,0,0,1,0\n2,1,a,,i,0,1,,0,0,1,0\n"
	want, _, err := readAll[Invocation](input)
	if err != nil {
		t.Fatal(err)
	}
	for name, r := range map[string]io.Reader{
		"one byte": iotest.OneByteReader(strings.NewReader(input)),
		"half":     iotest.HalfReader(strings.NewReader(input)),
		"data+EOF": iotest.DataErrReader(strings.NewReader(input)),
	} {
		got, _, err := drain(NewReader[Invocation](r, "stdin"), new(strings.Builder))
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: error %v, windows (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestReaderIsBounded(t *testing.T) {
	t.Run("rows of a window", func(t *testing.T) {
		input := "window,class,from_ns,rank,slice_ns\n" + strings.Repeat("1,a,0,1,5\n", 4)
		reader := NewReader[Policy](strings.NewReader(input), "stdin")
		reader.maxRows = 3
		_, err := reader.Next()
		wantError(t, err, "stdin:5: window 1 has more than the 3 rows that a window may have")
	})
	t.Run("bytes of a row", func(t *testing.T) {
		endless := io.MultiReader(strings.NewReader(policyHeader+"1,1,a,,0,1,5\n2,1,\""), zeros{})
		reader := NewReader[Policy](endless, "stdin")
		if _, err := reader.Next(); err != nil {
			t.Fatal(err)
		}
		_, err := reader.Next()
		wantError(t, err, "stdin:3: the row has more than 1048576 bytes; is a quote left open?")
	})
	t.Run("bytes of the header", func(t *testing.T) {
		_, err := NewReader[Policy](zeros{}, "stdin").Next()
		wantError(t, err, "stdin:1: the row has more than 1048576 bytes; is a quote left open?")
	})
	t.Run("columns", func(t *testing.T) {
		_, _, err := readAll[Policy](policyHeader[:len(policyHeader)-1] + strings.Repeat(",", 1018) + "\n")
		wantError(t, err, "stdin:1: the header has 1025 columns; at most 1024 are taken")
	})
	t.Run("bytes of the rows before are none of its", func(t *testing.T) {
		row := "1,4001,a,,0,1,5\n"
		long := "1,4001," + strings.Repeat("a", MaxRowBytes-1000) + ",,0,1,5\n"
		input := io.MultiReader(strings.NewReader(policyHeader+strings.Repeat(row, 4000)), iotest.OneByteReader(strings.NewReader(long)))
		if _, err := NewReader[Policy](input, "stdin").Next(); err != nil {
			t.Error(err)
		}
	})
	t.Run("long streams of long rows are none of this", func(t *testing.T) {
		row := "1,40," + strings.Repeat("a", 100_000) + ",,0,1,5\n"
		windows, _, err := readAll[Policy](policyHeader + strings.Repeat(row, 40))
		if len(windows) != 1 || err != nil {
			t.Errorf("%d windows, error %v", len(windows), err)
		}
	})
}

// zeros is an endless input.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestWindowErrorf(t *testing.T) {
	reader := NewReader[Policy](strings.NewReader(policyHeader+"\n1,2,a,,0,1,5\n\n1,2,b,,0,1,5\n"), "p.csv")
	w, err := reader.Next()
	if err != nil {
		t.Fatal(err)
	}
	wantError(t, w.Errorf(1, "rank", "%d is taken", 1), "p.csv:5: rank: 1 is taken")
	wantError(t, w.Errorf(0, "", "no"), "p.csv:3: no")
}

// The switches of UnmarshalCSVWithFields name the columns once more; each must
// set the field that has the column's tag.
func TestColumnsAreTheTags(t *testing.T) {
	t.Run("invocations", testColumnsAreTheTags[Invocation])
	t.Run("turns", testColumnsAreTheTags[Turn])
	t.Run("policy", testColumnsAreTheTags[Policy])
	t.Run("state", testColumnsAreTheTags[State])
}

func testColumnsAreTheTags[T Row](t *testing.T) {
	for _, column := range columnsOf[T]() {
		var got T
		set := any(&got).(interface{ UnmarshalCSVWithFields(key, text string) error })
		text := "1"
		if column.name == "kind" {
			text = string(Request)
		}
		if err := set.UnmarshalCSVWithFields(column.name, text); err != nil {
			t.Errorf("%s: %v", column.name, err)
		}
		for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
			if field.Anonymous {
				continue
			}
			isSet := !reflect.ValueOf(got).FieldByIndex(field.Index).IsZero()
			if isSet != (field.Tag.Get("csv") == column.name) {
				t.Errorf("column %s, field %s: set is %v", column.name, field.Name, isSet)
			}
		}
	}
}

// The frame is found wherever its columns stand, and of each row, quoted or not.
func TestReaderFindsTheFrame(t *testing.T) {
	const head, swapped = "window,rows,class,from_ns,rank,slice_ns\n", "rows,window,class,from_ns,rank,slice_ns\n"
	const last, apart = "class,from_ns,rank,slice_ns,rows,window\n", "rows,class,window,from_ns,rank,slice_ns\n"
	const without, second = "window,class,from_ns,rank,slice_ns\n", "class,window,from_ns,rank,slice_ns\n"
	row := func(id Integer, rows Count, class Name, rank Count) Policy {
		return Policy{Frame: Frame{id, rows}, Class: class, Rank: rank, SliceNs: 5}
	}
	want := [][]Policy{{row(1, 2, "a", 1), row(1, 2, "b", 2)}, {row(12, 1, "a", 1)}, {row(123, 2, "b", 1), row(123, 2, "a", 2)}}
	for _, input := range []string{
		head + "1,2,a,0,1,5\n1,2,b,0,2,5\n12,1,a,0,1,5\n123,2,b,0,1,5\n\"123\",\"2\",a,0,2,5\n",
		head + "\"1\",2,a,0,1,5\n1,2,b,0,2,5\n12,1,\"a\",0,1,5\n\"123\",2,b,0,1,5\n123,2,a,0,2,5\n",
		swapped + "2,1,a,0,1,5\n2,1,b,0,2,5\n1,12,a,0,1,5\n2,123,b,0,1,5\n2,123,\"a\",0,2,5\n",
		last + "a,0,1,5,2,1\nb,0,2,5,2,1\na,0,1,5,1,12\nb,0,1,5,2,123\na,0,2,5,\"2\",123\n",
		apart + "2,a,1,0,1,5\n2,b,1,0,2,5\n1,a,12,0,1,5\n2,b,123,0,1,5\n2,a,123,0,2,5\n",
		without + "1,a,0,1,5\n1,b,0,2,5\n12,a,0,1,5\n\"123\",b,0,1,5\n123,a,0,2,5\n",
		second + "a,1,0,1,5\nb,1,0,2,5\na,12,0,1,5\nb,123,0,1,5\na,\"123\",0,2,5\n",
	} {
		windows, _, err := readAll[Policy](input)
		var got [][]Policy
		for _, w := range windows {
			got = append(got, w.Rows)
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%q: error %v, rows (-want +got):\n%s", input, err, diff)
		}
	}
	for _, input := range []string{
		head + "1,1,a,0,0,5\n", head + "1,1,\"a\",0,0,5\n", swapped + "1,1,a,0,0,5\n",
		last + "a,0,0,5,1,1\n", apart + "1,a,1,0,0,5\n", without + "1,a,0,0,5\n", second + "a,1,0,0,5\n",
	} {
		_, _, err := readAll[Policy](input)
		wantError(t, err, `stdin:2: rank: "0" is less than 1`)
	}
	_, _, err := readAll[Policy](head + "1,2,a,0,1,5\n1,3,b,0,2,5\n")
	wantError(t, err, `stdin:3: rows: "3" differs from 2 on the rows of window 1 before it`)
	_, _, err = readAll[Policy](head + "1,2,a,0,1,5\n1,2x,b,0,2,5\n")
	wantError(t, err, `stdin:3: rows: "2x" is not a whole number`)
}
