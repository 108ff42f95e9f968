package imports

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"strings"

	"alps/internal/workload"
)

const (
	// maxRecords bounds what is held of a trace that has to be sorted: half a
	// GB, and with garbage up to three times as much.
	maxRecords = 1 << 24
	// maxClasses bounds how many functions a trace may have.
	maxClasses = 1 << 20
)

// records is a trace that is held to be sorted. It is held in parts, which are
// sorted each and merged: one slice would be copied as it grows.
type records struct {
	limit   int // how many there may be
	n       int
	parts   [][]record
	classes classes
}

// partSize is how many records a part has.
const partSize = 1 << 16

// record is a request, in 32 bytes.
type record struct {
	arrivalNs, cpuNs, sleepNs int64
	class                     uint32
}

// classes numbers the names of functions.
type classes struct {
	numbers map[string]uint32
	names   []string
}

// number returns the number of a name, which is copied if it is new.
func (c *classes) number(name string) (uint32, error) {
	if n, ok := c.numbers[name]; ok {
		return n, nil
	}
	if len(c.names) == maxClasses {
		return 0, fmt.Errorf("more than %d functions; import fewer files at once", maxClasses)
	}
	if c.numbers == nil {
		c.numbers = make(map[string]uint32)
	}
	name = strings.Clone(name)
	n := uint32(len(c.names))
	c.numbers[name] = n
	c.names = append(c.names, name)
	return n, nil
}

func (r *records) add(class string, arrivalNs, cpuNs, sleepNs int64) error {
	if r.n == r.limit {
		return fmt.Errorf("more than %d requests to sort; take a sample, or import fewer files at once", r.limit)
	}
	class32, err := r.classes.number(class)
	if err != nil {
		return err
	}
	if r.n%partSize == 0 {
		r.parts = append(r.parts, make([]record, 0, partSize))
	}
	last := &r.parts[len(r.parts)-1]
	*last = append(*last, record{arrivalNs: arrivalNs, cpuNs: cpuNs, sleepNs: sleepNs, class: class32})
	r.n++
	return nil
}

// source sorts the records, those of one arrival as they were added. Where one
// arrives before the trace begins, at time 0, all are put off by so much.
func (r *records) source() source {
	for _, part := range r.parts {
		slices.SortStableFunc(part, func(a, b record) int { return cmp.Compare(a.arrivalNs, b.arrivalNs) })
	}
	var earlyNs int64
	for _, part := range r.parts {
		earlyNs = max(earlyNs, -part[0].arrivalNs)
	}
	return func(yield func(workload.Request) error) error {
		rest := r.heads()
		heap.Init(&rest)
		for len(rest) > 0 {
			head := rest[0].records[0]
			if rest[0].records = rest[0].records[1:]; len(rest[0].records) == 0 {
				heap.Pop(&rest)
			} else {
				heap.Fix(&rest, 0)
			}
			err := yield(request(r.classes.names[head.class], head.arrivalNs+earlyNs, head.cpuNs, head.sleepNs))
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// heads are the parts as a heap, the one with the earliest record first.
type heads []head

// head is what is left of a part.
type head struct {
	part    int
	records []record
}

func (r *records) heads() heads {
	h := make(heads, len(r.parts))
	for k, part := range r.parts {
		h[k] = head{k, part}
	}
	return h
}

func (h heads) Len() int      { return len(h) }
func (h heads) Swap(a, b int) { h[a], h[b] = h[b], h[a] }
func (h heads) Less(a, b int) bool {
	return cmp.Or(cmp.Compare(h[a].records[0].arrivalNs, h[b].records[0].arrivalNs), cmp.Compare(h[a].part, h[b].part)) < 0
}

// Push is never called: parts only become fewer.
func (h *heads) Push(any) { panic("a part that was not there") }

// Pop takes off the last.
func (h *heads) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// request is one that sleeps once, halfway, if at all.
func request(class string, arrivalNs, cpuNs, sleepNs int64) workload.Request {
	r := workload.Request{ArrivalNs: arrivalNs, Class: class, CPUNs: cpuNs}
	if sleepNs > 0 {
		r.Sleeps, r.SleepNs = 1, sleepNs
	}
	return r
}
