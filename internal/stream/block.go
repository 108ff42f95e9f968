package stream

import (
	"reflect"
	"unsafe"

	"github.com/gocarina/gocsv"
)

// blockRows is how many rows gocsv gets at once, as an array.
const blockRows = 32

// marshalTexts gives gocsv arrays of rows. The cells of a slice, which could be
// set, it copies to the heap before it looks at them; those of an array it need
// not copy.
//
// Where all rows of a block have the same text in a common column, gocsv gets an array of
// rows without the column.
func marshalTexts[T Row, X any](rows []T, text func(*T, *X), t *texts, l *lines) error {
	common := commonColumns[X]()
	width := reflect.TypeFor[X]().NumField()
	if len(rows) == 0 {
		l.layOut(make([]string, width), 0)
		return gocsv.MarshalCSV([]X{}, l)
	}
	without := common
	for ; len(rows) >= blockRows; rows = rows[blockRows:] {
		t.numbers = t.numbers[:0]
		in := blockOf[X](t, without)
		block := inBlock[[blockRows]X](&in)
		for i := range block {
			text(&rows[i], &block[i])
		}
		cells := unsafe.Slice((*string)(unsafe.Pointer(block)), blockRows*width)
		if alike := alikeColumns(cells, width, without); alike != without {
			without = alike
			in = blockOf[X](t, without)
			*inBlock[[blockRows]X](&in) = *block
		}
		l.layOut(cells[:width], without)
		if err := gocsv.MarshalCSVWithoutHeaders(in, l); err != nil {
			return err
		}
	}
	t.numbers = t.numbers[:0]
	in := blockOf[X](t, 0)
	block := inBlock[[blockRows]X](&in)
	for i := range rows {
		text(&rows[i], &block[i])
	}
	l.layOut(make([]string, width), 0)
	return gocsv.MarshalCSVWithoutHeaders(block[:len(rows)], l)
}

// commonColumns are those of the texts that are tagged so, as a set of bits. They are few,
// as there is a type for each of its subsets that occurs.
func commonColumns[X any]() (common uint) {
	row := reflect.TypeFor[X]()
	for j := range row.NumField() {
		if row.Field(j).Tag.Get("stream") == "common" {
			common |= 1 << j
		}
	}
	return common
}

// alikeColumns are those of some columns that have the same text in all rows.
func alikeColumns(cells []string, width int, columns uint) uint {
	for j := range width {
		if columns>>j&1 == 1 && !alike(cells, width, j) {
			columns &^= 1 << j
		}
	}
	return columns
}

// blockOf returns the array of rows for gocsv of which it does not see some columns.
func blockOf[X any](t *texts, without uint) any {
	if t.blocks[without] == nil {
		if t.blocks == nil {
			t.blocks = make(map[uint]any)
		}
		fields := reflect.VisibleFields(reflect.TypeFor[X]())
		for j := range fields {
			if without>>j&1 == 1 {
				fields[j].Tag = `csv:"-"`
			}
		}
		t.blocks[without] = reflect.New(reflect.ArrayOf(blockRows, reflect.StructOf(fields))).Elem().Interface()
	}
	return t.blocks[without]
}

// inBlock is the array that an interface holds, to be set where it is. In plain Go each
// array for gocsv would be copied to the heap once more. Nobody else has the interface:
// it is of one chunk, and gocsv keeps nothing. It may be an array of structs that differ
// from the others in their tags alone.
func inBlock[Array any](block *any) *Array {
	return (*Array)((*struct{ kind, value unsafe.Pointer })(unsafe.Pointer(block)).value)
}
