package evaluate

import (
	"context"
	"strings"
	"testing"

	"alps/internal/compare"
	"alps/internal/stream"
	"alps/internal/tune"
)

func evaluate(t *testing.T, turns string, o Options) *Result {
	t.Helper()
	in := stream.NewReader[stream.Turn](strings.NewReader(turns), "turns")
	result, err := Run(context.Background(), []*stream.Reader[stream.Turn]{in}, o)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func options() Options {
	return Options{
		Predictors: []Predictor{{"mean", tune.Mean{}}},
		Tune:       tune.Options{Params: tune.DefaultParams, History: 1, RankBy: tune.RankByGittins},
		Policy:     ALPS, Skip: 1,
	}
}

// TestClassesNotKnownYet: they are ranked among the others, not before them as the
// system's tasks are. The mean of all is 20 ms, so new, of 100, waits for short, of
// 10, which comes while it runs.
func TestClassesNotKnownYet(t *testing.T) {
	result := evaluate(t, `window,class,invocation,turn,slice_ns,wait_ns,cpus,util_pct,start_ns
1,short,1,1,10000000,0,1,40,0
1,long,2,1,30000000,0,1,40,20000000
2,new,3,1,20000000,0,1,40,1000000000
2,new,3,2,80000000,0,1,40,1030000000
2,short,4,1,10000000,0,1,40,1020000000
`, options())
	for _, row := range result.Rows {
		if row.Class == "short" && row.Turnaround.MeanNs != 10e6 {
			t.Errorf("short takes %g ns, want 10 ms", row.Turnaround.MeanNs)
		}
	}
}

// TestPredictionsAreThoseOfThePolicy: what is judged is predicted_ns of the policy
// that the windows before make, whatever the keys are.
func TestPredictionsAreThoseOfThePolicy(t *testing.T) {
	const turns = `window,class,key,invocation,turn,slice_ns,wait_ns,cpus,util_pct,start_ns
1,a,cgroup:/f/a,1,1,11,0,1,90,0
1,a,cgroup:/f/a,2,1,20,0,1,90,20
1,b,cgroup:/f/b,3,1,7,0,1,90,50
2,a,cgroup:/f/b,4,1,100,0,1,90,100
2,b,cgroup:/f/c,5,1,100,0,1,90,300
3,a,cgroup:/f/a,6,1,100,0,1,90,500
3,b,cgroup:/f/c,7,1,100,0,1,90,700
`
	o := options()
	o.Tune.History, o.Skip = 2, 2
	o.Tune.Predictor = tune.EWMA{Weight: 0.2}
	o.Predictors = []Predictor{{"ewma", o.Tune.Predictor}}
	tuner := tune.New(o.Tune)
	in := stream.NewReader[stream.Turn](strings.NewReader(turns), "turns")
	var policy []stream.Policy
	for range 2 {
		w, err := in.Next()
		if err != nil {
			t.Fatal(err)
		}
		if policy, err = tuner.Policy(w); err != nil {
			t.Fatal(err)
		}
	}
	predictedNs := make(map[string]float64)
	for _, row := range policy {
		predictedNs[string(row.Class)] = float64(row.PredictedNs)
	}
	for _, row := range evaluate(t, turns, o).Rows {
		// Every turn of the last window lasts 100 ns: the bias tells the prediction.
		if got := 100 + row.BiasPct(); row.Class != compare.AllClasses && (got < predictedNs[row.Class]-1e-9 || got > predictedNs[row.Class]+1e-9) {
			t.Errorf("class %s: judged by %g ns, alps-tune predicts %g", row.Class, got, predictedNs[row.Class])
		}
	}
}

func TestRunIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	in := stream.NewReader[stream.Turn](strings.NewReader("window,class,invocation,turn,slice_ns,wait_ns,cpus,util_pct\n"), "turns")
	if _, err := Run(ctx, []*stream.Reader[stream.Turn]{in}, options()); err != context.Canceled {
		t.Errorf("error %v", err)
	}
}
