package imports

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/gocarina/gocsv"

	"alps/internal/stream"
)

// csvFile is a file of CSV with a header.
type csvFile struct {
	name    string
	bounded *boundedReader
	csv     *csv.Reader
	closer  io.Closer
	last    int // line of the last row that could be read
}

func (i *importer) openCSV(file string) (*csvFile, error) {
	in, name, err := i.Open(file)
	if err != nil {
		return nil, err
	}
	f := &csvFile{name: name, bounded: &boundedReader{in: in, left: stream.MaxRowBytes}, closer: in}
	buffered := bufio.NewReader(f.bounded)
	if mark, _ := buffered.Peek(len(byteOrderMark)); bytes.Equal(mark, byteOrderMark) {
		buffered.Discard(len(byteOrderMark))
	}
	f.csv = csv.NewReader(buffered)
	f.csv.ReuseRecord = true
	return f, nil
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// boundedReader refuses to read on in a row that is too long, such as one with
// a quote left open.
type boundedReader struct {
	in   io.Reader
	left int // bytes until the row is too long
}

var errLongRow = errors.New("the row is too long")

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongRow
	}
	n, err := b.in.Read(p)
	b.left -= n
	return n, err
}

// read reads the next row, which is valid until the one after it; io.EOF after
// the last.
func (f *csvFile) read() ([]string, error) {
	record, err := f.csv.Read()
	if err != nil {
		return nil, f.explain(err)
	}
	f.taken()
	return record, nil
}

// taken is called after each row that was read.
func (f *csvFile) taken() {
	f.bounded.left = stream.MaxRowBytes
	f.last = f.line()
}

// header reads the header. No name may be there twice.
func (f *csvFile) header() ([]string, error) {
	header, err := f.read()
	if err == io.EOF {
		return nil, f.errorf(1, "", "the header is missing")
	}
	if err != nil {
		return nil, err
	}
	kept := make([]string, len(header)) // the reader uses the slice again
	copy(kept, header)
	return kept, f.checkHeader(kept)
}

func (f *csvFile) checkHeader(header []string) error {
	seen := make(map[string]bool)
	for _, column := range header {
		if seen[column] {
			return f.errorf(1, column, "the column is there twice")
		}
		seen[column] = true
	}
	return nil
}

// line is that of the row that was read last.
func (f *csvFile) line() int {
	line, _ := f.csv.FieldPos(0)
	return line
}

func (f *csvFile) errorf(line int, column, format string, args ...any) *stream.Error {
	return &stream.Error{Name: f.name, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)}
}

// explain says where an error of encoding/csv is.
func (f *csvFile) explain(err error) error {
	var parse *csv.ParseError
	switch {
	case err == io.EOF:
		return err
	case errors.Is(err, errLongRow):
		return f.errorf(f.last+1, "", "the row has more than %d bytes; is a quote left open?", stream.MaxRowBytes)
	case errors.As(err, &parse) && parse.Err == csv.ErrFieldCount:
		return &badRow{f.errorf(parse.StartLine, "", "the row has not as many cells as the header, %d", f.csv.FieldsPerRecord)}
	case errors.As(err, &parse):
		return f.errorf(parse.StartLine, "", "%v", parse.Err)
	}
	return fmt.Errorf("reading %s: %w", f.name, err)
}

// badRow is a row that does not fit, after which the file can be read on.
type badRow struct{ at *stream.Error }

func (b *badRow) Error() string { return b.at.Error() }

func (f *csvFile) badRow(column, format string, args ...any) error {
	return &badRow{f.errorf(f.line(), column, format, args...)}
}

// checkName tells whether a cell can be the name of a class, or a part of it.
func (f *csvFile) checkName(column, text string) error {
	var name stream.Name
	if err := name.UnmarshalCSV(text); err != nil {
		return f.badRow(column, "%v", err)
	}
	return nil
}

// table is a file whose rows are bound to the fields of T, all texts, by the
// header. Columns that T has not are ignored.
type table[T any] struct {
	*csvFile
	rows *gocsv.Unmarshaller
}

// openTable reads the header, which must have all columns of T.
func openTable[T any](i *importer, file string) (*table[T], error) {
	f, err := i.openCSV(file)
	if err != nil {
		return nil, err
	}
	t := &table[T]{csvFile: f}
	if err := t.bind(); err != nil {
		f.closer.Close()
		return nil, err
	}
	return t, nil
}

func (t *table[T]) bind() (err error) {
	var row T
	t.rows, err = gocsv.NewUnmarshaller(t.csv, row)
	if err == io.EOF {
		return t.errorf(1, "", "the header is missing")
	}
	if err != nil {
		return t.explain(err)
	}
	t.taken()
	for _, column := range t.rows.MismatchedStructFields {
		return t.errorf(1, column, "the column is missing")
	}
	return t.checkHeader(t.rows.Headers)
}

// each calls do for each row. A row that do refuses may be left out.
func (t *table[T]) each(r *refusals, do func(row T) error) error {
	for {
		row, err := t.rows.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			err = t.explain(err)
		} else {
			t.taken()
			err = do(row.(T))
		}
		if err := r.check(err); err != nil {
			return err
		}
	}
}

// refusals are the rows that did not fit.
type refusals struct {
	skip     bool
	messages io.Writer
	count    int
	again    bool // those of a second pass were told in the first
}

// maxTold is how many refused rows are told of one by one.
const maxTold = 20

// check returns the error, unless it is a row that may be left out.
func (r *refusals) check(err error) error {
	var bad *badRow
	if !errors.As(err, &bad) {
		return err
	}
	if !r.skip {
		return bad.at
	}
	if r.again {
		return nil
	}
	if r.count++; r.count <= maxTold {
		if _, err := fmt.Fprintf(r.messages, "%v (left out)\n", bad); err != nil {
			return err
		}
	}
	return nil
}

// tell says how many rows were left out, where that has not been seen. Those
// of another pass over the same files are not told of again.
func (r *refusals) tell() error {
	if r.again || r.count <= maxTold {
		r.again = true
		return nil
	}
	r.again = true
	_, err := fmt.Fprintf(r.messages, "%d rows or cells were left out, of which the first %d are above\n", r.count, maxTold)
	return err
}

const (
	// maxSeconds is the latest time in a trace, and the longest duration.
	maxSeconds = 1e9
	// maxCount is the most requests of one cell.
	maxCount = 1 << 40
)

// number reads a decimal number of a trace, from 0 to maximum. It may have an
// exponent, for what wrote the published files writes some so.
func number(text string, maximum float64) (float64, error) {
	if text == "" {
		return 0, errors.New("the cell is empty")
	}
	value, err := strconv.ParseFloat(text, 64)
	if err != nil || strings.Trim(text, "0123456789.eE+-") != "" || !(value >= 0 && value <= maximum) {
		return 0, fmt.Errorf("%.60q is not a number from 0 to %.0f", text, maximum)
	}
	return value, nil
}

// nanos reads a duration or a time, of which one unit is so long.
func nanos(text string, unitNs float64) (int64, error) {
	value, err := number(text, maxSeconds*1e9/unitNs)
	return int64(math.Round(value * unitNs)), err
}

// count reads a number of requests, which may be written with a point: 816.0.
func count(text string) (int64, error) {
	value, err := number(text, maxCount)
	if err == nil && value != math.Trunc(value) {
		err = fmt.Errorf("%q is not a whole number", text)
	}
	return int64(value), err
}
