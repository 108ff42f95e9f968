package stream

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
)

// readRecord reads the next line of cells that is not blank.
func (r *Reader[T]) readRecord() error {
	if r.readPlain() {
		return nil
	}
	record, err := r.csv.Read()
	if err != nil {
		return r.readError(record, err)
	}
	r.record = append(r.record[:0], record...)
	r.line, _ = r.csv.FieldPos(0)
	r.line += r.skippedLines
	r.lines = r.line
	r.size = 0
	for _, cell := range record {
		r.size += len(cell)
		r.lines += strings.Count(cell, "\n")
	}
	r.source.rowStart = r.offset()
	return nil
}

// readPlain reads the next row, if its line is in the buffer and has nothing but
// as many cells as the header, none of them quoted. encoding/csv takes thrice
// as long for such a row; all others are left to it, and with them all errors.
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
		if len(line) > 0 {
			if bytes.IndexByte(line, '"') >= 0 || !r.split(string(line)) {
				return false
			}
			r.line, r.size = r.lines+1, len(line)
		}
		r.lines++
		r.skippedLines++
		r.skippedBytes += int64(end + 1)
		r.buffered.Discard(end + 1)
		if len(line) > 0 {
			r.source.rowStart = r.offset()
			return true
		}
	}
}

var carriageReturn = []byte{'\r'}

// split cuts a line into the cells of r.record, if it has as many as the header.
func (r *Reader[T]) split(line string) bool {
	cells := r.record
	for i := range len(cells) - 1 {
		comma := strings.IndexByte(line, ',')
		if comma < 0 {
			return false
		}
		cells[i], line = line[:comma], line[comma+1:]
	}
	if strings.IndexByte(line, ',') >= 0 {
		return false
	}
	cells[len(cells)-1] = line
	return true
}

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
