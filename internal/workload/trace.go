package workload

import (
	"encoding/csv"
	"errors"
	"io"
	"regexp"
	"strconv"

	"alps/internal/stream"
)

// Request is one invocation as it is asked for.
type Request struct {
	// ArrivalNs is when it arrives, from the start of the trace.
	ArrivalNs int64
	// Class is the function deployment; see [CheckClass].
	Class string
	// CPUNs is its CPU demand.
	CPUNs int64
	// Sleeps is how often it sleeps, each time for SleepNs. The CPU demand
	// is spread evenly over the Sleeps + 1 parts between.
	Sleeps  int64
	SleepNs int64
}

// Trace is a sequence of requests, sorted by arrival.
type Trace []Request

// maxClassLen is the runner's MAX_CLASS_LEN.
const maxClassLen = 63

var classPattern = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]*$`)

// CheckClass returns an error if the runner would refuse the class: its name
// becomes that of a cgroup.
func CheckClass(class string) error {
	if len(class) > maxClassLen || !classPattern.MatchString(class) {
		return errors.New(strconv.Quote(class) + " is no class: 1 to 63 letters, digits, _ - and . are, not beginning with a dot")
	}
	return nil
}

// DemandNs returns the sum of the CPU demands.
func (t Trace) DemandNs() int64 {
	var sum int64
	for _, r := range t {
		sum += r.CPUNs
	}
	return sum
}

func (t Trace) sleeps() bool {
	for _, r := range t {
		if r.Sleeps > 0 {
			return true
		}
	}
	return false
}

// Write writes the trace as the runner takes it: arrival_ns,class,cpu_ns and,
// where some request sleeps, sleep_ns,sleeps.
func (t Trace) Write(w io.Writer) error {
	out := csv.NewWriter(w)
	row := []string{"arrival_ns", "class", "cpu_ns", "sleep_ns", "sleeps"}
	width := 3
	if t.sleeps() {
		width = 5
	}
	out.Write(row[:width]) // its error stays with the writer, as do the next
	for _, r := range t {
		row[0], row[1], row[2] = strconv.FormatInt(r.ArrivalNs, 10), r.Class, strconv.FormatInt(r.CPUNs, 10)
		row[3], row[4] = strconv.FormatInt(r.SleepNs, 10), strconv.FormatInt(r.Sleeps, 10)
		out.Write(row[:width])
	}
	out.Flush()
	return out.Error()
}

// ReadTrace reads a trace. Bad input is a [*stream.Error] that says where.
func ReadTrace(r io.Reader, name string) (Trace, error) {
	table, err := openTable(r, name, "arrival_ns", "class", "cpu_ns")
	if err != nil {
		return nil, err
	}
	var trace Trace
	for {
		err := table.next()
		if errors.Is(err, io.EOF) {
			return trace, nil
		}
		if err != nil {
			return nil, err
		}
		request, err := readRequest(table)
		if err != nil {
			return nil, err
		}
		if n := len(trace); n > 0 && request.ArrivalNs < trace[n-1].ArrivalNs {
			return nil, table.errorf(table.line(), "arrival_ns", "%d is before the arrival above it; sort the trace", request.ArrivalNs)
		}
		trace = append(trace, request)
	}
}

func readRequest(table *table) (Request, error) {
	request := Request{Class: table.text("class")}
	if err := CheckClass(request.Class); err != nil {
		return request, table.errorf(table.line(), "class", "%v", err)
	}
	err := table.decodeNanos(nanosColumn{"arrival_ns", &request.ArrivalNs}, nanosColumn{"cpu_ns", &request.CPUNs})
	if err == nil && table.has("sleep_ns") {
		err = table.decodeNanos(nanosColumn{"sleep_ns", &request.SleepNs})
	}
	if err == nil && table.has("sleeps") {
		var sleeps stream.Whole
		err = table.decode("sleeps", &sleeps)
		request.Sleeps = int64(sleeps)
	}
	return request, err
}
