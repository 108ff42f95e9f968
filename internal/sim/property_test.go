package sim

import (
	"cmp"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// A change is the beginning or the end of something at one instant.
type change struct {
	atNs             int64
	running, waiting int
}

// TestSRPTProperties checks what must hold of any turns of SRPT.
func TestSRPTProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jobs, cfg := drawWorkload(t)
		turns, err := runSRPT(jobs, cfg)
		if err != nil {
			t.Fatal(err)
		}
		if most := len(jobs) * (cfg.CPUs + 1); len(turns) > most {
			t.Errorf("%d turns, want at most %d", len(turns), most)
		}
		servedNs := make([]int64, len(jobs))
		for i, turn := range turns {
			servedNs[turn.Job] += turn.SliceNs
			if i > 0 && turns[i-1].Job == turn.Job && turns[i-1].StartNs+turns[i-1].SliceNs == turn.StartNs {
				t.Errorf("turn %+v goes on from the one before: they are one", turn)
			}
			if turn.SliceNs < cfg.MinSliceNs && servedNs[turn.Job] < jobs[turn.Job].CPUNs {
				t.Errorf("turn %+v was ended before the minimum slice of %d", turn, cfg.MinSliceNs)
			}
		}
		checkTurns(t, jobs, cfg.CPUs, turns)
	})
}

// checkTurns checks what must hold of the turns of jobs that do not sleep, under
// any policy that keeps CPUs busy where switches cost nothing: each job has its
// CPU time, on one CPU at a time; no CPU runs two; none idles while a job waits.
func checkTurns(t *rapid.T, jobs []Job, cpus int, turns []Turn) {
	t.Helper()
	rest := turns
	var changes []change
	for i, job := range jobs {
		readyNs, servedNs := job.ArrivalNs, int64(0)
		for len(rest) > 0 && rest[0].Job == i {
			turn := rest[0]
			rest = rest[1:]
			if turn.StartNs < readyNs || turn.SliceNs <= 0 {
				t.Errorf("job %d: turn %+v, want it after %d and not empty", i, turn, readyNs)
			}
			servedNs += turn.SliceNs
			endNs := turn.StartNs + turn.SliceNs
			changes = append(changes,
				change{readyNs, 0, +1}, change{turn.StartNs, +1, -1}, change{endNs, -1, 0})
			readyNs = endNs
		}
		if servedNs != job.CPUNs {
			t.Errorf("job %d was served %d ns, want %d", i, servedNs, job.CPUNs)
		}
	}
	if len(rest) > 0 {
		t.Errorf("turns %+v are not in order of their job", rest)
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.atNs, b.atNs) })
	var running, waiting int
	for i, c := range changes {
		running += c.running
		waiting += c.waiting
		if i+1 < len(changes) && changes[i+1].atNs == c.atNs {
			continue
		}
		if running > cpus {
			t.Errorf("at %d: %d jobs run on %d CPUs", c.atNs, running, cpus)
		}
		if waiting > 0 && running < cpus {
			t.Errorf("at %d: %d jobs wait while only %d of %d CPUs are busy", c.atNs, waiting, running, cpus)
		}
	}
}

// TestSRPTIsOptimal: on one CPU that may be taken at any time, nothing has a
// lower mean turnaround than SRPT. FIFO is what it is compared with, and SRPT
// with a minimum slice.
func TestSRPTIsOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jobs, cfg := drawWorkload(t)
		best := totalTurnaroundNs(t, jobs, srptConfig{CPUs: 1})
		if fifo := fifoTotalTurnaroundNs(jobs); best > fifo {
			t.Errorf("total turnaround is %d, with FIFO only %d", best, fifo)
		}
		cfg.CPUs = 1
		if other := totalTurnaroundNs(t, jobs, cfg); best > other {
			t.Errorf("total turnaround is %d, with a minimum slice of %d only %d", best, cfg.MinSliceNs, other)
		}
	})
}

func totalTurnaroundNs(t *rapid.T, jobs []Job, cfg srptConfig) int64 {
	turns, err := runSRPT(jobs, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for i, turn := range turns {
		if i+1 == len(turns) || turns[i+1].Job != turn.Job {
			total += turn.StartNs + turn.SliceNs - jobs[turn.Job].ArrivalNs
		}
	}
	return total
}

func fifoTotalTurnaroundNs(jobs []Job) int64 {
	var nowNs, total int64
	order := arrivalOrder(jobs)
	for place := range jobs {
		i := place
		if order != nil {
			i = int(order[place])
		}
		if jobs[i].CPUNs == 0 {
			continue
		}
		nowNs = max(nowNs, jobs[i].ArrivalNs) + jobs[i].CPUNs
		total += nowNs - jobs[i].ArrivalNs
	}
	return total
}

// TestSRPTDoesNotDependOnTheScaleOrOriginOfTime: arrivals moved by a constant
// and all times multiplied give the same turns, moved and multiplied.
func TestSRPTDoesNotDependOnTheScaleOrOriginOfTime(t *testing.T) {
	const scale, origin = 1_000_003, 1_764_000_000_000_000_000
	rapid.Check(t, func(t *rapid.T) {
		jobs, cfg := drawWorkload(t)
		want, err := runSRPT(jobs, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i := range jobs {
			jobs[i].ArrivalNs = jobs[i].ArrivalNs*scale + origin
			jobs[i].CPUNs *= scale
		}
		cfg.MinSliceNs *= scale
		got, err := runSRPT(jobs, cfg)
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			want[i].StartNs = want[i].StartNs*scale + origin
			want[i].SliceNs *= scale
		}
		if !slices.Equal(want, got) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

// TestHeap: entries come out in order of key, then place.
func TestHeap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h heap
		var model []entry
		for range rapid.IntRange(0, 60).Draw(t, "steps") {
			if len(model) == 0 || rapid.Bool().Draw(t, "push") {
				e := entry{rapid.Int64Range(-5, 5).Draw(t, "key"), rapid.IntRange(-5, 5).Draw(t, "place")}
				h.push(e)
				model = append(model, e)
				continue
			}
			slices.SortFunc(model, func(a, b entry) int {
				return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.place, b.place))
			})
			if got := h.pop(); got != model[0] {
				t.Fatalf("popped %v, want %v", got, model[0])
			}
			model = model[1:]
		}
	})
}

// BenchmarkSRPT simulates a million jobs, most short and some long, at 95%
// load, in order of arrival and shuffled, on one CPU of this machine.
func BenchmarkSRPT(b *testing.B) {
	const jobs = 1_000_000
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, cpus := range []int{1, 16, 256} {
		random := rand.New(rand.NewPCG(1, 2))
		sorted := make([]Job, jobs)
		var arrivalNs, totalNs float64
		for i := range sorted {
			demandNs := random.ExpFloat64() * 3e6
			if random.IntN(20) == 0 {
				demandNs *= 50
			}
			sorted[i] = Job{CPUNs: int64(demandNs)}
			totalNs += demandNs
		}
		for i := range sorted {
			sorted[i].ArrivalNs = int64(arrivalNs)
			arrivalNs += random.ExpFloat64() * totalNs / jobs / float64(cpus) / 0.95
		}
		shuffled := slices.Clone(sorted)
		random.Shuffle(jobs, func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		for _, order := range []struct {
			name string
			jobs []Job
		}{{"sorted", sorted}, {"shuffled", shuffled}} {
			b.Run(order.name+"/cpus="+strconv.Itoa(cpus), func(b *testing.B) {
				b.ReportAllocs()
				var turns []Turn
				for b.Loop() {
					turns = mustSRPT(b, order.jobs, srptConfig{cpus, DefaultMinSliceNs})
				}
				b.ReportMetric(float64(b.N)*jobs/b.Elapsed().Seconds()/1e6, "Mjobs/s")
				b.ReportMetric(float64(len(turns))/jobs, "turns/job")
			})
		}
	}
}
