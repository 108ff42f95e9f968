package stream

import (
	"errors"
	"io"
)

var errLongRow = errors.New("row too long")

// source is the input of a Reader. It bounds how long a row may get, which
// encoding/csv does not, and tells whether the input was cut within a line.
type source struct {
	r        io.Reader
	read     int64 // bytes read so far
	last     byte  // the last of them
	rowStart int64 // where the row began that is being read
	err      error // what ended the input, other than io.EOF
}

// Read implements [io.Reader].
func (s *source) Read(p []byte) (int, error) {
	if s.read-s.rowStart > MaxRowBytes {
		s.err = errLongRow
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if n > 0 {
		s.read += int64(n)
		s.last = p[n-1]
	}
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// cutAt tells whether the row that ended at this offset did so for want of
// more input and not with a line end.
func (s *source) cutAt(offset int64) bool {
	return offset == s.read && s.last != '\n'
}
