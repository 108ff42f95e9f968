package sim

import "testing"

// The first turn of a job is found from each of its turns, however many it has.
func TestFirstTurn(t *testing.T) {
	var turns []Turn
	var want []int
	for job, n := range []int{1, 2, 1, 3, 100, 5, 1, 64, 1} {
		first := len(turns)
		for range n {
			turns = append(turns, Turn{Job: job})
			want = append(want, first)
		}
	}
	for i := range turns {
		if got := firstTurn(turns, i); got != want[i] {
			t.Errorf("turn %d of job %d: the first is %d, want %d", i, turns[i].Job, got, want[i])
		}
	}
}
