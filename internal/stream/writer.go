package stream

import (
	"errors"
	"fmt"
	"io"
)

// Writer writes a stream window by window.
type Writer[T Row] struct {
	out     io.Writer
	maxRows int
	header  bool    // it is written
	begun   bool    // some window was written
	last    Integer // its number
	closed  bool
	err     error // nothing can be written after it
	chunks  []*chunk[T]
}

// NewWriter returns a writer of a stream to w.
func NewWriter[T Row](w io.Writer) *Writer[T] {
	return &Writer[T]{out: w, maxRows: MaxWindowRows}
}

// Write writes a window and flushes it, with the header before the first. It
// sets the frame of the rows in place. A window without rows leaves no trace
// in the stream but the header.
//
// A window that breaks the contract (numbers that do not grow, empty names,
// negative times, too many rows) is refused, and nothing of it is written.
// An error of the output is returned as it is, by this call and all later ones.
func (w *Writer[T]) Write(id Integer, rows []T) error {
	if err := w.checkWindow(id, len(rows)); err != nil {
		return err
	}
	if err := checkRows(rows, 0, Frame{Window: id, Rows: Count(len(rows))}); err != nil {
		return err
	}
	return w.writeRows(id, len(rows), func(_ *chunk[T], from, to int) ([]T, error) {
		return rows[from:to], nil
	})
}

// WriteFunc writes a window of n rows as Write does, without holding them:
// fill sets row i, from 0, which it is given empty but for the frame. It is
// called once for each row, for several rows at the same time and in no order,
// and must not keep the pointer.
//
// A row that breaks the contract ends the window. Where it is one of the first
// 512, the window is refused as by Write. Else the rows before it, in steps of
// 512, may have been written: the window is cut short, which readers refuse,
// and as nothing can follow it, all later calls return the error too.
func (w *Writer[T]) WriteFunc(id Integer, n int, fill func(i int, row *T)) error {
	if err := w.checkWindow(id, n); err != nil {
		return err
	}
	frame := Frame{Window: id, Rows: Count(n)}
	return w.writeRows(id, n, func(c *chunk[T], from, to int) ([]T, error) {
		return c.fill(from, to, frame, fill)
	})
}

// checkWindow tells whether a window may be written now.
func (w *Writer[T]) checkWindow(id Integer, rows int) error {
	if w.err != nil {
		return w.err
	}
	if w.closed {
		return errors.New("window written after the stream was closed")
	}
	if w.begun && id <= w.last {
		return fmt.Errorf("window %d cannot be written after window %d: window numbers must grow", id, w.last)
	}
	if rows > w.maxRows {
		return fmt.Errorf("window %d has %d rows; at most %d are allowed", id, rows, w.maxRows)
	}
	return nil
}

// checkRows sets the frame of rows, of which the first is row number first of
// the window, from 0, and tells what is wrong with them.
func checkRows[T Row](rows []T, first int, frame Frame) error {
	for i := range rows {
		row := any(&rows[i]).(framed)
		*row.frame() = frame
		if column, err := row.check(); err != nil {
			return fmt.Errorf("window %d, row %d: %s: %w", frame.Window, first+i+1, column, err)
		}
	}
	return nil
}

// writeHeader writes the header, once.
func (w *Writer[T]) writeHeader() error {
	if w.header {
		return nil
	}
	w.header = true
	text := lines{prefix: frameHeader}
	if err := marshal[T](nil, new(texts), &text); err != nil {
		return err
	}
	_, err := w.out.Write(text.buf)
	return err
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
