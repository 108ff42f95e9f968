package imports

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"alps/internal/workload"
)

const (
	// maxRecords bounds what is held of a trace that has to be sorted: 1 GB.
	maxRecords = 1 << 25
	// maxClasses bounds how many functions a trace may have.
	maxClasses = 1 << 20
)

// records is a trace that is held to be sorted.
type records struct {
	limit   int // how many there may be
	list    []record
	classes classes
}

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
	if len(r.list) == r.limit {
		return fmt.Errorf("more than %d requests to sort; take a sample, or import fewer files at once", r.limit)
	}
	n, err := r.classes.number(class)
	r.list = append(r.list, record{arrivalNs: arrivalNs, cpuNs: cpuNs, sleepNs: sleepNs, class: n})
	return err
}

// source sorts the records. Where one arrives before the trace begins, at time
// 0, all are put off by so much.
func (r *records) source() source {
	slices.SortStableFunc(r.list, func(a, b record) int { return cmp.Compare(a.arrivalNs, b.arrivalNs) })
	var earlyNs int64
	if len(r.list) > 0 {
		earlyNs = max(0, -r.list[0].arrivalNs)
	}
	return func(yield func(workload.Request) error) error {
		for _, record := range r.list {
			err := yield(request(r.classes.names[record.class], record.arrivalNs+earlyNs, record.cpuNs, record.sleepNs))
			if err != nil {
				return err
			}
		}
		return nil
	}
}

// request is one that sleeps once, halfway, if at all.
func request(class string, arrivalNs, cpuNs, sleepNs int64) workload.Request {
	r := workload.Request{ArrivalNs: arrivalNs, Class: class, CPUNs: cpuNs}
	if sleepNs > 0 {
		r.Sleeps, r.SleepNs = 1, sleepNs
	}
	return r
}
