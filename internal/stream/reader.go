package stream

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"slices"
)

// What a reader takes, so that a broken or hostile input ends in an error
// instead of in the machine's memory.
const (
	// MaxWindowRows is the most rows of one window.
	MaxWindowRows = 1 << 24
	// MaxRowBytes is the most bytes of one row, give or take one read.
	MaxRowBytes = 1 << 20
	// MaxColumns is the most columns of a header.
	MaxColumns = 1 << 10
)

// Window is a window of a stream, whole and checked.
type Window[T Row] struct {
	// ID is the window's number.
	ID Integer
	// Rows are its rows, at least one, in the order of the input.
	Rows []T
	// Lines has for each row the number of the line on which it begins.
	Lines []int

	name string // of the input
}

// Reader reads a stream window by window. With Next it holds one window at a
// time, with NextBatch and Each some thousand rows.
type Reader[T Row] struct {
	name      string
	options   options
	maxRows   int
	batchRows int

	source       *source
	buffered     *bufio.Reader
	csv          *csv.Reader
	skippedBytes int64 // of the input, that csv did not see
	skippedLines int   // the same
	lines        int   // taken in all
	header       []string
	windowCol    int
	rowsCol      int // -1 where the stream has no column rows
	// leading is how many columns the header begins with that are of the frame, if all
	// of the frame's are among them; else 0. Their cells are read with the frame,
	// before gocsv has the others.
	leading int

	plain  []byte   // the row read last, as a line of cells without quotes
	record []string // or else, where plain is nil, as cells; both until the next read
	line   int      // where it begins
	frame  Frame    // its frame
	held   bool     // it has not been taken yet
	// framed is what a line of cells without quotes begins with if its frame is
	// sameFrame. That is mostly the one of the row before. Once the frame of such a
	// line has been read, it is what the line begins with.
	framed    []byte
	sameFrame Frame

	begun bool    // some window was begun
	id    Integer // its number
	want  Count   // its rows, by its first row
	seen  Count   // its rows read so far; 0 where it is to begin

	group    []*batch[T] // reused
	other    []*batch[T] // what Each has taken while the group is read; reused
	filled   int         // batches of the group that have rows
	returned int         // those of them that NextBatch has returned
	within   bool        // the last of those was not its window's last
	window   Window[T]   // that Next returned
	err      error       // what ended the stream
}

// Option is a choice of how a [Reader] works.
type Option func(*options)

type options struct {
	warn     io.Writer
	optional []string          // columns that may be missing as well
	hints    map[string]string // what the error for a missing column ends in
}

// WarnTo makes the reader write its warnings, each a line, to w. Without it
// they are dropped.
func WarnTo(w io.Writer) Option {
	return func(o *options) { o.warn = w }
}

// NewReader returns a reader of the stream r. The name stands for the input
// in errors: "stdin" or a file's name. Nothing is read before the first
// window is asked for.
func NewReader[T Row](r io.Reader, name string, opts ...Option) *Reader[T] {
	chosen := options{warn: io.Discard}
	for _, opt := range opts {
		opt(&chosen)
	}
	reader := &Reader[T]{
		name:      name,
		options:   chosen,
		maxRows:   MaxWindowRows,
		batchRows: batchRows,
		source:    &source{r: r},
	}
	reader.window.name = name
	return reader
}

// Next returns the next window, which is valid until the next call. At the
// end of the stream the error is [io.EOF]; where the input breaks the
// contract it is an [*Error], and nothing of the window at fault is returned.
// After an error every call returns it again.
//
// Where the stream has the column rows, Next returns as soon as the window's
// last row is there. Otherwise it has to wait for the row after it.
func (r *Reader[T]) Next() (*Window[T], error) {
	w := &r.window
	w.Rows, w.Lines = w.Rows[:0], w.Lines[:0]
	err := r.Each(func(b *Batch[T]) error {
		w.take(b)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if r.rowsCol < 0 {
		for i := range w.Rows {
			any(&w.Rows[i]).(framed).frame().Rows = Count(len(w.Rows))
		}
	}
	return w, nil
}

// take copies a batch into the window. The room is made at once for as many rows
// as the window is said to have, if that is not too much to believe.
func (w *Window[T]) take(b *Batch[T]) {
	const believed = 1 << 17
	n := len(w.Rows)
	if more := len(b.Rows); n+more > cap(w.Rows) {
		said := int(any(&b.Rows[0]).(framed).frame().Rows) // 0 where nothing is
		more = max(more, min(said, max(believed, 2*n))-n)
		w.Rows, w.Lines = slices.Grow(w.Rows, more), slices.Grow(w.Lines, more)
	}
	w.ID = b.ID
	w.Rows, w.Lines = append(w.Rows, b.Rows...), append(w.Lines, b.Lines...)
}

// NextBatch returns the next rows of the window, for windows that are too
// large to be held as Next does. Its errors are those of Next, and it returns
// a window's last batch when Next would have returned the window.
//
// What is wrong with a window may show only in its last row, when the others
// have been returned. So the caller must act on nothing, and pass nothing on,
// before it has the batch with Last set.
func (r *Reader[T]) NextBatch() (*Batch[T], error) {
	if r.err == nil && r.returned == r.filled {
		r.err = r.readGroup()
	}
	if r.err != nil {
		r.within = false
		return nil, r.err
	}
	b := &r.group[r.returned].Batch
	r.returned++
	r.within = !b.Last
	return b, nil
}

// Each reads the next window and has all its batches taken, in their order and
// one at a time, while it reads on. They are valid until take returns, the last
// of them until the next call of the reader. What is said of [Reader.NextBatch]
// about a window's faults holds here too.
//
// An error of take ends the window, and is returned by all later calls too.
func (r *Reader[T]) Each(take func(b *Batch[T]) error) error {
	if r.within {
		return errWithin
	}
	takeAll := func(batches []*batch[T]) error {
		for _, b := range batches {
			if err := take(&b.Batch); err != nil {
				return err
			}
		}
		return nil
	}
	taken := make(chan error, 1)
	taken <- nil
	for r.err == nil {
		err := r.readGroup()
		// What was read before comes before.
		if r.err = cmp.Or(<-taken, err); r.err != nil {
			break
		}
		batches := r.group[:r.filled]
		r.returned = r.filled
		if batches[r.filled-1].Last {
			r.err = takeAll(batches)
			break
		}
		go func() { taken <- takeAll(batches) }()
		r.group, r.other = r.other, r.group
	}
	return r.err
}

var errWithin = errors.New("a window was asked for within one that is read in batches")

// readGroup fills the group with the next batches, none of which is of another
// window than the first: more must not be waited for.
func (r *Reader[T]) readGroup() error {
	if r.csv == nil {
		if err := r.readHeader(); err != nil {
			return err
		}
	}
	r.filled, r.returned = 0, 0
	last, err := r.parseGroup()
	// The first error of the input is the one to tell, and the rows were all
	// before the one that could not be parsed.
	for _, b := range r.group[:r.filled] {
		if b.fault != nil {
			return r.errorf(b.Lines[b.fault.row], r.header[r.leading+b.fault.column], "%v", b.fault.err)
		}
	}
	if err != nil {
		return err
	}
	r.group[r.filled-1].Last = last
	return nil
}

// parseGroup reads rows into batches and has them mapped. It tells whether the
// window ended with them.
func (r *Reader[T]) parseGroup() (last bool, err error) {
	var mapping crew[T]
	b := r.nextOfGroup()
	defer func() { mapping.finish(b) }()
	for {
		err := r.scan()
		if err != nil && err != io.EOF {
			return false, err
		}
		ended := err == io.EOF
		if r.seen > 0 && (ended || r.frame.Window != r.id) {
			r.held = !ended
			return true, r.endWindow(b)
		}
		if ended {
			return false, io.EOF
		}
		if b.full() {
			if r.filled == groupBatches {
				r.held = true
				return false, nil
			}
			mapping.give(b)
			b = r.nextOfGroup()
		}
		if err := r.addRow(b); err != nil {
			return false, err
		}
		if r.rowsCol >= 0 && r.seen == r.want {
			return true, r.endWindow(b)
		}
	}
}

// nextOfGroup returns the next batch of the group, empty.
func (r *Reader[T]) nextOfGroup() *batch[T] {
	if r.filled == len(r.group) {
		r.group = append(r.group, newBatch[T](r.name, r.header[r.leading:], r.batchRows))
	}
	b := r.group[r.filled]
	b.reset()
	r.filled++
	return b
}

// scan reads the next row and its frame, unless one is held from before.
func (r *Reader[T]) scan() error {
	if r.held {
		r.held = false
		return nil
	}
	if err := r.readRecord(); err != nil {
		return err
	}
	return r.readFrame()
}

// readFrame reads the frame of the row read last.
func (r *Reader[T]) readFrame() error {
	if len(r.framed) > 0 && bytes.HasPrefix(r.plain, r.framed) {
		r.frame = r.sameFrame
		return nil
	}
	record := r.record
	if r.plain != nil {
		record = make([]string, len(r.header))
		split(record, r.plain, string(r.plain))
	}
	if err := r.frame.Window.UnmarshalCSV(record[r.windowCol]); err != nil {
		return r.errorf(r.line, "window", "%v", err)
	}
	if r.rowsCol >= 0 {
		if err := r.frame.Rows.UnmarshalCSV(record[r.rowsCol]); err != nil {
			return r.errorf(r.line, "rows", "%v", err)
		}
	}
	if r.plain != nil {
		r.framed, r.sameFrame = r.framed[:0], r.frame
		for _, cell := range record[:max(r.windowCol, r.rowsCol)+1] {
			r.framed = append(append(r.framed, cell...), ',')
		}
	}
	return nil
}

// addRow takes the row read last into the window.
func (r *Reader[T]) addRow(b *batch[T]) error {
	id, rows := r.frame.Window, r.frame.Rows
	switch {
	case r.seen > 0:
		if rows != r.want {
			return r.errorf(r.line, "rows", "\"%d\" differs from %d on the rows of window %d before it", rows, r.want, id)
		}
	case r.begun && id == r.id:
		return r.errorf(r.line, "window", "window %d goes on after row %d of %d", id, r.want, r.want)
	case r.begun && id < r.id:
		return r.errorf(r.line, "window", "\"%d\" comes after window %d; window numbers must grow, and the rows of a window stand together", id, r.id)
	case rows > Count(r.maxRows):
		return r.errorf(r.line, "rows", "\"%d\" is more than the %d rows that a window may have", rows, r.maxRows)
	default:
		r.begun, r.id, r.want = true, id, rows
	}
	if r.seen == Count(r.maxRows) {
		return r.errorf(r.line, "", "window %d has more than the %d rows that a window may have", id, r.maxRows)
	}
	r.seen++
	b.ID, b.frame = id, r.frame
	if r.plain == nil {
		b.addCells(r.record[r.leading:], r.line)
	} else if r.leading > 0 {
		b.addPlain(r.plain[len(r.framed):], r.line)
	} else {
		b.addPlain(r.plain, r.line)
	}
	return nil
}

// endWindow checks the window that has been read and ends with the batch.
func (r *Reader[T]) endWindow(b *batch[T]) error {
	seen := r.seen
	r.seen = 0
	if r.rowsCol < 0 {
		return nil
	}
	last := b.Lines[len(b.Lines)-1]
	if seen < r.want {
		return r.errorf(last, "", "window %d ends after %d of %d rows; if rows were left out on purpose, leave out the column rows too", r.id, seen, r.want)
	}
	if r.source.cutAt(r.offset()) {
		return r.errorf(last, "", "the last line of window %d has no line end, so it may have been cut; end it with a newline", r.id)
	}
	return nil
}
