package stream

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// readHeader reads the first line and checks the columns.
func (r *Reader[T]) readHeader() error {
	r.buffered = bufio.NewReaderSize(r.source, bufferBytes)
	// A byte order mark says nothing in UTF-8, but some spreadsheets write it.
	if mark, _ := r.buffered.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		r.buffered.Discard(len(mark))
		r.skippedBytes = int64(len(mark))
	}
	r.csv = csv.NewReader(r.buffered) // which buffers no more itself
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
	hint := "" // of the column missing last
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
		optional := column.optional || slices.Contains(r.options.optional, column.name)
		if !optional && !slices.Contains(r.header, column.name) {
			missing = append(missing, quote(column.name))
			hint = r.options.hints[column.name]
		}
	}
	if len(missing) == 1 {
		return r.errorf(r.line, "", "column %s is missing%s", missing[0], hint)
	}
	if len(missing) > 1 {
		return r.errorf(r.line, "", "columns %s are missing", strings.Join(missing, ", "))
	}
	if len(unknown) > 0 {
		fmt.Fprintf(r.options.warn, "%s:%d: ignored unknown columns: %s\n", r.name, r.line, strings.Join(unknown, ", "))
	}
	r.windowCol = slices.Index(r.header, "window")
	r.rowsCol = slices.Index(r.header, "rows")
	if columns := max(r.windowCol, r.rowsCol) + 1; columns == 1 || columns == 2 && r.rowsCol >= 0 {
		r.leading = columns
	}
	return nil
}
