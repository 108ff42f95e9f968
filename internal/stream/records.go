package stream

import (
	"encoding/csv"
	"errors"
	"fmt"
)

// readRecord reads the next line of cells that is not blank.
func (r *Reader[T]) readRecord() error {
	record, err := r.csv.Read()
	if err != nil {
		return r.readError(record, err)
	}
	r.record = record
	r.line, _ = r.csv.FieldPos(0)
	r.source.rowStart = r.offset()
	return nil
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
		return r.errorf(parse.StartLine, "", "the row has %d cells, the header %d", len(record), len(r.header))
	case csv.ErrBareQuote:
		return r.errorf(parse.StartLine, "", "a quote stands within a cell that is not quoted")
	}
	return r.errorf(parse.StartLine, "", "a quoted cell is not closed, or text follows its closing quote")
}

func (r *Reader[T]) errorf(line int, column, format string, args ...any) *Error {
	return &Error{Name: r.name, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)}
}
