package stream

import (
	"runtime"
	"sync"
)

// chunkRows is how many rows are made text at once, by one goroutine.
const chunkRows = 512

// chunk is a part of a window on its way to the output.
type chunk[T Row] struct {
	rows  []T // where the window's are not held
	texts texts
	text  lines
	err   error
}

// fill has the rows from one index to another set, and checks them.
func (c *chunk[T]) fill(from, to int, frame Frame, fill func(i int, row *T)) ([]T, error) {
	if c.rows == nil {
		c.rows = make([]T, chunkRows)
	}
	rows := c.rows[:to-from]
	clear(rows)
	for i := range rows {
		*any(&rows[i]).(framed).frame() = frame
		fill(from+i, &rows[i])
	}
	return rows, checkRows(rows, from, frame)
}

// marshal makes the text of rows, of which there is one at least.
func (c *chunk[T]) marshal(rows []T, prefix string) error {
	c.text.buf, c.text.prefix = c.text.buf[:0], prefix
	return marshal(rows, &c.texts, &c.text)
}

// part returns the rows of a window from one index to another. It may keep
// them in the chunk.
type part[T Row] func(c *chunk[T], from, to int) ([]T, error)

// writeRows writes a window of n rows that was checked as far as rows does not
// check it.
func (w *Writer[T]) writeRows(id Integer, n int, rows part[T]) error {
	chunks := (n + chunkRows - 1) / chunkRows
	prefix := framePrefix(Frame{Window: id, Rows: Count(n)})
	workers := min(runtime.GOMAXPROCS(0), chunks)
	build := func(i int, c *chunk[T]) {
		from := i * chunkRows
		part, err := rows(c, from, min(from+chunkRows, n))
		if err == nil {
			err = c.marshal(part, prefix)
		}
		c.err = err
	}
	if chunks == 0 {
		return w.begin(id)
	}
	if workers == 1 {
		for i := range chunks {
			c := w.chunk(0)
			build(i, c)
			if err := w.writeChunk(id, i, c); err != nil {
				return err
			}
		}
		return nil
	}
	return w.writeParallel(id, chunks, workers, build)
}

// writeParallel has each worker make every workers-th chunk, and writes them
// in order. No goroutine outlives the call.
func (w *Writer[T]) writeParallel(id Integer, chunks, workers int, build func(int, *chunk[T])) error {
	type lane struct{ empty, done chan *chunk[T] }
	const inLane = 2 // one is written while the next is made
	lanes := make([]lane, workers)
	var group sync.WaitGroup
	for k := range lanes {
		l := lane{make(chan *chunk[T], inLane), make(chan *chunk[T], inLane)}
		lanes[k] = l
		for j := range inLane {
			l.empty <- w.chunk(k*inLane + j)
		}
		group.Go(func() {
			for i := k; i < chunks; i += workers {
				c, more := <-l.empty
				if !more {
					return
				}
				build(i, c)
				l.done <- c
			}
		})
	}
	var err error
	for i := 0; i < chunks && err == nil; i++ {
		l := lanes[i%workers]
		c := <-l.done
		err = w.writeChunk(id, i, c)
		l.empty <- c
	}
	for _, l := range lanes {
		close(l.empty)
	}
	group.Wait()
	return err
}

// chunk returns chunk number i of those that are reused.
func (w *Writer[T]) chunk(i int) *chunk[T] {
	for len(w.chunks) <= i {
		w.chunks = append(w.chunks, new(chunk[T]))
	}
	return w.chunks[i]
}

// begin begins a window with the header, if it is the first.
func (w *Writer[T]) begin(id Integer) error {
	w.begun, w.last = true, id
	w.err = w.writeHeader()
	return w.err
}

// writeChunk writes chunk number i of a window.
func (w *Writer[T]) writeChunk(id Integer, i int, c *chunk[T]) error {
	if c.err != nil && i == 0 {
		return c.err
	}
	if c.err != nil {
		w.err = c.err
		return w.err
	}
	if i == 0 {
		if err := w.begin(id); err != nil {
			return err
		}
	}
	_, w.err = w.out.Write(c.text.buf)
	return w.err
}
