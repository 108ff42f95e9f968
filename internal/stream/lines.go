package stream

import (
	"encoding/binary"
	"encoding/csv"
	"math/bits"
)

// lines collects rows as CSV text. It is the gocsv.CSVWriter for them.
//
// Most rows have nothing that needs quotes, and are joined here. encoding/csv,
// which looks at each cell several times and copies it twice, writes the
// others.
type lines struct {
	buf    []byte
	prefix string // of each row: the cells of the frame
	// row is what all rows have alike, and own which cells gocsv has. before is what
	// comes before each of those, and after what comes after the last.
	row    []string
	own    []int
	before []string
	after  string
	quoted *csv.Writer // to buf
}

// layOut sets the cells that all rows have alike, from now on: those whose bits are set.
func (l *lines) layOut(row []string, common uint) {
	l.row, l.own, l.before, l.after = append(l.row[:0], row...), l.own[:0], l.before[:0], ""
	for j, cell := range row {
		if j > 0 {
			l.after += ","
		}
		if common>>j&1 == 1 {
			l.after += cell
			continue
		}
		l.own, l.before, l.after = append(l.own, j), append(l.before, l.after), ""
	}
}

// Write implements [gocsv.CSVWriter].
func (l *lines) Write(row []string) error {
	l.buf = append(l.buf, l.prefix...)
	start := len(l.buf)
	for i, before := range l.before {
		if before == "," { // saves a call
			l.buf = append(l.buf, ',')
		} else {
			l.buf = append(l.buf, before...)
		}
		l.buf = append(l.buf, row[i]...)
	}
	l.buf = append(l.buf, l.after...)
	end := len(l.buf)
	l.buf = append(l.buf, padding...)
	if !needNoQuotes(l.buf[start:], len(l.row)-1) {
		l.buf = l.buf[:start]
		return l.writeQuoted(row)
	}
	l.buf = append(l.buf[:end], '\n')
	return nil
}

func (l *lines) writeQuoted(row []string) error {
	if l.quoted == nil {
		l.quoted = csv.NewWriter((*buffer)(l))
	}
	for i, j := range l.own {
		l.row[j] = row[i]
	}
	if err := l.quoted.Write(l.row); err != nil {
		return err
	}
	l.quoted.Flush()
	return l.quoted.Error()
}

// Flush implements [gocsv.CSVWriter].
func (l *lines) Flush() {}

// Error implements [gocsv.CSVWriter].
func (l *lines) Error() error { return nil }

// buffer is the lines as an io.Writer.
type buffer lines

func (b *buffer) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p...)
	return len(p), nil
}

// padding is of bytes that need no quotes, so that needNoQuotes has whole words.
const padding = "0000000"

// needNoQuotes tells whether so many commas and the cells between them consist
// of bytes that never need quotes, from '-' to 'z' without the backslash. Others
// may need them, as may the whole cell for what it begins with. It looks at the
// whole words of eight bytes.
func needNoQuotes(line []byte, separators int) bool {
	const from, to = ',', 'z'
	var other uint64
	for ; len(line) >= 8; line = line[8:] {
		word := binary.LittleEndian.Uint64(line)
		// The sums have the highest bit of a byte that is below from or above to.
		low := word & lowBits
		other |= word | ^(low + (0x80-from)*ones) | (low + (0x7f-to)*ones) | equal(word, '\\')
		separators -= bits.OnesCount64(equal(word, ','))
	}
	return other&^lowBits == 0 && separators == 0
}

// isPlain tells whether a text is of bytes that have no meaning of their own.
func isPlain(cell string) bool {
	var other byte
	for i := range len(cell) {
		other |= otherBytes[cell[i]]
	}
	return other == 0
}

// otherBytes is 1 for all bytes that are not plain.
var otherBytes = func() (other [256]byte) {
	for b := range other {
		c := byte(b)
		if !('0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' ||
			c == '-' || c == '_' || c == '.' || c == ':' || c == '/') {
			other[b] = 1
		}
	}
	return other
}()
