package imports

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"alps/internal/stream"
	"alps/internal/workload"
)

// options are those of a trace that is read as it is.
func options(format Format, files map[string]string, names ...string) Options {
	return Options{
		Format: format, Files: names,
		Open: func(file string) (io.ReadCloser, string, error) {
			text, ok := files[file]
			if !ok {
				return nil, "", fs.ErrNotExist
			}
			return io.NopCloser(strings.NewReader(text)), file, nil
		},
		Windows:  workload.WindowOptions{Length: time.Minute, CPUs: 1},
		SampleOf: 1, Sigma: 0.15, ClassBy: workload.ClassByArgument, DelayUnit: time.Millisecond,
		Messages: io.Discard,
	}
}

// imported returns the last row of each invocation, by arrival.
func imported(t require, o Options) []stream.Invocation {
	var text strings.Builder
	if err := Run(context.Background(), o, &text); err != nil {
		t.Fatal(err)
	}
	reader := stream.NewReader[stream.Invocation](strings.NewReader(text.String()), "imported")
	var all []stream.Invocation
	for {
		window, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range window.Rows {
			if row.EndNs.Valid {
				all = append(all, row)
			}
		}
	}
}

type require interface{ Fatal(...any) }

func TestPercentiles(t *testing.T) {
	p := percentiles{10, 20, 68, 118, 218, 458, 1000}
	for share, want := range map[float64]int64{
		0: 10, 0.005: 15, 0.01: 20, 0.02: 22, 0.25: 68, 0.375: 93, 0.5: 118, 0.74: 214, 0.99: 458, 0.995: 729, 1: 1000,
	} {
		if got := p.at(share); got != want {
			t.Errorf("%v: %d, want %d", share, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "12": 12, "0.5": 0.5, ".5": 0.5, "5e1": 50, "1E-2": 0.01, "100": 100,
		"": -1, "x": -1, "-1": -1, "-0.1": -1, "101": -1, "1e9999": -1, "nan": -1, "Inf": -1, "infinity": -1, "0x10": -1, "1_0": -1, " 1": -1, "1,5": -1, "1.2.3": -1,
	} {
		got, err := number(text, 100)
		if want < 0 && err == nil || want >= 0 && (err != nil || got != want) {
			t.Errorf("%q: %v, error %v; want %v", text, got, err, want)
		}
	}
}

// A sample does not depend on how many requests are looked at at once, and has
// its part of them.
func TestSampler(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		i := &importer{Options: Options{SampleOf: rapid.IntRange(1, 50).Draw(t, "of"), Seed: rapid.Uint64().Draw(t, "seed")}}
		one, many := i.newSampler(), i.newSampler()
		for _, n := range rapid.SliceOf(rapid.Int64Range(0, 200)).Draw(t, "counts") {
			var want int64
			for range n {
				want += one.take(1)
			}
			if got := many.take(n); got != want {
				t.Fatalf("%d of %d are taken at once, %d one by one", got, n, want)
			}
		}
	})
	i := &importer{Options: Options{SampleOf: 24, Seed: 1}}
	const n = 1_000_000
	// Five standard deviations of a binomial distribution.
	if got := i.newSampler().take(n); math.Abs(float64(got)-n/24.) > 5*math.Sqrt(n/24.*23/24) {
		t.Errorf("%d of %d are taken, want 1/24", got, n)
	}
}

// Arrivals are everywhere in their minute, and durations those of the
// percentiles.
func TestAzure2019Draws(t *testing.T) {
	o := options(Azure2019, map[string]string{
		"i": "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,0,10000\n",
		"d": "HashOwner,HashApp,HashFunction,percentile_Average_0,percentile_Average_1,percentile_Average_25,percentile_Average_50,percentile_Average_75,percentile_Average_99,percentile_Average_100\n" +
			"o,a,f,10,20,30,40,50,60,1000\n",
	}, "i", "d")
	rows := imported(t, o)
	if len(rows) != 10000 {
		t.Fatalf("%d invocations, want 10000", len(rows))
	}
	tenths := make([]int, 10)
	quarters := make([]int, 4)
	for k, row := range rows {
		ms := float64(row.CPUNs) / 1e6
		if row.ArrivalNs < 60e9 || row.ArrivalNs >= 120e9 || ms < 10 || ms > 1000 {
			t.Fatalf("row %d: %+v", k, row)
		}
		tenths[(row.ArrivalNs-60e9)/6e9]++
		quarters[min(3, max(0, int(ms-20)/10))]++
	}
	for _, n := range tenths {
		if n < 850 || n > 1150 {
			t.Errorf("arrivals by tenths of the minute: %v", tenths)
		}
	}
	for _, n := range quarters {
		if n < 2300 || n > 2700 {
			t.Errorf("durations by quarters: %v", quarters)
		}
	}
}

// Whatever the format, the CPU time comes to the utilisation, and the gaps keep
// their proportions.
func TestUtilisation(t *testing.T) {
	files := map[string]string{
		"requests_minute":       "day,time,1,2\n0,0,30,2\n0,600,50,1\n",
		"function_delay_minute": "day,time,1,2\n0,0,20,500\n0,600,30,900\n",
		"azure":                 "app,func,end_timestamp,duration\n" + strings.Repeat("a,f,10,0.5\na,g,30,0.25\na,g,35,1\n", 30),
	}
	for _, o := range []Options{
		options(Huawei2023, files, "requests_minute", "function_delay_minute"),
		options(Azure2021, files, "azure"),
	} {
		for _, sampleOf := range []int{1, 3} {
			o.SampleOf, o.Windows.Length = sampleOf, time.Hour
			o.Windows.CPUs = 2
			before := imported(t, o)
			o.UtilisationPct = 70
			after := imported(t, o)
			n := len(after)
			if len(before) != n || n < 15 || sampleOf == 1 && n < 83 {
				t.Fatalf("%s, 1/%d: %d requests, %d without scaling", o.Format, sampleOf, n, len(before))
			}
			var demand float64
			first, last := after[0].ArrivalNs, after[n-1].ArrivalNs
			factor := float64(last-first) / float64(before[n-1].ArrivalNs-before[0].ArrivalNs)
			for k := range after {
				demand += float64(after[k].CPUNs)
				want := float64(before[k].ArrivalNs-before[0].ArrivalNs) * factor
				if before[k].CPUNs != after[k].CPUNs || math.Abs(float64(after[k].ArrivalNs)-want) > 2 {
					t.Fatalf("%s, 1/%d: request %d is %+v, without scaling %+v", o.Format, sampleOf, k, after[k], before[k])
				}
			}
			span := float64(last-first) * float64(n) / float64(n-1)
			if util := 100 * demand / (2 * span); math.Abs(util-70) > 0.001 {
				t.Errorf("%s, 1/%d: utilisation %v, want 70", o.Format, sampleOf, util)
			}
		}
	}
}

// Parts are merged as one sort would have it, however many there are.
func TestRecordsAreSorted(t *testing.T) {
	all := records{limit: maxRecords}
	const n = 3*partSize + 17
	for k := range n {
		if err := all.add("f", int64(k*7919%1000)-5, int64(k), 0); err != nil {
			t.Fatal(err)
		}
	}
	var last workload.Request
	got := 0
	err := all.source()(func(r workload.Request) error {
		if r.ArrivalNs < last.ArrivalNs || r.ArrivalNs == last.ArrivalNs && r.CPUNs < last.CPUNs || got == 0 && r.ArrivalNs != 0 {
			t.Fatalf("%+v after %+v", r, last)
		}
		last = r
		got++
		return nil
	})
	if err != nil || got != n {
		t.Errorf("%d of %d records, error %v", got, n, err)
	}
}

// Traces that do not fit into memory are refused.
func TestBounds(t *testing.T) {
	all := records{limit: 2}
	for k := range 3 {
		err := all.add("f", 0, 0, 0)
		if k < 2 && err != nil || k == 2 && (err == nil || !strings.HasPrefix(err.Error(), "more than 2 requests to sort")) {
			t.Errorf("record %d: error %v", k, err)
		}
	}
	c := classes{names: make([]string, maxClasses)}
	if _, err := c.number("f"); err == nil {
		t.Error("there is no end of classes")
	}
	o := options(Huawei2023, map[string]string{
		"requests_minute":       "day,time,1\n0,0,16777217\n",
		"function_delay_minute": "day,time,1\n0,0,1\n",
	}, "requests_minute", "function_delay_minute")
	err := Run(context.Background(), o, io.Discard)
	if err == nil || err.Error() != "requests_minute:2: 1: more than 16777216 requests in the 1m0s from 0s on; take a sample" {
		t.Errorf("error %v", err)
	}
	day := options(Azure2019, map[string]string{
		"i": "HashOwner,HashApp,HashFunction,Trigger,1,2\no,a,f,http,0,16777217\n",
		"d": "function,argument,cpu_ms\na/f,,1\n",
	}, "i")
	day.Demands = "d"
	err = Run(context.Background(), day, io.Discard)
	if err == nil || err.Error() != "i:2: 2: more than 16777216 requests in the 1m0s from 1m0s on; take a sample" {
		t.Errorf("error %v", err)
	}
	o.SampleOf = 1 << 20
	if got := len(imported(t, o)); got > 60 {
		t.Errorf("%d requests of a sample of about 16", got)
	}
}

// cancels is a file that ends the context when it is read, or the output that
// does when it is written to.
type cancels struct {
	io.Reader
	strings.Builder
	cancel context.CancelFunc
}

func (c *cancels) Read(p []byte) (int, error)  { c.cancel(); return c.Reader.Read(p) }
func (c *cancels) Write(p []byte) (int, error) { c.cancel(); return c.Builder.Write(p) }

func TestInterrupted(t *testing.T) {
	const text = "app,func,end_timestamp,duration\na,f,1,1\na,f,2,1\na,f,200,1\n"
	o := options(Azure2021, map[string]string{"azure": text}, "azure")
	ctx, cancel := context.WithCancel(context.Background())
	out := &cancels{cancel: cancel}
	err := Run(ctx, o, out)
	if err == nil || err.Error() != "interrupted" || strings.Count(out.String(), "\n") != 3 {
		t.Errorf("error %v, output %q; want the first window of three", err, out.String())
	}
	ctx, cancel = context.WithCancel(context.Background())
	o.Open = func(string) (io.ReadCloser, string, error) {
		return io.NopCloser(&cancels{Reader: strings.NewReader(text), cancel: cancel}), "azure", nil
	}
	out = &cancels{cancel: cancel}
	err = Run(ctx, o, out)
	if err == nil || err.Error() != "reading azure: interrupted" || out.Len() > 0 {
		t.Errorf("error %v, output %q; want none", err, out.String())
	}
}

// published opens a file of the published traces, which are no part of this
// repository. Where they are not there, the test is skipped.
func published(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("ALPS_TRACES")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "traces") // ../shared/traces from the root
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("no published traces: %v (set ALPS_TRACES to their directory)", err)
	}
	return path
}

// What is made of the published traces is what the benchmarks make of them, and
// without scaling their own times.
func TestPublishedTraces(t *testing.T) {
	for _, test := range []struct {
		format   Format
		file     string
		sampleOf int
		requests int
	}{
		{ALPS, "alps-huawei.txt", 24, 625},
		{ALPS, "alps-azure.txt", 1, 2000},
		{SFS, "sfs.txt", 1, 10083},
	} {
		t.Run(test.file, func(t *testing.T) {
			o := options(test.format, nil, published(t, test.file))
			o.Open = func(file string) (io.ReadCloser, string, error) {
				in, err := os.Open(file)
				return in, file, err
			}
			o.Demands, o.SampleOf, o.UtilisationPct, o.Seed = published(t, "demands.csv"), test.sampleOf, 90, 1
			var got, want strings.Builder
			if err := Run(context.Background(), o, &got); err != nil {
				t.Fatal(err)
			}
			trace := benchmark(t, o)
			if err := workload.WriteWindows(stream.NewWriter[stream.Invocation](&want), trace, o.Windows); err != nil {
				t.Fatal(err)
			}
			if len(trace) != test.requests || got.String() != want.String() {
				t.Errorf("%d requests; what is imported differs from what the benchmarks are run on:\n%s",
					len(trace), cmp.Diff(want.String(), got.String()))
			}
			if test.format == SFS {
				return
			}
			o.SampleOf, o.UtilisationPct, o.Sigma = 1, 0, 0
			checkOwnTimes(t, o)
		})
	}
}

// benchmark is the trace that alps-workload makes.
func benchmark(t *testing.T, o Options) workload.Trace {
	t.Helper()
	in, name, err := o.Open(o.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	requests, err := workload.ReadPublished(in, name, workload.Format(o.Format))
	if err != nil {
		t.Fatal(err)
	}
	file, name, err := o.Open(o.Demands)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	demands, err := workload.ReadDemands(file, name)
	if err != nil {
		t.Fatal(err)
	}
	trace, err := workload.FromPublished(requests, workload.Replay{
		Demands: demands, ClassBy: o.ClassBy, SampleOf: o.SampleOf, Seed: o.Seed,
		Load: workload.Load{UtilisationPct: o.UtilisationPct, CPUs: o.Windows.CPUs, Sigma: o.Sigma},
	})
	if err != nil {
		t.Fatal(err)
	}
	return trace
}

// checkOwnTimes adds up the gaps of an ALPS trace again.
func checkOwnTimes(t *testing.T, o Options) {
	t.Helper()
	text, err := os.ReadFile(o.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	arrivals := make(map[string]int64)
	var ms int64
	fields := strings.Fields(string(text))
	for k := 0; k < len(fields); k += 5 {
		gap, err := count(fields[k+3])
		if err != nil {
			t.Fatal(err)
		}
		ms += gap * 21 / 100
		arrivals[fields[k]] = ms
	}
	rows := imported(t, o)
	if len(rows) != len(fields)/5 {
		t.Fatalf("%d requests, want %d", len(rows), len(fields)/5)
	}
	for _, row := range rows {
		if want := arrivals[string(row.Invocation)] * 1e6; int64(row.ArrivalNs) != want {
			t.Fatalf("%+v arrives not at %d", row, want)
		}
	}
}
