package stream

import (
	"encoding/csv"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/gocarina/gocsv"
)

const (
	// batchRows is the most rows that gocsv maps at once. Each call of it costs
	// some microseconds for looking up the columns; beyond some hundred rows
	// nothing is gained.
	batchRows = 512
	// batchCells and batchBytes bound what a batch of wide or long rows holds.
	batchCells = 32 << 10
	batchBytes = 256 << 10
	// groupBatches is how many batches are parsed before the first of them is
	// returned. More hold more than the CPUs' caches do, and more for the garbage
	// collector to look through.
	groupBatches = 8
)

// Batch is a part of a window: some of its rows, which stand together. It is
// valid until the next call of the reader. Rows may be copied out of it; see
// [Row] about keeping their texts.
type Batch[T Row] struct {
	// ID is the window's number.
	ID Integer
	// Rows are at least one and at most 512 rows, in the order of the input.
	// Where the stream has no column rows, their Frame.Rows is 0.
	Rows []T
	// Lines has for each row the number of the line on which it begins.
	Lines []int
	// Last tells that the window ends with this batch, and that it is whole
	// and checked.
	Last bool

	name string // of the input
}

// batch is a Batch with the cells of which gocsv makes its rows. It is the
// gocsv.Decoder for them.
type batch[T Row] struct {
	Batch[T]
	frame Frame      // of all rows
	text  []byte     // the lines that are yet to be cut into cells, one after another
	ends  []int      // where the text ends with each row
	cells [][]string // the header, then the rows, each with its place before it; reused
	// places are what gocsv makes of the rows; of no use afterwards, and reused.
	places []place[T]
	limit  int    // rows that fit
	bytes  int    // of them
	fault  *fault // what was wrong with the cells
}

// fault is a cell that its column does not take.
type fault struct {
	row, column int // from 0, in the batch
	err         error
}

func newBatch[T Row](name string, header []string, rows int) *batch[T] {
	b := &batch[T]{limit: min(rows, batchCells/len(header))}
	b.name = name
	b.cells = append(make([][]string, 0, 1+b.limit), append([]string{""}, header...))
	return b
}

// reset empties the batch.
func (b *batch[T]) reset() {
	b.text, b.ends, b.cells, b.bytes = b.text[:0], b.ends[:0], b.cells[:1], 0
	b.Lines, b.Last = b.Lines[:0], false
}

// addPlain copies a row into the batch, as a line without quotes that has as many
// cells as the header.
func (b *batch[T]) addPlain(row []byte, line int) {
	b.addLine(line, len(row))
	b.text = append(b.text, row...)
	b.ends = append(b.ends, len(b.text))
}

// addCells copies a row into the batch.
func (b *batch[T]) addCells(row []string, line int) {
	bytes := 0
	for _, cell := range row {
		bytes += len(cell)
	}
	copy(b.addLine(line, bytes), row)
	b.ends = append(b.ends, len(b.text))
}

// addLine returns the cells of another row.
func (b *batch[T]) addLine(line, bytes int) []string {
	n := len(b.cells)
	b.cells = b.cells[:n+1]
	if b.cells[n] == nil {
		b.cells[n] = make([]string, len(b.cells[0]))
	}
	b.bytes += bytes
	b.Lines = append(b.Lines, line)
	return b.cells[n][1:]
}

func (b *batch[T]) full() bool {
	return len(b.Lines) == b.limit || b.bytes >= batchBytes
}

// GetCSVRows implements [gocsv.Decoder].
func (b *batch[T]) GetCSVRows() ([][]string, error) { return b.cells, nil }

// mapRows makes the rows of the cells, or the fault.
func (b *batch[T]) mapRows() {
	n := len(b.Lines)
	b.Rows = slices.Grow(b.Rows[:0], n)[:n]
	if n == 0 {
		return
	}
	b.split()
	b.clearRows()
	// gocsv fills a slice that is long enough where it is.
	b.places = slices.Grow(b.places[:0], n)[:n]
	err := gocsv.UnmarshalDecoder(b, &b.places)
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		// gocsv counts from 1, the header as line 1 and the place as column 1.
		b.fault = &fault{row: parse.Line - 2, column: parse.Column - 2, err: parse.Err}
	} else if err != nil {
		b.fault = &fault{err: err}
	}
}

// clearRows leaves nothing in the rows but their frame, of which gocsv need not get the
// cells.
func (b *batch[T]) clearRows() {
	clear(b.Rows)
	for i := range b.Rows {
		row := &b.Rows[i]
		*any(row).(framed).frame() = b.frame
		b.cells[1+i][0] = placeCell(row)
	}
}

// split cuts the lines into cells. These share one string: to allocate one for
// each line takes longer.
func (b *batch[T]) split() {
	text := string(b.text)
	from := 0
	for i, to := range b.ends {
		if to > from { // else it was cells, as there is a comma at least
			split(b.cells[1+i][1:], b.text[from:to], text[from:to])
		}
		from = to
	}
}

// crew maps batches on other CPUs while more are parsed. Its goroutines end
// with finish, so that a reader that is dropped leaves none behind.
type crew[T Row] struct {
	work    chan *batch[T]
	workers int
	group   sync.WaitGroup
}

// give has a batch mapped. It does not block for at most groupBatches of them.
func (c *crew[T]) give(b *batch[T]) {
	if c.work == nil {
		c.work = make(chan *batch[T], groupBatches)
	}
	c.work <- b
	if c.workers < runtime.GOMAXPROCS(0)-1 {
		c.workers++
		c.group.Go(c.run)
	}
}

func (c *crew[T]) run() {
	for b := range c.work {
		b.mapRows()
	}
}

// finish maps the last batch, and returns when all are mapped. Where there is
// only this one, no goroutine is started for it.
func (c *crew[T]) finish(last *batch[T]) {
	if c.work == nil {
		last.mapRows()
		return
	}
	c.work <- last
	close(c.work)
	c.run()
	c.group.Wait()
}
