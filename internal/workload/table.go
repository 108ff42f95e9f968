package workload

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"alps/internal/stream"
)

// table reads CSV with a header, row by row. Its cells are those of the
// streams, hence as strict.
type table struct {
	csv     *csv.Reader
	name    string
	columns map[string]int
	record  []string
}

// cell is one of the cell types of package stream.
type cell interface{ UnmarshalCSV(text string) error }

// openTable reads the header, which must have the required columns. The name
// is what errors call the input.
func openTable(r io.Reader, name string, required ...string) (*table, error) {
	t := &table{csv: csv.NewReader(r), name: name, columns: make(map[string]int)}
	t.csv.ReuseRecord = true
	header, err := t.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, t.errorf(1, "", "the header is missing")
	}
	if err != nil {
		return nil, t.wrap(err)
	}
	for i, column := range header {
		if _, twice := t.columns[column]; twice {
			return nil, t.errorf(1, column, "the column is there twice")
		}
		t.columns[column] = i
	}
	for _, column := range required {
		if !t.has(column) {
			return nil, t.errorf(1, column, "the column is missing")
		}
	}
	return t, nil
}

func (t *table) has(column string) bool {
	_, ok := t.columns[column]
	return ok
}

// next goes to the next row; io.EOF after the last.
func (t *table) next() error {
	var err error
	t.record, err = t.csv.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return t.wrap(err)
	}
	return err
}

func (t *table) line() int {
	line, _ := t.csv.FieldPos(0)
	return line
}

// text returns a copy of a cell of the row.
func (t *table) text(column string) string {
	return strings.Clone(t.record[t.columns[column]])
}

// decode reads a cell of the row.
func (t *table) decode(column string, into cell) error {
	if err := into.UnmarshalCSV(t.record[t.columns[column]]); err != nil {
		return t.errorf(t.line(), column, "%v", err)
	}
	return nil
}

// decodeNanos reads the given cells of the row, each a number of nanoseconds.
func (t *table) decodeNanos(columns ...nanosColumn) error {
	for _, c := range columns {
		var v stream.Nanos
		if err := t.decode(c.name, &v); err != nil {
			return err
		}
		*c.into = int64(v)
	}
	return nil
}

type nanosColumn struct {
	name string
	into *int64
}

func (t *table) errorf(line int, column, format string, args ...any) error {
	return &stream.Error{Name: t.name, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)}
}

// wrap puts the input's name and the line before an error of encoding/csv.
func (t *table) wrap(err error) error {
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		return t.errorf(parse.Line, "", "%v", parse.Err)
	}
	return fmt.Errorf("reading %s: %w", t.name, err)
}
