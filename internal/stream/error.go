package stream

import (
	"fmt"
	"strconv"
)

// Error is what is wrong with an input, and where.
type Error struct {
	// Name is the input: a file's name, or stdin.
	Name string
	// Line is the number, from 1, of the line on which the row begins.
	Line int
	// Column is the column's name; empty where the error is not in a cell.
	Column string
	// Msg says what is wrong.
	Msg string
}

// Error returns "name:line: column: message".
func (e *Error) Error() string {
	where := e.Name + ":" + strconv.Itoa(e.Line) + ": "
	if e.Column != "" {
		where += e.Column + ": "
	}
	return where + e.Msg
}

// Errorf returns an error at row i of the window. The column may be empty.
func (w *Window[T]) Errorf(i int, column, format string, args ...any) *Error {
	return &Error{Name: w.name, Line: w.Lines[i], Column: column, Msg: fmt.Sprintf(format, args...)}
}

// Errorf returns an error at row i of the batch. The column may be empty.
func (b *Batch[T]) Errorf(i int, column, format string, args ...any) *Error {
	return &Error{Name: b.name, Line: b.Lines[i], Column: column, Msg: fmt.Sprintf(format, args...)}
}
