package sim

import (
	"cmp"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A twin is the engine done the obvious way: one tick of time after the other,
// all rules read off plain lists. The engine must agree with it.
type twin struct {
	jobs []Job
	cfg  Config
	rule rule
	now  int64
	seq  int // of the last job that became ready
	all  []*twinJob
	cpus []twinCPU
}

type twinJob struct {
	row      int
	attained int64
	bursts   []int64 // left, the one at hand first
	sleeps   []int64 // left
	wakeAt   int64
	phase    twinPhase
	readySeq int
	turns    []Turn
	end      int64
}

type twinPhase int

const (
	toCome twinPhase = iota
	waits
	runs
	sleeps
	gone
)

type twinCPU struct {
	job, last *twinJob
	turnStart int64 // after the switch
	lookAt    int64 // when the budget is used up; 0 for never
	yielded   *twinJob
}

// A rule is a policy as its docstring puts it.
type rule interface {
	// before tells whether a waiting job a is served before b.
	before(t *twin, a, b *twinJob) bool
	// budget is how long a turn may last before it is looked at; 0 for ever.
	budget(t *twin, j *twinJob) int64
	// goesOn tells whether a job whose budget is used up goes on, and for how
	// long until it is looked at again.
	goesOn(t *twin, j *twinJob) (int64, bool)
	// victim is the CPU that a waiting job takes now; -1 for none.
	victim(t *twin, best *twinJob) int
}

func (t *twin) leftOf(j *twinJob) int64 { return t.jobs[j.row].CPUNs - j.attained }

// place compares by arrival, then row.
func place(t *twin, a, b *twinJob) int {
	return cmp.Or(cmp.Compare(t.jobs[a.row].ArrivalNs, t.jobs[b.row].ArrivalNs), cmp.Compare(a.row, b.row))
}

func (t *twin) best() *twinJob {
	var best *twinJob
	for _, j := range t.all {
		if j.phase == waits && (best == nil || t.rule.before(t, j, best)) {
			best = j
		}
	}
	return best
}

func evenParts(total, n int64) []int64 {
	parts := make([]int64, n)
	for i := range parts {
		parts[i] = total / n
		if int64(i) < total%n {
			parts[i]++
		}
	}
	return parts
}

func runTwin(jobs []Job, cfg Config, r rule) (turns []Turn, ends []int64) {
	t := &twin{jobs: jobs, cfg: cfg, rule: r, cpus: make([]twinCPU, cfg.CPUs)}
	for i, job := range jobs {
		j := &twinJob{row: i, bursts: evenParts(job.CPUNs, int64(job.Sleeps)+1)}
		if job.Sleeps > 0 {
			j.sleeps = evenParts(job.BlockNs, int64(job.Sleeps))
		}
		t.all = append(t.all, j)
	}
	for ; !t.over(); t.now++ {
		t.leave()
		t.come()
		t.look()
		t.fill()
		t.evict()
		for i := range t.cpus {
			if c := &t.cpus[i]; c.job != nil && t.now >= c.turnStart {
				c.job.attained++
				c.job.bursts[0]--
			}
		}
	}
	turns, ends = []Turn{}, make([]int64, len(jobs))
	for i, j := range t.all {
		turns = append(turns, j.turns...)
		ends[i] = j.end
	}
	return turns, ends
}

func (t *twin) over() bool {
	return !slices.ContainsFunc(t.all, func(j *twinJob) bool { return j.phase != gone })
}

func (t *twin) leave() {
	for i := range t.cpus {
		c := &t.cpus[i]
		if c.job == nil || c.job.bursts[0] > 0 {
			continue
		}
		t.note(c.job, c.turnStart)
		t.rest(c.job)
		c.last, c.job = c.job, nil
	}
}

// rest sends a job whose burst is over to sleep, or home.
func (t *twin) rest(j *twinJob) {
	wake := t.now
	for j.bursts[0] == 0 {
		if len(j.bursts) == 1 {
			j.phase, j.end = gone, wake
			return
		}
		wake += j.sleeps[0]
		j.bursts, j.sleeps = j.bursts[1:], j.sleeps[1:]
	}
	j.phase, j.wakeAt = sleeps, wake
}

func (t *twin) note(j *twinJob, start int64) {
	if t.now > start {
		j.turns = append(j.turns, Turn{j.row, start, t.now - start})
	}
}

func (t *twin) come() {
	sorted := slices.Clone(t.all)
	slices.SortFunc(sorted, func(a, b *twinJob) int { return place(t, a, b) })
	for _, j := range sorted {
		if j.phase == toCome && t.jobs[j.row].ArrivalNs == t.now {
			if j.bursts[0] == 0 {
				t.rest(j)
			} else {
				t.ready(j)
			}
		}
	}
	for _, j := range sorted {
		if j.phase == sleeps && j.wakeAt == t.now {
			t.ready(j)
		}
	}
}

func (t *twin) ready(j *twinJob) {
	t.seq++
	j.phase, j.readySeq = waits, t.seq
}

func (t *twin) look() {
	for i := range t.cpus {
		c := &t.cpus[i]
		if c.job == nil || c.lookAt == 0 || t.now < c.lookAt {
			continue
		}
		c.lookAt = 0
		if budget, on := t.rule.goesOn(t, c.job); on {
			if budget > 0 {
				c.lookAt = t.now + budget
			}
			continue
		}
		c.yielded, c.last = c.job, c.job
		t.ready(c.job)
		c.job = nil
	}
}

func (t *twin) fill() {
	var picked []*twinJob
	free := 0
	for i := range t.cpus {
		if t.cpus[i].job == nil {
			free++
		}
	}
	for len(picked) < free {
		j := t.best()
		if j == nil {
			break
		}
		j.phase = runs
		picked = append(picked, j)
	}
	// Each goes where it ran last, if that is free and nobody ran there since.
	for _, own := range []bool{true, false} {
		for k, j := range picked {
			for i := range t.cpus {
				if j != nil && t.cpus[i].job == nil && (!own || t.cpus[i].last == j) {
					t.give(&t.cpus[i], j)
					picked[k], j = nil, nil
				}
			}
		}
	}
	for i := range t.cpus {
		if c := &t.cpus[i]; c.yielded != nil {
			t.note(c.yielded, c.turnStart)
			c.yielded = nil
		}
	}
}

func (t *twin) give(c *twinCPU, j *twinJob) {
	start := t.now
	if c.last != j {
		start += t.cfg.SwitchCostNs
	}
	if c.yielded == j {
		c.yielded = nil
		start = c.turnStart
	}
	if c.yielded != nil {
		t.note(c.yielded, c.turnStart)
		c.yielded = nil
	}
	c.turnStart, c.job, c.last, j.phase, c.lookAt = start, j, j, runs, 0
	if budget := t.rule.budget(t, j); budget > 0 {
		c.lookAt = max(start, t.now) + budget
	}
}

func (t *twin) evict() {
	for {
		best := t.best()
		if best == nil || slices.ContainsFunc(t.cpus, func(c twinCPU) bool { return c.job == nil }) {
			return
		}
		i := t.rule.victim(t, best)
		if i < 0 {
			return
		}
		c := &t.cpus[i]
		t.note(c.job, c.turnStart)
		c.last = c.job
		t.ready(c.job)
		best.phase = runs
		t.give(c, best)
	}
}

// srptRule is [SRPT].
type srptRule struct{ SRPT }

func (r srptRule) left(t *twin, j *twinJob) int64 {
	if r.PredictedNs == nil {
		return t.leftOf(j)
	}
	return max(r.PredictedNs[j.row]-j.attained, 0)
}

func (r srptRule) before(t *twin, a, b *twinJob) bool {
	return cmp.Or(cmp.Compare(r.left(t, a), r.left(t, b)), place(t, a, b)) < 0
}

func (r srptRule) budget(*twin, *twinJob) int64 { return 0 }

func (r srptRule) goesOn(*twin, *twinJob) (int64, bool) { return 0, true }

func (r srptRule) victim(t *twin, best *twinJob) int {
	worst, least := -1, r.MinSliceNs
	if t.cfg.SwitchCostNs > 0 {
		least = max(least, 1)
	}
	for i, c := range t.cpus {
		if t.now-c.turnStart >= least && (worst < 0 || r.doneBefore(t, t.cpus[worst], c)) {
			worst = i
		}
	}
	if worst >= 0 && r.left(t, best) < r.left(t, t.cpus[worst].job) {
		return worst
	}
	return -1
}

// doneBefore tells whether what a runs will be done before what b runs, as far
// as is thought.
func (r srptRule) doneBefore(t *twin, a, b twinCPU) bool {
	return cmp.Or(cmp.Compare(r.left(t, a.job), r.left(t, b.job)), place(t, a.job, b.job)) < 0
}

// fifoRule is [FIFO], and with a quantum [RR].
type fifoRule struct{ quantum int64 }

func (r fifoRule) before(_ *twin, a, b *twinJob) bool { return a.readySeq < b.readySeq }
func (r fifoRule) budget(*twin, *twinJob) int64       { return r.quantum }
func (r fifoRule) victim(*twin, *twinJob) int         { return -1 }

func (r fifoRule) goesOn(t *twin, _ *twinJob) (int64, bool) { return r.quantum, t.best() == nil }

// drawJobs draws up to 25 jobs that crowd up to 4 CPUs, some of which sleep.
func drawJobs(t *rapid.T) ([]Job, Config) {
	job := rapid.Custom(func(t *rapid.T) Job {
		j := Job{
			ArrivalNs: rapid.Int64Range(0, 40).Draw(t, "arrival"),
			CPUNs:     rapid.Int64Range(0, 30).Draw(t, "cpu"),
			Class:     int32(rapid.IntRange(0, 3).Draw(t, "class")),
		}
		if rapid.Bool().Draw(t, "sleeps") {
			j.Sleeps = int32(rapid.IntRange(1, 4).Draw(t, "sleeps"))
			j.BlockNs = rapid.Int64Range(0, 20).Draw(t, "block")
		}
		return j
	})
	return rapid.SliceOfN(job, 0, 25).Draw(t, "jobs"), Config{
		CPUs:         rapid.IntRange(1, 4).Draw(t, "cpus"),
		SwitchCostNs: rapid.Int64Range(0, 3).Draw(t, "switch"),
	}
}

// agree compares the engine with its twin, by turns and by ends.
func agree(t fataler, jobs []Job, cfg Config, p Policy, r rule) {
	t.Helper()
	wantTurns, wantEnds := runTwin(jobs, cfg, r)
	result, err := Simulate(jobs, cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(result.EndNs, wantEnds) {
		t.Fatalf("jobs %+v, %+v: ends (-tick by tick +engine):\n%s", jobs, cfg, gocmp.Diff(wantEnds, result.EndNs))
	}
	cfg.KeepTurns = true
	withTurns, err := Simulate(jobs, cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(withTurns.Turns, wantTurns) {
		t.Fatalf("jobs %+v, %+v: turns (-tick by tick +engine):\n%s", jobs, cfg, gocmp.Diff(wantTurns, withTurns.Turns))
	}
	counts := make([]uint32, len(jobs))
	for _, turn := range wantTurns {
		counts[turn.Job]++
	}
	if !slices.Equal(counts, result.Switches) {
		t.Fatalf("jobs %+v, %+v: %v turns, %v switches", jobs, cfg, counts, result.Switches)
	}
}

// twins are the policies that have one, with parameters for small numbers.
func twins(jobs []Job) []twinPair {
	predicted := make([]int64, len(jobs))
	for i, j := range jobs {
		predicted[i] = j.CPUNs*int64(i%3)/2 + int64(i%2)
	}
	var pairs []twinPair
	for _, p := range []SRPT{{}, {MinSliceNs: 1}, {MinSliceNs: 2}, {MinSliceNs: 5}, {PredictedNs: predicted}, {MinSliceNs: 2, PredictedNs: predicted}} {
		pairs = append(pairs, twinPair{p, srptRule{p}})
	}
	return append(pairs,
		twinPair{FIFO{}, fifoRule{}},
		twinPair{RR{QuantumNs: 1}, fifoRule{1}},
		twinPair{RR{QuantumNs: 2}, fifoRule{2}},
		twinPair{RR{QuantumNs: 7}, fifoRule{7}},
	)
}

type fataler interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

type twinPair struct {
	policy Policy
	rule   rule
}

// TestTwinsAgreeOnAllSmallWorkloads tries every workload of up to four jobs that
// arrive at 0 to 2 and need 0 to 3, on one CPU and on two.
func TestTwinsAgreeOnAllSmallWorkloads(t *testing.T) {
	const arrivals, demands = 3, 4
	most := 4
	if testing.Short() {
		most = 3
	}
	for n := range most + 1 {
		jobs := make([]Job, n)
		workloads := 1
		for range n {
			workloads *= arrivals * demands
		}
		for w := range workloads {
			for i, rest := 0, w; i < n; i++ {
				jobs[i] = Job{ArrivalNs: int64(rest % arrivals), CPUNs: int64(rest / arrivals % demands), Class: int32(i % 2)}
				rest /= arrivals * demands
			}
			for cpus := 1; cpus <= 2; cpus++ {
				for _, pair := range twins(jobs) {
					agree(t, jobs, Config{CPUs: cpus}, pair.policy, pair.rule)
				}
			}
		}
	}
}

func TestTwinsAgreeOnDrawnWorkloads(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		jobs, cfg := drawJobs(rt)
		for _, pair := range twins(jobs) {
			agree(rt, jobs, cfg, pair.policy, pair.rule)
		}
	})
}

func FuzzTwins(f *testing.F) {
	f.Add([]byte{0, 10, 0, 2, 3, 1}, 1, int64(0))
	f.Add([]byte{0, 6, 5, 0, 10, 0, 2, 1, 9}, 2, int64(2))
	f.Fuzz(func(t *testing.T, data []byte, cpus int, switchCost int64) {
		if cpus < 1 || cpus > 8 || switchCost < 0 || switchCost > 20 || len(data) > 150 {
			t.Skip()
		}
		var jobs []Job
		for ; len(data) >= 3; data = data[3:] {
			job := Job{ArrivalNs: int64(data[0]), CPUNs: int64(data[1]), Class: int32(data[2] % 3)}
			if sleeps := data[2] / 16; sleeps > 0 {
				job.Sleeps, job.BlockNs = int32(sleeps), int64(data[2])
			}
			jobs = append(jobs, job)
		}
		for _, pair := range twins(jobs) {
			agree(t, jobs, Config{CPUs: cpus, SwitchCostNs: switchCost}, pair.policy, pair.rule)
		}
	})
}
