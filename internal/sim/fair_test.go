package sim

import (
	"cmp"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// fairPolicies are tried with drawn workloads. The parameters are out of step
// with the ticks and each other.
var fairPolicies = []Policy{
	CFS{}, EEVDF{}, checkedEEVDF{}, headStart{},
	CFS{LatencyNs: 10 * ms, MinGranularityNs: 150_000, WakeupGranularityNs: 100_000, TickNs: 700_000},
	checkedEEVDF{EEVDF{BaseSliceNs: 3_100_000, TickNs: ms}},
}

func TestFairProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		job := rapid.Custom(func(t *rapid.T) Job {
			j := Job{
				ArrivalNs: rapid.Int64Range(0, 40).Draw(t, "arrival") * 900_000,
				CPUNs:     rapid.Int64Range(0, 30).Draw(t, "cpu") * 700_000,
				Sleeps:    rapid.Int32Range(0, 3).Draw(t, "sleeps"),
			}
			if j.Sleeps > 0 {
				j.BlockNs = rapid.Int64Range(0, 20).Draw(t, "block") * ms
			}
			return j
		})
		jobs := rapid.SliceOfN(job, 0, 25).Draw(t, "jobs")
		cfg := Config{CPUs: rapid.IntRange(1, 4).Draw(t, "cpus"), KeepTurns: true}
		if rapid.Bool().Draw(t, "costs") {
			cfg.SwitchCostNs = 30_000
		}
		policy := rapid.SampledFrom(fairPolicies).Draw(t, "policy")
		result, err := Simulate(jobs, cfg, policy)
		if err != nil {
			t.Fatal(err)
		}
		served := make([]int64, len(jobs))
		var changes []change
		for _, turn := range result.Turns {
			if turn.StartNs < jobs[turn.Job].ArrivalNs {
				t.Errorf("%+v is before its arrival", turn)
			}
			served[turn.Job] += turn.SliceNs
			changes = append(changes, change{turn.StartNs, +1, 0}, change{turn.StartNs + turn.SliceNs, -1, 0})
		}
		for i, job := range jobs {
			if served[i] != job.CPUNs {
				t.Errorf("job %d was served %d ns, want %d", i, served[i], job.CPUNs)
			}
		}
		slices.SortFunc(changes, func(a, b change) int {
			return cmp.Or(cmp.Compare(a.atNs, b.atNs), cmp.Compare(a.running, b.running))
		})
		running := 0
		for _, c := range changes {
			if running += c.running; running > cfg.CPUs {
				t.Errorf("at %d: %d jobs run on %d CPUs", c.atNs, running, cfg.CPUs)
			}
		}
	})
}

// TestFairKeepsCPUsBusy: among jobs that neither sleep nor cost switches, no CPU
// is free while one waits. Then the CPUs' work is done as early as FIFO's.
func TestFairKeepsCPUsBusy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		jobs, cfg := drawWorkload(t)
		for i := range jobs {
			jobs[i].ArrivalNs *= ms
			jobs[i].CPUNs *= ms
		}
		policy := rapid.SampledFrom(fairPolicies).Draw(t, "policy")
		result, err := Simulate(jobs, Config{CPUs: cfg.CPUs, KeepTurns: true}, policy)
		if err != nil {
			t.Fatal(err)
		}
		var changes []change
		for i, turn := range result.Turns {
			readyNs := jobs[turn.Job].ArrivalNs
			if i > 0 && result.Turns[i-1].Job == turn.Job {
				readyNs = result.Turns[i-1].StartNs + result.Turns[i-1].SliceNs
			}
			changes = append(changes, change{readyNs, 0, +1},
				change{turn.StartNs, +1, -1}, change{turn.StartNs + turn.SliceNs, -1, 0})
		}
		slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.atNs, b.atNs) })
		var running, waiting int
		for i, c := range changes {
			running += c.running
			waiting += c.waiting
			if i+1 < len(changes) && changes[i+1].atNs == c.atNs {
				continue
			}
			if waiting > 0 && running < cfg.CPUs {
				t.Errorf("at %d: %d jobs wait while only %d of %d CPUs are busy", c.atNs, waiting, running, cfg.CPUs)
			}
		}
	})
}

// TestFairIsFair: jobs that arrive at different times and never sleep have from
// the last arrival on the same, but for a few ticks.
func TestFairIsFair(t *testing.T) {
	const lastMs, untilMs = 20, 2000
	random := rand.New(rand.NewPCG(1, 2))
	for _, policy := range []Policy{CFS{}, EEVDF{}} {
		for _, cpus := range []int{1, 2, 4} {
			for _, n := range []int{2, 5, 11, 40} {
				if n <= cpus {
					continue
				}
				jobs := make([]Job, n)
				for i := range jobs {
					jobs[i] = Job{ArrivalNs: random.Int64N(lastMs * ms), CPUNs: 10_000 * ms}
				}
				had := make([]int64, n)
				for _, turn := range mustSimulate(t, jobs, cpus, policy).Turns {
					from, to := max(turn.StartNs, lastMs*ms), min(turn.StartNs+turn.SliceNs, untilMs*ms)
					had[turn.Job] += max(to-from, 0)
				}
				// What they had before the last arrival is made up for.
				if differ := slices.Max(had) - slices.Min(had); differ > (lastMs+12)*ms {
					t.Errorf("%T, %d CPUs, %d jobs: they had from %d to %d ns", policy, cpus, n, slices.Min(had), slices.Max(had))
				}
			}
		}
	}
}

// A lone job's ticks are not simulated: there are 250 million of these.
func TestFairLoneJob(t *testing.T) {
	for _, policy := range []Policy{CFS{}, EEVDF{}} {
		jobs := []Job{{CPUNs: 1e15}, {ArrivalNs: 5e14, CPUNs: 10 * ms}}
		result := mustSimulate(t, jobs, 1, policy)
		if n := len(result.Turns); n < 3 || n > 8 {
			t.Errorf("%T: %d turns", policy, n)
		}
	}
}

// A hundred thousand that arrive at once take a few turns each, and seconds in all.
func TestFairManyAtOnce(t *testing.T) {
	const n = 100_000
	jobs := make([]Job, n)
	for i := range jobs {
		jobs[i].CPUNs = 10 * ms
	}
	for _, policy := range []Policy{CFS{}, EEVDF{}} {
		for _, cpus := range []int{1, 16} {
			if turns := len(mustSimulate(t, jobs, cpus, policy).Turns); turns > 4*n {
				t.Errorf("%T: %d turns", policy, turns)
			}
		}
	}
}

// TestJobTree tries the tree against a plain list.
func TestJobTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const jobs = 20
		tree := newJobTree(jobs)
		type member struct {
			job        int32
			key, value vtime
		}
		var list []member // in order
		// Some draws wrap.
		drawTime := rapid.Custom(func(t *rapid.T) vtime { return vtime(rapid.Int64Range(-3, 3).Draw(t, "time")) })
		for range rapid.IntRange(0, 80).Draw(t, "steps") {
			m := member{rapid.Int32Range(0, jobs-1).Draw(t, "job"), drawTime.Draw(t, "key"), drawTime.Draw(t, "value")}
			at := slices.IndexFunc(list, func(x member) bool { return x.job == m.job })
			if tree.has(m.job) != (at >= 0) {
				t.Fatalf("has(%d) is %v", m.job, tree.has(m.job))
			}
			if at >= 0 {
				tree.remove(m.job)
				list = slices.Delete(list, at, at+1)
			} else {
				tree.insert(m.job, m.key, m.value)
				list = append(list, m)
				slices.SortStableFunc(list, func(a, b member) int { return cmp.Compare(a.key.minus(b.key), 0) })
			}
			limit := drawTime.Draw(t, "limit")
			first, within := int32(none), int32(none)
			if len(list) > 0 {
				first = list[0].job
			}
			if i := slices.IndexFunc(list, func(x member) bool { return !limit.before(x.value) }); i >= 0 {
				within = list[i].job
			}
			if tree.n != len(list) || tree.first() != first || tree.firstWithin(limit) != within {
				t.Fatalf("n %d, first %d, first within %d; want %d, %d, %d",
					tree.n, tree.first(), tree.firstWithin(limit), len(list), first, within)
			}
		}
	})
}

// checkedEEVDF is EEVDF that checks each of its choices against the obvious way:
// all virtual times summed up, all jobs looked at.
type checkedEEVDF struct{ EEVDF }

func (p checkedEEVDF) discipline(e *engine) discipline {
	return &checked{p.EEVDF.discipline(e).(*eevdf)}
}

type checked struct{ *eevdf }

func (c *checked) next() int32 {
	mean := new(big.Int)
	n := int64(0)
	add := func(t vtime) { mean.Add(mean, new(big.Int).SetUint64(uint64(t))); n++ }
	for cpu := range c.cpus {
		if c.cpus[cpu].mine {
			add(c.virtualNow(int32(cpu), c.e.cpus[cpu].job))
		}
	}
	var waiting []int32
	for job := range c.waiting.nodes {
		if c.waiting.has(int32(job)) {
			waiting = append(waiting, int32(job))
			add(c.virtual[job])
		}
	}
	// Jobs that were picked, but do not run yet, are members.
	complete := n == int64(c.members)
	want := int32(none)
	eligible := 0
	for _, job := range waiting {
		mine := new(big.Int).SetUint64(uint64(c.virtual[job]))
		if mine.Mul(mine, big.NewInt(n)).Cmp(mean) > 0 {
			continue
		}
		eligible++
		if want == none || c.waiting.less(job, want) {
			want = job
		}
	}
	asleep := want != none && c.jobs[want].delayed
	got := c.eevdf.next()
	if complete && eligible > 0 && !asleep && got != want {
		panic("EEVDF picks another job than the obvious way")
	}
	return got
}

// headStart runs arrivals first and in order, for 5 ms each, and leaves the rest
// to CFS: an example of a discipline that embeds it.
type headStart struct{}

func (headStart) check(jobs []Job, cfg Config) error { return CFS{}.check(jobs, cfg) }

func (headStart) discipline(e *engine) discipline {
	return &headStarter{cfs: newCFS(e, CFS{}), ahead: make([]bool, len(e.cpus))}
}

type headStarter struct {
	*cfs
	arrivals queue
	ahead    []bool // by CPU: it runs an arrival
}

func (h *headStarter) ready(job int32, why reason) {
	switch {
	case why == arrived:
		h.arrivals.push(job)
	case why == yielded && h.attained(job) <= 5*ms:
		h.join(job)
	default:
		h.cfs.ready(job, why)
	}
}

func (h *headStarter) attained(job int32) int64 { return h.e.attainedNs(job) }

func (h *headStarter) next() int32 {
	if job := h.arrivals.pop(); job != none {
		return job
	}
	return h.cfs.next()
}

func (h *headStarter) started(cpu, job int32) int64 {
	if h.ahead[cpu] = h.attained(job) == 0; h.ahead[cpu] {
		return 5 * ms
	}
	return h.cfs.started(cpu, job)
}

func (h *headStarter) expired(cpu, job int32) (int64, bool) {
	if h.ahead[cpu] {
		return 0, false
	}
	return h.cfs.expired(cpu, job)
}

func (h *headStarter) stopped(cpu, job int32, ranNs int64) {
	if !h.ahead[cpu] {
		h.cfs.stopped(cpu, job, ranNs)
	}
}

func (h *headStarter) preempt() int32 {
	if !h.arrivals.empty() {
		if cpu := slices.Index(h.ahead, false); cpu >= 0 {
			return int32(cpu)
		}
	}
	return h.cfs.preempt()
}

// BenchmarkFair simulates a million jobs at 95% load.
func BenchmarkFair(b *testing.B) {
	for _, policy := range []struct {
		name string
		Policy
	}{{"CFS", CFS{}}, {"EEVDF", EEVDF{}}} {
		b.Run(policy.name, func(b *testing.B) {
			const n = 1_000_000
			random := rand.New(rand.NewPCG(1, 2))
			jobs := make([]Job, n)
			var arrivalNs float64
			for i := range jobs {
				demandNs := random.ExpFloat64() * 5 * ms
				jobs[i] = Job{ArrivalNs: int64(arrivalNs), CPUNs: int64(demandNs)}
				arrivalNs += random.ExpFloat64() * 5 * ms / 0.95
			}
			for b.Loop() {
				if _, err := Simulate(jobs, Config{CPUs: 1}, policy.Policy); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds()/1e6, "Mjobs/s")
		})
	}
}
