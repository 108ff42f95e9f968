package stream

import (
	"encoding/binary"
	"math/bits"
)

// split cuts a line at its commas into cells, of which there must be as many as
// it has. The line is given twice, as the bytes to look at and as the string to
// cut. It looks at eight bytes at once, as cells are too short for IndexByte to
// gain anything.
func split(cells []string, line []byte, text string) {
	const word = 8
	cell, from, i := 0, 0, 0
	for ; i+word <= len(line); i += word {
		for at := equal(binary.LittleEndian.Uint64(line[i:]), ','); at != 0; at &= at - 1 {
			end := i + bits.TrailingZeros64(at)/8
			cells[cell], from = text[from:end], end+1
			cell++
		}
	}
	for ; i < len(line); i++ {
		if line[i] == ',' {
			cells[cell], from = text[from:i], i+1
			cell++
		}
	}
	cells[cell] = text[from:]
}

// What is done with eight bytes at once.
const (
	ones    = 0x0101010101010101 // times a byte: that in all eight
	lowBits = 0x7f * ones
)

// equal has the highest bit of each byte of a word that is that one.
func equal(word uint64, b byte) uint64 {
	other := word ^ uint64(b)*ones // 0 where it is
	// The sum has a byte's highest bit if any of its low bits is set.
	return ^(other&lowBits + lowBits | other | lowBits)
}
