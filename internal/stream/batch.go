package stream

import (
	"runtime"
	"slices"
	"sync"
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

// batch is a Batch with the cells of which gocsv makes its rows.
type batch[T Row] struct {
	Batch[T]
	header []string // of the cells
	frame  Frame    // of all rows
	text   []byte   // the lines that are yet to be cut into cells, one after another
	ends   []int    // where the text ends with each row
	cells  []string // of all rows, each with room for its place before it; reused
	table  table[T] // of them
	limit  int      // rows that fit
	bytes  int      // of them
	fault  *fault   // what was wrong with the cells
}

// fault is a cell that its column does not take.
type fault struct {
	row, column int // from 0, in the batch
	err         error
}

func newBatch[T Row](name string, header []string, rows int) *batch[T] {
	b := &batch[T]{header: header, limit: min(rows, batchCells/len(header))}
	b.name = name
	return b
}

// reset empties the batch.
func (b *batch[T]) reset() {
	b.text, b.ends, b.cells, b.bytes = b.text[:0], b.ends[:0], b.cells[:0], 0
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
	b.cells = slices.Grow(b.cells, b.width())[:n+b.width()]
	b.bytes += bytes
	b.Lines = append(b.Lines, line)
	return b.cells[n+1:]
}

// width is how many cells a row has, with its place.
func (b *batch[T]) width() int { return 1 + len(b.header) }

// row is the cells of row i, after its place.
func (b *batch[T]) row(i int) []string { return b.cells[i*b.width()+1:][:len(b.header)] }

func (b *batch[T]) full() bool {
	return len(b.Lines) == b.limit || b.bytes >= batchBytes
}

// mapRows makes the rows of the cells, or the fault.
func (b *batch[T]) mapRows() {
	n := len(b.Lines)
	b.Rows = slices.Grow(b.Rows[:0], n)[:n]
	if n == 0 {
		return
	}
	b.split()
	all := make([]int, len(b.header))
	for j := range all {
		all[j] = j
	}
	if n < sharingRows {
		b.fault = b.mapColumns(0, n, all, new(T))
		return
	}
	// What all rows have alike is mapped in the first and copied.
	if b.fault = b.mapColumns(0, 1, all, new(T)); b.fault != nil {
		return
	}
	others := slices.DeleteFunc(all, func(j int) bool { return alike(b.cells, b.width(), 1+j) })
	b.fault = b.mapColumns(1, n, others, &b.Rows[0])
}

// sharingRows is from how many rows on gocsv takes longer for columns in which all are
// alike than to be called twice.
const sharingRows = 16

// alike tells whether a column of rows of that width has the same text in all rows.
func alike(cells []string, width, column int) bool {
	first := cells[column]
	for at := column + width; at < len(cells); at += width {
		if cells[at] != first {
			return false
		}
	}
	return true
}

// mapColumns makes rows from one index to another: gocsv maps some columns, in ascending
// order, and the others are those of a row. It moves the cells together, so that they
// cannot be used again.
func (b *batch[T]) mapColumns(from, to int, columns []int, others *T) *fault {
	cells := b.cells[from*b.width() : from*b.width()]
	for i := from; i < to; i++ {
		b.Rows[i] = *others
		// gocsv need not get the cells of the frame.
		*any(&b.Rows[i]).(framed).frame() = b.frame
		row := b.row(i)
		cells = append(cells, placeCell(&b.Rows[i]))
		for _, j := range columns {
			cells = append(cells, row[j])
		}
	}
	row, column, err := b.table.unmarshal(b.header, columns, cells)
	if err != nil {
		return &fault{row: from + row, column: columns[column], err: err}
	}
	return nil
}

// split cuts the lines into cells. These share one string: to allocate one for
// each line takes longer.
func (b *batch[T]) split() {
	text := string(b.text)
	from := 0
	for i, to := range b.ends {
		if to > from { // else it was cells, as there is a comma at least
			split(b.row(i), b.text[from:to], text[from:to])
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
