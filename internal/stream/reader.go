package stream

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
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

// Reader reads a stream window by window. It holds one window at a time.
type Reader[T Row] struct {
	name    string
	warn    io.Writer
	maxRows int

	source    *source
	csv       *csv.Reader
	start     int64 // bytes before the first that csv saw
	header    []string
	windowCol int
	rowsCol   int // -1 where the stream has no column rows

	record []string // the row read last, as cells
	line   int      // where it begins
	frame  Frame    // its frame
	held   bool     // it belongs to the window that Next returns next

	window Window[T]
	want   Count // rows of the window, by its first row
	seen   Count // rows of the window read so far
	begun  bool  // some window was begun
	batch  batch
	err    error // what ended the stream
}

// Option is a choice of how a [Reader] works.
type Option func(*options)

type options struct{ warn io.Writer }

// WarnTo makes the reader write its warnings, each a line, to w. Without it
// they are dropped.
func WarnTo(w io.Writer) Option {
	return func(o *options) { o.warn = w }
}

// NewReader returns a reader of the stream r. The name stands for the input
// in errors: "stdin" or a file's name. Nothing is read before the first Next.
func NewReader[T Row](r io.Reader, name string, opts ...Option) *Reader[T] {
	chosen := options{warn: io.Discard}
	for _, opt := range opts {
		opt(&chosen)
	}
	reader := &Reader[T]{
		name:    name,
		warn:    chosen.warn,
		maxRows: MaxWindowRows,
		source:  &source{r: r},
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
	if r.err != nil {
		return nil, r.err
	}
	if r.csv == nil {
		if r.err = r.readHeader(); r.err != nil {
			return nil, r.err
		}
	}
	if r.err = r.readWindow(); r.err != nil {
		return nil, r.err
	}
	return &r.window, nil
}

// readWindow fills r.window.
func (r *Reader[T]) readWindow() error {
	r.window.Rows, r.window.Lines = r.window.Rows[:0], r.window.Lines[:0]
	r.batch.reset(r.header)
	r.seen = 0
	for {
		err := r.scan()
		if err != nil && err != io.EOF {
			return r.refuse(err)
		}
		ended := err == io.EOF
		if r.seen > 0 && (ended || r.frame.Window != r.window.ID) {
			r.held = !ended
			return r.endWindow()
		}
		if ended {
			return io.EOF
		}
		if err := r.addRow(); err != nil {
			return r.refuse(err)
		}
		if r.rowsCol >= 0 && r.seen == r.want {
			return r.endWindow()
		}
	}
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
	if err := r.frame.Window.UnmarshalCSV(r.record[r.windowCol]); err != nil {
		return r.errorf(r.line, "window", "%v", err)
	}
	if r.rowsCol < 0 {
		return nil
	}
	if err := r.frame.Rows.UnmarshalCSV(r.record[r.rowsCol]); err != nil {
		return r.errorf(r.line, "rows", "%v", err)
	}
	return nil
}

// addRow takes the row read last into the window.
func (r *Reader[T]) addRow() error {
	id, rows := r.frame.Window, r.frame.Rows
	switch {
	case r.seen > 0:
		if rows != r.want {
			return r.errorf(r.line, "rows", "\"%d\" differs from %d on the rows of window %d before it", rows, r.want, id)
		}
	case r.begun && id == r.window.ID:
		return r.errorf(r.line, "window", "window %d goes on after row %d of %d", id, r.want, r.want)
	case r.begun && id < r.window.ID:
		return r.errorf(r.line, "window", "\"%d\" comes after window %d; window numbers must grow, and the rows of a window stand together", id, r.window.ID)
	case rows > Count(r.maxRows):
		return r.errorf(r.line, "rows", "\"%d\" is more than the %d rows that a window may have", rows, r.maxRows)
	default:
		r.begun, r.window.ID, r.want = true, id, rows
	}
	if r.seen == Count(r.maxRows) {
		return r.errorf(r.line, "", "window %d has more than the %d rows that a window may have", id, r.maxRows)
	}
	r.seen++
	r.window.Lines = append(r.window.Lines, r.line)
	r.batch.add(r.record)
	if r.batch.full() {
		return r.mapBatch()
	}
	return nil
}

// endWindow checks and finishes the window that has been read.
func (r *Reader[T]) endWindow() error {
	if err := r.mapBatch(); err != nil {
		return err
	}
	if r.rowsCol < 0 {
		for i := range r.window.Rows {
			any(&r.window.Rows[i]).(framed).frame().Rows = r.seen
		}
		return nil
	}
	last := r.window.Lines[r.seen-1]
	if r.seen < r.want {
		return r.errorf(last, "", "window %d ends after %d of %d rows; if rows were left out on purpose, leave out the column rows too", r.window.ID, r.seen, r.want)
	}
	if r.source.cutAt(r.start + r.csv.InputOffset()) {
		return r.errorf(last, "", "the last line of window %d has no line end, so it may have been cut; end it with a newline", r.window.ID)
	}
	return nil
}

// refuse returns the error at the row read last, unless a row before it is at
// fault too: rows are mapped in batches, and the first error is the one to
// tell.
func (r *Reader[T]) refuse(err error) error {
	if earlier := r.mapBatch(); earlier != nil {
		return earlier
	}
	return err
}

// mapBatch turns the cells of the batch into rows.
func (r *Reader[T]) mapBatch() error {
	rows, fault := mapInto(&r.batch, r.window.Rows)
	if fault != nil {
		return r.errorf(r.window.Lines[len(r.window.Rows)+fault.row], r.header[fault.column], "%v", fault.err)
	}
	r.window.Rows = rows
	return nil
}

// readHeader reads the first line and checks the columns.
func (r *Reader[T]) readHeader() error {
	buffered := bufio.NewReaderSize(r.source, bufferBytes)
	// A byte order mark says nothing in UTF-8, but some spreadsheets write it.
	if mark, _ := buffered.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		buffered.Discard(len(mark))
		r.start = int64(len(mark))
	}
	r.csv = csv.NewReader(buffered)
	r.csv.ReuseRecord = true
	if err := r.readRecord(); err == io.EOF {
		return r.errorf(1, "", "the input is empty; a stream begins with a header")
	} else if err != nil {
		return err
	}
	if len(r.record) > MaxColumns {
		return r.errorf(r.line, "", "the header has %d columns; at most %d are taken", len(r.record), MaxColumns)
	}
	r.header = slices.Clone(r.record)
	return r.checkHeader()
}

// byteOrderMark is U+FEFF in UTF-8.
const byteOrderMark = "\ufeff"

// bufferBytes is how much is read at once, where so much is there.
const bufferBytes = 64 << 10

func (r *Reader[T]) checkHeader() error {
	var unknown, missing []string
	columns := columnsOf[T]()
	for i, name := range r.header {
		if !utf8.ValidString(name) {
			return r.errorf(r.line, "", "the column name %s is not UTF-8", quote(name))
		}
		if slices.Contains(r.header[:i], name) {
			return r.errorf(r.line, "", "column %s stands twice", quote(name))
		}
		if !slices.ContainsFunc(columns, func(c column) bool { return c.name == name }) {
			unknown = append(unknown, quote(name))
		}
	}
	for _, column := range columns {
		if !column.optional && !slices.Contains(r.header, column.name) {
			missing = append(missing, quote(column.name))
		}
	}
	if len(missing) == 1 {
		return r.errorf(r.line, "", "column %s is missing", missing[0])
	}
	if len(missing) > 1 {
		return r.errorf(r.line, "", "columns %s are missing", strings.Join(missing, ", "))
	}
	if len(unknown) > 0 {
		fmt.Fprintf(r.warn, "%s:%d: ignored unknown columns: %s\n", r.name, r.line, strings.Join(unknown, ", "))
	}
	r.windowCol = slices.Index(r.header, "window")
	r.rowsCol = slices.Index(r.header, "rows")
	return nil
}

// readRecord reads the next line of cells that is not blank.
func (r *Reader[T]) readRecord() error {
	record, err := r.csv.Read()
	if err != nil {
		return r.readError(record, err)
	}
	r.record = record
	r.line, _ = r.csv.FieldPos(0)
	r.source.rowStart = r.start + r.csv.InputOffset()
	return nil
}

// readError says what an error of encoding/csv, or of the input below it, means.
func (r *Reader[T]) readError(record []string, err error) error {
	if r.source.err == errLongRow {
		return r.errorf(r.line+1, "", "the row has more than %d bytes; is a quote left open?", MaxRowBytes)
	}
	if r.source.err != nil {
		return fmt.Errorf("%s: %w", r.name, r.source.err)
	}
	var parse *csv.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	switch parse.Err {
	case csv.ErrFieldCount:
		return r.errorf(parse.StartLine, "", "the row has %d cells, the header %d", len(record), len(r.header))
	case csv.ErrBareQuote:
		return r.errorf(parse.StartLine, "", "a quote stands within a cell that is not quoted")
	}
	return r.errorf(parse.StartLine, "", "a quoted cell is not closed, or text follows its closing quote")
}

func (r *Reader[T]) errorf(line int, column, format string, args ...any) *Error {
	return &Error{Name: r.name, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)}
}
