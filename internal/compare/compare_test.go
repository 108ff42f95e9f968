package compare

import (
	"math"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/tune"
)

func read(t testing.TB, text string, learners ...Learner) (*Timeline, error) {
	t.Helper()
	return Read([]*stream.Reader[stream.Invocation]{stream.NewReader[stream.Invocation](strings.NewReader(text), "in")}, Reading{}, learners...)
}

const header = "window,class,invocation,arrival_ns,cpu_ns,end_ns,wait_ns,block_ns,cpus,util_pct\n"

func TestReadRefuses(t *testing.T) {
	for rows, want := range map[string]string{
		"1,a,1,0,5,,0,0,1,50\n2,b,1,0,6,,0,0,1,50\n": `in:3: class: "b" differs from the "a" that invocation "1" had in a window before`,
		"1,a,1,0,5,,0,0,1,50\n2,a,1,1,6,,0,0,1,50\n": `in:3: arrival_ns: 1 differs from the 0 that invocation "1" had in a window before`,
		"1,a,1,0,5,,0,0,1,50\n2,a,2,0,6,,0,0,2,50\n": "in:3: cpus: 2 differs from the 1 of the windows before; --cpus N simulates N instead",
	} {
		if _, err := read(t, header+rows); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if _, err := read(t, header+"1,a,1,0,5,,0,0,1,50\n1,a,2,0,5,,0,0,1,60\n", NewTables(DefaultParams.Tune)); err == nil ||
		err.Error() != "in:3: util_pct: 60 differs from the 50 on line 2 of this window" {
		t.Errorf("error %v", err)
	}
}

// TestTablesComeIntoForce: a window's policy is in force from the begin of the next
// one on, as the column says or with the first arrival that is new.
func TestTablesComeIntoForce(t *testing.T) {
	l := NewTables(DefaultParams.Tune)
	if _, err := read(t, header+"1,a,1,0,5,9,0,0,1,50\n2,a,1,0,6,9,0,0,1,50\n2,b,2,700,6,900,0,0,1,50\n3,b,3,1500,6,1600,0,0,1,50\n", l); err != nil {
		t.Fatal(err)
	}
	tables := l.Tables()
	if len(tables) != 2 || tables[0].FromNs != 700 || tables[1].FromNs != 1500 {
		t.Fatalf("tables %+v, want them from 700 and 1500", tables)
	}
	if len(tables[0].Unknown) != 1 || len(tables[0].Classes) != 1 || len(tables[1].Classes) != 2 {
		t.Errorf("tables %+v, want a class in the first, two in the second, and a row for others", tables)
	}
	// With history, a class that is not in the window is in its policy.
	o := DefaultParams.Tune
	o.History = 2
	l = NewTables(o)
	if _, err := read(t, header+"1,a,1,0,5,9,0,0,1,50\n1,b,2,0,60,90,0,0,1,50\n2,a,3,700,5,900,0,0,1,50\n3,c,4,1500,6,1600,0,0,1,50\n", l); err != nil {
		t.Fatal(err)
	}
	if steps := l.Tables()[1].Classes; len(steps) != 2 || len(steps[0]) != 1 || steps[0][0].DemandNs != 5 || len(steps[1]) != 1 || steps[1][0].DemandNs != 60 {
		t.Errorf("the second table has %+v, want 5 ns and 60 ns", steps)
	}
	d := NewDemands(1)
	timeline, err := read(t, strings.Replace(header, "\n", ",begin_ns\n", 1)+"1,a,1,0,5,9,0,0,1,50,0\n2,a,2,700,6,900,0,0,1,50,600\n", d)
	if err != nil {
		t.Fatal(err)
	}
	if got := d.Tables(); len(got) != 1 || got[0].FromNs != 600 || got[0].Classes[0] == nil {
		t.Errorf("tables %+v, want one from 600", got)
	}
	if timeline.Windows[1].BeginNs != 600 {
		t.Errorf("window 2 begins at %d", timeline.Windows[1].BeginNs)
	}
}

func TestPredictions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jobs := make([]sim.Job, rapid.IntRange(1, 200).Draw(t, "jobs"))
		known := make(map[int64]bool)
		for i := range jobs {
			jobs[i] = sim.Job{CPUNs: rapid.Int64Range(1, 1e9).Draw(t, "cpu"), Class: int32(i % 3)}
			known[jobs[i].CPUNs] = true
		}
		pct := rapid.Float64Range(0, 100).Draw(t, "pct")
		if got := (Prediction{Kind: PredictExact}).predictedNs(jobs, 1); got != nil {
			t.Errorf("exact predictions are %v", got)
		}
		for i, ns := range (Prediction{PredictWithin, pct}).predictedNs(jobs, 1) {
			if off := math.Abs(float64(ns-jobs[i].CPUNs)) / float64(jobs[i].CPUNs); off > pct/100+1/float64(jobs[i].CPUNs) {
				t.Errorf("%d was predicted as %d, which is off by more than %g%%", jobs[i].CPUNs, ns, pct)
			}
		}
		changed := 0
		for i, ns := range (Prediction{PredictRandom, pct}).predictedNs(jobs, 1) {
			if !known[ns] {
				t.Errorf("%d is no job's CPU time", ns)
			}
			if ns != jobs[i].CPUNs {
				changed++
			}
		}
		if n := float64(len(jobs)); float64(changed) > n*pct/100+4*math.Sqrt(n)+1 {
			t.Errorf("%d of %d predictions are random, want about %g%%", changed, len(jobs), pct)
		}
		var sums, counts [3]float64
		for _, j := range jobs {
			sums[j.Class] += float64(j.CPUNs)
			counts[j.Class]++
		}
		for i, ns := range (Prediction{Kind: PredictClassMean}).predictedNs(jobs, 1) {
			if c := jobs[i].Class; math.Abs(float64(ns)-sums[c]/counts[c]) > 1 {
				t.Errorf("job %d was predicted as %d, the mean of its class is %g", i, ns, sums[c]/counts[c])
			}
		}
	})
}

func TestParsePrediction(t *testing.T) {
	for _, text := range []string{"exact", "class-mean", "within:0", "within:12.5", "within:1000", "random:100"} {
		p, err := ParsePrediction(text)
		if err != nil || p.String() != text {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "exact:1", "within", "within:", "within:-1", "within:1001", "random:101", "random:x", "random:NaN", "guess"} {
		if p, err := ParsePrediction(text); err == nil {
			t.Errorf("%q was read as %v", text, p)
		}
	}
}

// TestFigures: percentiles by nearest rank, means, and the order of the rows.
func TestFigures(t *testing.T) {
	var outcomes []Outcome
	for i := range 100 {
		outcomes = append(outcomes, Outcome{Class: "long", CPUNs: 50, TurnaroundNs: int64(100 - i), Slowdown: 2, Switches: 3})
	}
	outcomes = append(outcomes, Outcome{Class: "short", CPUNs: 1, TurnaroundNs: 7, Slowdown: 7, Switches: 1})
	rows := FiguresOf("p", outcomes)
	if len(rows) != 3 || rows[0].Class != "short" || rows[1].Class != "long" || rows[2].Class != AllClasses {
		t.Fatalf("rows %+v", rows)
	}
	if r := rows[1]; r.N != 100 || r.MeanNs != 50.5 || r.P50Ns != 50 || r.P90Ns != 90 || r.P99Ns != 99 || r.MeanSlowdown != 2 || r.Switches != 300 {
		t.Errorf("%+v", r)
	}
}

// What the threads of one process slept at once does not make it longer.
func TestSleepsOfManyThreads(t *testing.T) {
	timeline, err := read(t, header+"1,node,1,100,30,200,0,1000,1,50\n1,node,2,100,300,200,0,1000,1,50\n1,node,3,100,30,,0,1000,1,50\n")
	if err != nil {
		t.Fatal(err)
	}
	for i, wantNs := range []int64{70, 0, 1000} {
		if got := timeline.Jobs[i].BlockNs; got != wantNs {
			t.Errorf("invocation %d sleeps for %d ns, want %d", i+1, got, wantNs)
		}
	}
}

// alps-paper ranks by the paper's rule, however the other ranks.
func TestPaperRanks(t *testing.T) {
	p := DefaultParams
	p.Tune.RankBy = tune.RankByDemand
	study, err := NewStudy([]string{"alps", "alps-paper"}, p)
	if err != nil {
		t.Fatal(err)
	}
	// b is the shortest, but waits for a; c, the longest, comes when nobody is there. Functions
	// not known have a rank, too.
	in := header + "1,a,1,0,100000000,,0,0,1,50\n1,b,2,1,99000000,,0,0,1,50\n1,c,3,900000000,300000000,,0,0,1,50\n2,a,4,2000000000,5,,0,0,1,50\n"
	if _, err := study.Read([]*stream.Reader[stream.Invocation]{stream.NewReader[stream.Invocation](strings.NewReader(in), "in")}, Reading{}); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][]int32{"alps": {2, 1, 4}, "alps-paper": {1, 4, 3}} {
		policy, err := study.Policy(name)
		if err != nil {
			t.Fatal(err)
		}
		var tables []sim.Table
		switch policy := policy.(type) {
		case sim.ALPS:
			tables = policy.Tables
		case sim.ALPSPaper:
			tables = policy.Tables
		}
		var ranks []int32
		for _, steps := range tables[0].Classes {
			ranks = append(ranks, steps[0].Rank)
		}
		if !slices.Equal(ranks, want) {
			t.Errorf("%s has the ranks %v, want %v", name, ranks, want)
		}
	}
}
