package workload

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"alps/internal/stream"
)

// Format is how a published trace is written.
type Format string

const (
	// FormatALPS is that of the ALPS artifact: a request a line, `id argument
	// function gap port`, blank-separated. Its client sleeps int(0.21 x gap)
	// ms before each request.
	FormatALPS Format = "alps"
	// FormatSFS is that of the SFS artifact: a request a line, `job program
	// argument time id`. The time counts from the start of the trace, in any
	// unit, for replays scale it.
	FormatSFS Format = "sfs"
)

// alpsGapMs is what the client of the ALPS artifact multiplies gaps by.
const alpsGapMs = 0.21

// Published is one request of a published trace.
type Published struct {
	// Line is that of the file on which it stands, from 1.
	Line int
	// Arrival is when it arrives, in some unit.
	Arrival int64
	// Function and Argument tell how much CPU time it takes.
	Function, Argument string
	// Port names the deployment; empty in SFS's format.
	Port string
}

// ReadPublished reads a published trace, in the order of the file, which is
// that of the arrivals. Bad input is a [*stream.Error] that says where.
func ReadPublished(r io.Reader, name string, format Format) ([]Published, error) {
	parse, ok := map[Format]func(*publishedLine, *Published) error{
		FormatALPS: parseALPS,
		FormatSFS:  parseSFS,
	}[format]
	if !ok {
		return nil, fmt.Errorf("reading %s: %q is no format of a trace: alps and sfs are", name, format)
	}
	var requests []Published
	var arrival int64
	lines := bufio.NewScanner(r)
	for number := 1; lines.Scan(); number++ {
		line := publishedLine{name: name, number: number, fields: strings.Fields(lines.Text())}
		if len(line.fields) == 0 {
			continue
		}
		if len(line.fields) != 5 {
			return nil, line.errorf("", "%d fields instead of 5", len(line.fields))
		}
		if len(requests) == maxInvocations {
			return nil, line.errorf("", "more than %d requests; split the file", maxInvocations)
		}
		request := Published{Line: number, Arrival: arrival} // parseALPS adds its gap
		if err := parse(&line, &request); err != nil {
			return nil, err
		}
		if request.Arrival < arrival {
			return nil, line.errorf("time", "%d is before the request above it", request.Arrival)
		}
		arrival = request.Arrival
		requests = append(requests, request)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(requests) == 0 {
		return nil, fmt.Errorf("reading %s: no request in it", name)
	}
	return requests, nil
}

type publishedLine struct {
	name   string
	number int
	fields []string
}

func (l *publishedLine) errorf(column, format string, args ...any) error {
	return &stream.Error{Name: l.name, Line: l.number, Column: column, Msg: fmt.Sprintf(format, args...)}
}

// maxPublishedTime keeps sums of gaps far from an overflow.
const maxPublishedTime = 1 << 40

func (l *publishedLine) number64(column, text string) (int64, error) {
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil || v < 0 || v > maxPublishedTime {
		return 0, l.errorf(column, "%q is not a whole number from 0 to %d", text, int64(maxPublishedTime))
	}
	return v, nil
}

func parseALPS(l *publishedLine, r *Published) error {
	gap, err := l.number64("gap", l.fields[3])
	if err != nil {
		return err
	}
	r.Arrival += int64(alpsGapMs * float64(gap))
	r.Argument, r.Function, r.Port = l.fields[1], l.fields[2], l.fields[4]
	return nil
}

func parseSFS(l *publishedLine, r *Published) error {
	arrival, err := l.number64("time", l.fields[3])
	if err != nil {
		return err
	}
	r.Arrival = arrival
	r.Function, r.Argument = strings.TrimSuffix(l.fields[1], ".py"), l.fields[2]
	return nil
}

// Demands has the mean CPU demand of each function and argument.
type Demands map[FunctionArgument]time.Duration

// FunctionArgument is a function called with an argument.
type FunctionArgument struct{ Function, Argument string }

// ReadDemands reads CSV with the columns function, argument and cpu_ms, which
// may have decimals. Bad input is a [*stream.Error] that says where.
func ReadDemands(r io.Reader, name string) (Demands, error) {
	table, err := openTable(r, name, "function", "argument", "cpu_ms")
	if err != nil {
		return nil, err
	}
	demands := make(Demands)
	for {
		err := table.next()
		if errors.Is(err, io.EOF) {
			return demands, nil
		}
		if err != nil {
			return nil, err
		}
		key := FunctionArgument{table.text("function"), table.text("argument")}
		if _, twice := demands[key]; twice {
			return nil, table.errorf(table.line(), "argument", "%s %s is there twice", key.Function, key.Argument)
		}
		ms, err := strconv.ParseFloat(table.text("cpu_ms"), 64)
		if err != nil || !(ms > 0 && ms <= 1e6) {
			return nil, table.errorf(table.line(), "cpu_ms", "%q is not a number over 0 and up to 1000000", table.text("cpu_ms"))
		}
		demands[key] = time.Duration(ms * float64(time.Millisecond))
	}
}

// ClassBy says what of a published request makes its class.
type ClassBy string

const (
	// ClassByArgument makes a class of each function and argument.
	ClassByArgument ClassBy = "argument"
	// ClassByPort makes a class of each port, which is the deployment as the
	// ALPS artifact knows it. A port serves one function there, but several
	// arguments: fib 23 to 26, or fib 35 and 36.
	ClassByPort ClassBy = "port"
)

// Replay says what [FromPublished] makes of a published trace.
type Replay struct {
	Demands Demands
	ClassBy ClassBy
	// SampleOf takes a random 1/SampleOf of the requests, to the nearest
	// whole number; the ALPS frontend learns from 1/24. 1 takes all. The
	// gaps of a sample are nearly exponential, whatever those of the whole.
	SampleOf int
	// Limit takes so many requests of the sample, the first; 0 takes all.
	Limit int
	Load  Load
	// Unit is how long one unit of the arrivals lasts. Where it is over 0, the
	// requests arrive when they did, and the load's utilisation says nothing.
	Unit time.Duration
	// Seed makes another sample and other demands.
	Seed uint64
}

// FromPublished makes a trace of a published one. All gaps are scaled by one
// factor, so that the utilisation results, unless there is a unit. The same
// values give the same trace.
func FromPublished(requests []Published, replay Replay) (Trace, error) {
	if err := replay.check(); err != nil {
		return nil, fmt.Errorf("making a trace: %w", err)
	}
	rng := newRand(replay.Seed)
	requests = sample(requests, rng, replay.SampleOf, replay.Limit)
	if len(requests) < 2 && replay.Unit == 0 {
		return nil, fmt.Errorf("making a trace: a sample of %d requests is too small", len(requests))
	}
	trace := make(Trace, len(requests))
	for i, r := range requests {
		class, err := replay.ClassBy.Class(r)
		if err != nil {
			return nil, fmt.Errorf("making a trace: %w", err)
		}
		mean, ok := replay.Demands[FunctionArgument{r.Function, r.Argument}]
		if !ok {
			return nil, fmt.Errorf("making a trace: the demands say nothing of %s %s", r.Function, r.Argument)
		}
		if replay.Unit > 0 && r.Arrival > maxTimeNs/replay.Unit.Nanoseconds() {
			return nil, fmt.Errorf("making a trace: the request of line %d arrives after %v", r.Line, time.Duration(maxTimeNs))
		}
		trace[i] = Request{
			ArrivalNs: r.Arrival * replay.Unit.Nanoseconds(), Class: class, CPUNs: replay.Load.Vary(rng, float64(mean)),
		}
	}
	if replay.Unit > 0 {
		return trace, nil
	}
	arrivals := make([]int64, len(requests))
	for i, r := range requests {
		arrivals[i] = r.Arrival
	}
	if err := replay.Load.arrive(trace, gapsBetween(arrivals)); err != nil {
		return nil, fmt.Errorf("making a trace: %w", err)
	}
	return trace, nil
}

func (r Replay) check() error {
	switch {
	case r.SampleOf < 1:
		return fmt.Errorf("a sample of 1/%d is no sample", r.SampleOf)
	case r.Limit < 0:
		return fmt.Errorf("a limit of %d is below 0", r.Limit)
	case r.Unit < 0:
		return fmt.Errorf("a unit of %v is below 0", r.Unit)
	}
	load := r.Load
	if r.Unit > 0 {
		load.UtilisationPct = DefaultLoad.UtilisationPct
	}
	return load.Check()
}

// Class returns the class of a request.
func (by ClassBy) Class(r Published) (string, error) {
	var class string
	switch by {
	case ClassByArgument:
		class = r.Function + "-" + r.Argument
	case ClassByPort:
		if r.Port == "" {
			return "", errors.New("this format has no ports to make classes of")
		}
		class = "port-" + r.Port
	default:
		return "", fmt.Errorf("%q makes no classes: argument and port do", by)
	}
	return class, CheckClass(class)
}

// Deployment is what one port of a published trace serves.
type Deployment struct {
	Port               string
	Function, Argument string
	Requests           int
}

// Deployments counts the requests by port, function and argument, in that order.
func Deployments(requests []Published) []Deployment {
	counts := make(map[Deployment]int)
	for _, r := range requests {
		counts[Deployment{Port: r.Port, Function: r.Function, Argument: r.Argument}]++
	}
	deployments := make([]Deployment, 0, len(counts))
	for d, n := range counts {
		d.Requests = n
		deployments = append(deployments, d)
	}
	slices.SortFunc(deployments, func(a, b Deployment) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Function, b.Function), cmp.Compare(a.Argument, b.Argument))
	})
	return deployments
}
