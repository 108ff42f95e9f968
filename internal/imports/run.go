package imports

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"alps/internal/stream"
	"alps/internal/workload"
)

// Format is how a published trace is written.
type Format string

// The formats that can be read.
const (
	ALPS       Format = "alps"
	SFS        Format = "sfs"
	Azure2019  Format = "azure2019"
	Azure2021  Format = "azure2021"
	Huawei2023 Format = "huawei2023"
	Huawei2025 Format = "huawei2025"
)

// Options say what is imported, and what is made of it.
type Options struct {
	Format Format
	// Files are the trace, in the order of time; - is stdin.
	Files []string
	// Open opens a file. The name is what errors call it.
	Open func(file string) (in io.ReadCloser, name string, err error)

	// Windows are the windows, the CPUs and the keys.
	Windows workload.WindowOptions
	// UtilisationPct is what the CPU demand comes to on those CPUs once all
	// gaps are scaled by one factor; 0 leaves the times as published.
	UtilisationPct float64
	// SampleOf takes a random 1/SampleOf of the requests; 1 takes all.
	SampleOf int
	// Demands is a file of CPU demands; empty where the trace says them.
	Demands string
	// Sigma is how much the demands of that file vary; see [workload.Load].
	Sigma float64
	// ClassBy makes the classes of ALPS and SFS.
	ClassBy workload.ClassBy
	// DelayUnit is that of Huawei2023's function delays.
	DelayUnit time.Duration
	Seed      uint64

	// SkipBad leaves out rows that do not fit, and tells of them on Messages,
	// instead of ending at the first.
	SkipBad  bool
	Messages io.Writer
}

// Check says what is wrong with the options, whatever the files have.
func (o Options) Check() error {
	if _, err := workload.NewWindower(o.Windows, nil); err != nil {
		return err
	}
	load := o.load()
	if o.UtilisationPct == 0 {
		load.UtilisationPct = workload.DefaultLoad.UtilisationPct
	}
	if err := load.Check(); err != nil {
		return err
	}
	stdin := 0
	for _, file := range append(slices.Clone(o.Files), o.Demands) {
		if file == "-" {
			stdin++
		}
	}
	switch {
	case o.SampleOf < 1:
		return fmt.Errorf("a sample of 1/%d is no sample", o.SampleOf)
	case o.DelayUnit <= 0 && o.Format == Huawei2023:
		return fmt.Errorf("a unit of %v is none for delays", o.DelayUnit)
	case stdin > 1:
		return errors.New("stdin can be one of the files only")
	}
	switch o.Format {
	case ALPS, SFS:
		return o.checkPublished()
	case Azure2019, Huawei2023:
		if slices.Contains(o.Files, "-") {
			return fmt.Errorf("%s is read more than once, which stdin cannot be", o.Format)
		}
	case Azure2021, Huawei2025:
	default:
		return fmt.Errorf("%q is no format of a trace", o.Format)
	}
	return nil
}

func (o Options) checkPublished() error {
	switch {
	case len(o.Files) > 1:
		return fmt.Errorf("%s is one file, not %d", o.Format, len(o.Files))
	case o.Demands == "":
		return fmt.Errorf("%s has no durations: --demands names a file of them", o.Format)
	case o.Format == SFS && o.UtilisationPct == 0:
		return errors.New("the times of sfs have no unit: --utilisation scales them")
	case o.SkipBad:
		return fmt.Errorf("--skip-bad: the times of %s cannot do without a row", o.Format)
	}
	return nil
}

func (o Options) load() workload.Load {
	return workload.Load{UtilisationPct: o.UtilisationPct, CPUs: o.Windows.CPUs, Sigma: o.Sigma}
}

// source gives the requests of a trace by arrival, the same each time that it
// is called. It ends with the first error of yield.
type source func(yield func(workload.Request) error) error

// Run writes the trace to out as the invocations stream. A row that does not
// fit is a [*stream.Error]; the windows before it may have been written, each
// whole. So it is when the context ends, which is an error too.
func Run(ctx context.Context, o Options, out io.Writer) error {
	if err := o.Check(); err != nil {
		return err
	}
	open := o.Open
	o.Open = func(file string) (io.ReadCloser, string, error) {
		in, name, err := open(file)
		return &interruptible{in, ctx}, name, err
	}
	i := &importer{Options: o, refusals: refusals{skip: o.SkipBad, messages: o.Messages}}
	requests, err := i.open()
	if err != nil {
		return err
	}
	scale, err := i.scaling(requests)
	if err != nil {
		return err
	}
	writer := stream.NewWriter[stream.Invocation](out)
	windows, err := workload.NewWindower(o.Windows, func(id stream.Integer, rows []stream.Invocation) error {
		if ctx.Err() != nil {
			return errInterrupted
		}
		return writer.Write(id, rows)
	})
	if err != nil {
		return err
	}
	err = requests(func(r workload.Request) error {
		r.ArrivalNs = scale.at(r.ArrivalNs)
		return windows.Add(r)
	})
	if err != nil {
		return err
	}
	if err := windows.Close(); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return i.refusals.tell()
}

var errInterrupted = errors.New("interrupted")

// interruptible is a file that cannot be read on once the context has ended:
// also not to an end that the signal made, when it ended what writes the file.
type interruptible struct {
	io.ReadCloser
	ctx context.Context
}

func (i *interruptible) Read(p []byte) (int, error) {
	n, err := i.ReadCloser.Read(p)
	if i.ctx.Err() != nil {
		return 0, errInterrupted
	}
	return n, err
}

// importer is a run.
type importer struct {
	Options
	refusals refusals
	demands  workload.Demands // nil where the trace says them
}

func (i *importer) open() (source, error) {
	if i.Demands != "" {
		in, name, err := i.Open(i.Demands)
		if err != nil {
			return nil, err
		}
		defer in.Close()
		if i.demands, err = workload.ReadDemands(in, name); err != nil {
			return nil, err
		}
	}
	switch i.Format {
	case ALPS, SFS:
		return i.openPublished()
	case Azure2019:
		return i.openAzure2019()
	case Azure2021:
		return i.openAzure2021()
	case Huawei2023:
		return i.openHuawei2023()
	}
	return i.openHuawei2025()
}

// scaling is what arrivals are scaled by, if at all.
type scaling struct {
	firstNs int64
	factor  float64 // 0: not at all
}

func (s scaling) at(arrivalNs int64) int64 {
	if s.factor == 0 {
		return arrivalNs
	}
	return int64(float64(arrivalNs-s.firstNs)*s.factor + 0.5)
}

// scaling goes through the requests for what makes their utilisation that of
// the options. As in [workload.Load], the span is that from the first arrival
// to one mean gap after the last.
func (i *importer) scaling(requests source) (scaling, error) {
	if i.UtilisationPct == 0 || i.Format == ALPS || i.Format == SFS { // which workload scales
		return scaling{}, nil
	}
	var firstNs, lastNs int64
	var n, demandNs float64
	err := requests(func(r workload.Request) error {
		if n == 0 {
			firstNs = r.ArrivalNs
		}
		lastNs = r.ArrivalNs
		n++
		demandNs += float64(r.CPUNs)
		return nil
	})
	if err == nil {
		err = i.refusals.tell()
	}
	switch {
	case err != nil:
		return scaling{}, err
	case n < 2:
		return scaling{}, fmt.Errorf("scaling the gaps: it takes two requests or more, not %.0f", n)
	case firstNs == lastNs:
		return scaling{}, errors.New("scaling the gaps: all requests arrive at one time, so no utilisation can be reached")
	case demandNs == 0:
		return scaling{}, errors.New("scaling the gaps: no request needs any CPU time, so no utilisation can be reached")
	}
	spanNs := demandNs / (i.UtilisationPct / 100 * float64(i.Windows.CPUs))
	if spanNs > float64(maxSpan) {
		return scaling{}, fmt.Errorf("scaling the gaps: the trace would take %.3g s; take a sample, or more CPUs", spanNs/1e9)
	}
	return scaling{firstNs: firstNs, factor: spanNs / (float64(lastNs-firstNs) * n / (n - 1))}, nil
}

// maxSpan keeps scaled arrivals within what a window may have. It is 31 years.
const maxSpan = time.Duration(1e18)
