package stream

import (
	"encoding/csv"
	"errors"
	"slices"

	"github.com/gocarina/gocsv"
)

// batchRows is how many rows gocsv maps at once. Each call of it costs some
// microseconds for looking up the columns, so that more rows a call are faster;
// beyond a thousand nothing is gained.
const batchRows = 1024

// batch holds the cells of rows until gocsv turns them into structs. It is
// the gocsv.Decoder for them.
type batch struct {
	cells [][]string // the header, then the rows; reused
}

// reset empties the batch.
func (b *batch) reset(header []string) {
	if b.cells == nil {
		b.cells = make([][]string, 0, 1+batchRows)
		b.cells = append(b.cells, header)
	}
	b.cells = b.cells[:1]
}

// add copies a row into the batch.
func (b *batch) add(row []string) {
	n := len(b.cells)
	b.cells = b.cells[:n+1]
	b.cells[n] = append(b.cells[n][:0], row...)
}

func (b *batch) full() bool { return len(b.cells) == cap(b.cells) }

// GetCSVRows implements [gocsv.Decoder].
func (b *batch) GetCSVRows() ([][]string, error) { return b.cells, nil }

// fault is a cell that its column does not take.
type fault struct {
	row, column int // from 0, in the batch
	err         error
}

// mapInto appends the rows of the batch to rows, and empties the batch.
func mapInto[T Row](b *batch, rows []T) ([]T, *fault) {
	n := len(b.cells) - 1
	if n == 0 {
		return rows, nil
	}
	// gocsv fills a slice that is long enough where it is.
	grown := slices.Grow(rows, n)[:len(rows)+n]
	part := grown[len(rows):]
	err := gocsv.UnmarshalDecoder(b, &part)
	b.cells = b.cells[:1]
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		// gocsv counts from 1 and the header as line 1.
		return rows, &fault{row: parse.Line - 2, column: parse.Column - 1, err: parse.Err}
	}
	if err != nil {
		return rows, &fault{err: err}
	}
	return grown, nil
}
