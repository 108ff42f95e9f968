package stream

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"strconv"
)

// appendWhole is strconv.AppendInt, and takes less time for the numbers of up to
// sixteen digits, which most times are: it makes eight digits at once.
func appendWhole(to []byte, v int64) []byte {
	const half = 1e8
	if v < 0 || v >= half*half {
		return strconv.AppendInt(to, v, 10)
	}
	n := len(to)
	to = slices.Grow(to, 16)[:n+16]
	first, last := eightDigits(uint64(v)/half), eightDigits(uint64(v)%half)
	if first == 0 {
		zeros := min(bits.TrailingZeros64(last)/8, 7)
		binary.LittleEndian.PutUint64(to[n:], (last|'0'*ones)>>(8*zeros))
		return to[:n+8-zeros]
	}
	zeros := bits.TrailingZeros64(first) / 8
	binary.LittleEndian.PutUint64(to[n:], (first|'0'*ones)>>(8*zeros))
	binary.LittleEndian.PutUint64(to[n+8-zeros:], last|'0'*ones)
	return to[:n+16-zeros]
}

// eightDigits has the eight digits of a number, each as a byte, the first one lowest. It
// halves the number three times, all parts at once, where a product that is shifted is
// the quotient.
func eightDigits(v uint64) uint64 {
	v = v/10_000 | v%10_000<<32
	hundreds := v * 10_486 >> 20 & 0x7f_0000007f
	v = hundreds | (v-100*hundreds)<<16
	tens := v * 103 >> 10 & 0xf_000f_000f_000f
	return tens | (v-10*tens)<<8
}
