package sim

import (
	"math/rand/v2"
	"reflect"
	"testing"
)

// Simulated in parts, jobs have the very turns and ends that they have in one piece.
func TestPartsMakeNoDifference(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	cut := 0
	for round := range 20_000 {
		jobs := make([]Job, 1+random.IntN(40))
		predicted := make([]int64, len(jobs))
		var atNs int64
		for i := range jobs {
			atNs += random.Int64N(6)
			jobs[i] = Job{ArrivalNs: atNs, CPUNs: random.Int64N(6)}
			predicted[i] = random.Int64N(8)
		}
		if round%2 == 1 {
			random.Shuffle(len(jobs), func(i, j int) { jobs[i], jobs[j] = jobs[j], jobs[i] })
		}
		cfg := Config{CPUs: 1, KeepTurns: round%3 > 0}
		p := SRPT{MinSliceNs: random.Int64N(4)}
		if round%5 == 0 {
			p.PredictedNs = predicted
		}
		want, err := simulateParts(jobs, cfg, p, 1)
		if err != nil {
			t.Fatal(err)
		}
		got, err := simulateParts(jobs, cfg, p, 4)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, minimum slice %d, predicted %v:\n%+v, in one piece %+v", jobs, p.MinSliceNs, p.PredictedNs, got, want)
		}
		if len(idle(jobs, arrivalOrder(jobs), 4)) == 4 {
			cut++
		}
	}
	if cut < 1000 {
		t.Errorf("only %d were cut into four", cut)
	}
}

// Where it depends on the order when all work is done, nothing is cut.
func TestPartsOnlyWhereNothingPassesTheCut(t *testing.T) {
	apart := []Job{{ArrivalNs: 0, CPUNs: 2}, {ArrivalNs: 2, CPUNs: 2}, {ArrivalNs: 3, CPUNs: 1}, {ArrivalNs: 9, CPUNs: 1}}
	if got, want := idle(apart, nil, 2), []int{0, 3}; !reflect.DeepEqual(got, want) {
		t.Errorf("cuts at %v, want %v", got, want)
	}
	apart[1].Sleeps, apart[1].BlockNs = 1, 20
	if got, want := idle(apart, nil, 2), []int{0}; !reflect.DeepEqual(got, want) {
		t.Errorf("where jobs sleep, cuts at %v, want %v", got, want)
	}
}
