package stream

import (
	"encoding/csv"
	"errors"
	"slices"
	"unsafe"

	"github.com/gocarina/gocsv"
)

// abreast is how many rows gocsv gets side by side, as one: it makes two structs on the heap
// for each row that it gets, and copies one. It also looks up each column of the header,
// which takes as long as to read some cells, and gains nothing for less than abreastRows.
const (
	abreast     = 4
	abreastRows = 64
)

// table is rows for gocsv. It is the gocsv.Decoder for them.
type table[T Row] struct {
	rows   [][]string // the header first; reused
	header []string   // reused
	places []place[T] // what gocsv makes of them; of no use afterwards, and reused
}

// GetCSVRows implements [gocsv.Decoder].
func (t *table[T]) GetCSVRows() ([][]string, error) { return t.rows, nil }

// unmarshal has gocsv read cells: row after row the place, and then those of some columns
// of a header. The error is that of a cell in a row and, of those columns, one.
func (t *table[T]) unmarshal(header []string, columns []int, cells []string) (row, column int, err error) {
	width := 1 + len(columns)
	wide := width
	if len(cells) >= abreastRows*width {
		wide *= abreast
	}
	t.header = t.header[:0]
	for len(t.header) < wide {
		t.header = append(t.header, placeColumn)
		for _, j := range columns {
			t.header = append(t.header, header[j])
		}
	}
	t.rows = append(t.rows[:0], t.header)
	t.rows = slices.AppendSeq(t.rows, slices.Chunk(cells, wide))
	// gocsv fills a slice that is long enough where it is.
	t.places = slices.Grow(t.places[:0], len(t.rows)-1)[:len(t.rows)-1]
	err = gocsv.UnmarshalDecoder(t, &t.places)
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		// gocsv counts from 1, and the header as line 1.
		at := (parse.Line-2)*wide + parse.Column - 1
		return at / width, at%width - 1, parse.Err
	}
	return 0, 0, err
}

// place is what gocsv makes of rows: it has their cells set in the rows that it points to
// one after another, which stand in a batch. Were it the rows themselves, gocsv would take
// as long to make and copy them as to read their cells, and the garbage collector would
// have ten times as much to do.
type place[T Row] struct {
	Row gocsv.TypeUnmarshalCSVWithFields `csv:"place"` // a *T
}

// placeColumn is the name of the column of the [placeCell]. No other has it, as it is not
// UTF-8.
const placeColumn = "\xff"

// UnmarshalCSVWithFields sets the column named key from the text of a cell.
func (p *place[T]) UnmarshalCSVWithFields(key, text string) error {
	if key == placeColumn {
		p.Row = any((*T)(unsafe.Pointer(unsafe.StringData(text)))).(gocsv.TypeUnmarshalCSVWithFields)
		return nil
	}
	return p.Row.UnmarshalCSVWithFields(key, text)
}

// placeCell tells where a row is. As gocsv hands on nothing but texts, it is a text that
// nobody reads and that stands where the row does, which also keeps that from the
// garbage collector.
func placeCell[T Row](row *T) string {
	return unsafe.String((*byte)(unsafe.Pointer(row)), 1)
}
