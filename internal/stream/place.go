package stream

import (
	"unsafe"

	"github.com/gocarina/gocsv"
)

// place is what gocsv makes of a row: it has the row's cells set in the row that it
// points to, which stands in a batch. gocsv makes two structs on the heap for each row
// and copies one of them; were they the rows themselves, that would take as long as to
// read their cells, and the garbage collector would have ten times as much to do.
type place[T Row] struct {
	Row gocsv.TypeUnmarshalCSVWithFields `csv:"place"` // a *T
}

// UnmarshalCSVWithFields sets the column named key from the text of a cell. The first
// cell of a row, which has no name, is the [placeCell].
func (p *place[T]) UnmarshalCSVWithFields(key, text string) error {
	if p.Row == nil {
		p.Row = any((*T)(unsafe.Pointer(unsafe.StringData(text)))).(gocsv.TypeUnmarshalCSVWithFields)
		return nil
	}
	return p.Row.UnmarshalCSVWithFields(key, text)
}

// placeCell tells where a row is. As gocsv hands on nothing but texts, it is a text that
// nobody reads and that stands where the row does, which also keeps that from the
// garbage collector.
func placeCell[T Row](row *T) string {
	return unsafe.String((*byte)(unsafe.Pointer(row)), 1)
}
