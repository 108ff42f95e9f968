package stream

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
)

// readRecord reads the next row that is not blank: into plain where that does,
// or else into record.
func (r *Reader[T]) readRecord() error {
	if r.readPlain() {
		return nil
	}
	r.plain = nil
	record, err := r.csv.Read()
	if err != nil {
		return r.readError(record, err)
	}
	r.record = record
	r.line, _ = r.csv.FieldPos(0)
	r.line += r.skippedLines
	r.lines = r.line
	for _, cell := range record {
		r.lines += strings.Count(cell, "\n")
	}
	r.source.rowStart = r.offset()
	return nil
}

// readPlain reads the next row, if its line is in the buffer and has nothing but
// as many cells as the header, none of them quoted. encoding/csv takes several
// times as long for such a row; all others are left to it, and with them all
// errors.
func (r *Reader[T]) readPlain() bool {
	if r.header == nil {
		return false
	}
	for {
		ahead, _ := r.buffered.Peek(r.buffered.Buffered())
		end := bytes.IndexByte(ahead, '\n')
		if end < 0 {
			return false
		}
		line := bytes.TrimSuffix(ahead[:end], carriageReturn)
		if len(line) > 0 && (bytes.IndexByte(line, '"') >= 0 || bytes.Count(line, comma) != len(r.header)-1) {
			return false
		}
		r.lines++
		r.skippedLines++
		r.skippedBytes += int64(end + 1)
		r.buffered.Discard(end + 1) // which leaves the line where it is
		if len(line) > 0 {
			r.line, r.plain = r.lines, line
			r.source.rowStart = r.offset()
			return true
		}
	}
}

var (
	carriageReturn = []byte{'\r'}
	comma          = []byte{','}
)

// offset is how many bytes of the input have been taken.
func (r *Reader[T]) offset() int64 { return r.skippedBytes + r.csv.InputOffset() }

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
		return r.errorf(r.skippedLines+parse.StartLine, "", "the row has %d cells, the header %d", len(record), len(r.header))
	case csv.ErrBareQuote:
		return r.errorf(r.skippedLines+parse.StartLine, "", "a quote stands within a cell that is not quoted")
	}
	return r.errorf(r.skippedLines+parse.StartLine, "", "a quoted cell is not closed, or text follows its closing quote")
}

func (r *Reader[T]) errorf(line int, column, format string, args ...any) *Error {
	return &Error{Name: r.name, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)}
}
