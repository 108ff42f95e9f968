package stream

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"

	"github.com/gocarina/gocsv"
)

// Writer writes a stream window by window.
type Writer[T Row] struct {
	csv     *gocsv.SafeCSVWriter
	maxRows int
	header  bool    // it is written
	begun   bool    // some window was written
	last    Integer // its number
	closed  bool
	err     error // of the output; nothing can be written after it
}

// NewWriter returns a writer of a stream to w.
func NewWriter[T Row](w io.Writer) *Writer[T] {
	return &Writer[T]{csv: gocsv.NewSafeCSVWriter(csv.NewWriter(w)), maxRows: MaxWindowRows}
}

// Write writes a window and flushes it, with the header before the first. It
// sets the frame of the rows in place. A window without rows leaves no trace
// in the stream but the header.
//
// A window that breaks the contract (numbers that do not grow, empty names,
// negative times, too many rows) is refused, and nothing of it is written.
// An error of the output is returned as it is, by this call and all later ones.
func (w *Writer[T]) Write(id Integer, rows []T) error {
	if w.err != nil {
		return w.err
	}
	if w.closed {
		return errors.New("window written after the stream was closed")
	}
	if w.begun && id <= w.last {
		return fmt.Errorf("window %d cannot be written after window %d: window numbers must grow", id, w.last)
	}
	if len(rows) > w.maxRows {
		return fmt.Errorf("window %d has %d rows; at most %d are allowed", id, len(rows), w.maxRows)
	}
	for i := range rows {
		row := any(&rows[i]).(framed)
		*row.frame() = Frame{Window: id, Rows: Count(len(rows))}
		if column, err := row.check(); err != nil {
			return fmt.Errorf("window %d, row %d: %s: %w", id, i+1, column, err)
		}
	}
	w.begun, w.last = true, id
	if w.err = w.writeHeader(); w.err == nil && len(rows) > 0 {
		w.err = gocsv.MarshalCSVWithoutHeaders(rows, w.csv)
	}
	return w.err
}

// writeHeader writes and flushes the header, once.
func (w *Writer[T]) writeHeader() error {
	if w.header {
		return nil
	}
	w.header = true
	return gocsv.MarshalCSV([]T{}, w.csv)
}

// Close ends the stream: one without windows gets its header. The underlying
// writer is not closed.
func (w *Writer[T]) Close() error {
	if w.err == nil && !w.closed {
		w.closed = true
		w.err = w.writeHeader()
	}
	return w.err
}
