package gittins

import (
	"cmp"
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
)

// indexFunction is what the study's server goes by.
type indexFunction interface {
	RankNs(attainedNs int64) float64
	NextChange(attainedNs int64) int64
}

// never is an indexFunction that does not change: a class's one static rank.
type never float64

func (n never) RankNs(int64) float64   { return float64(n) }
func (n never) NextChange(int64) int64 { return math.MaxInt64 }

// job is one invocation of the study.
type job struct {
	class                           int
	arrivalNs, demandNs, attainedNs int64
	rankNs                          float64
}

// queue has the waiting jobs, the best rank first, then the first to come.
type queue []*job

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].rankNs, q[j].rankNs), cmp.Compare(q[i].arrivalNs, q[j].arrivalNs)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*job)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	j := (*q)[last]
	*q = (*q)[:last]
	return j
}

// meanTurnaroundNs serves the jobs, ordered by arrival, on one CPU, always the
// one with the best rank. A nil index is SRPT.
func meanTurnaroundNs(jobs []job, index []indexFunction) float64 {
	rank := func(j *job) float64 {
		if index == nil {
			return float64(j.demandNs - j.attainedNs)
		}
		return index[j.class].RankNs(j.attainedNs)
	}
	jobs = slices.Clone(jobs)
	var (
		waiting queue
		nowNs   int64
		sumNs   float64
	)
	for next := 0; next < len(jobs) || len(waiting) > 0; {
		if len(waiting) == 0 {
			nowNs = max(nowNs, jobs[next].arrivalNs)
		}
		for ; next < len(jobs) && jobs[next].arrivalNs <= nowNs; next++ {
			jobs[next].rankNs = rank(&jobs[next])
			heap.Push(&waiting, &jobs[next])
		}
		j := waiting[0]
		runNs := j.demandNs - j.attainedNs
		if index != nil {
			runNs = min(runNs, index[j.class].NextChange(j.attainedNs)-j.attainedNs)
		}
		if next < len(jobs) {
			runNs = min(runNs, jobs[next].arrivalNs-nowNs)
		}
		nowNs += runNs
		j.attainedNs += runNs
		if j.attainedNs == j.demandNs {
			heap.Pop(&waiting)
			sumNs += float64(nowNs - j.arrivalNs)
			continue
		}
		j.rankNs = rank(j)
		heap.Fix(&waiting, 0)
	}
	return sumNs / float64(len(jobs))
}

// shape is how demands vary about a class's scale.
type shape struct {
	name string
	// quantile is of a scale of 1; p is from 0 to 1, both excluded.
	quantile func(p float64) float64
}

func lognormal(sigma float64) func(p float64) float64 {
	return func(p float64) float64 {
		return math.Exp(sigma * math.Sqrt2 * math.Erfinv(2*p-1))
	}
}

var shapes = []shape{
	{"lognormal 0.15", lognormal(0.15)},
	{"lognormal 0.5", lognormal(0.5)},
	{"lognormal 1.5", lognormal(1.5)},
	{"hit or miss", func(p float64) float64 { // nine in ten need a tenth
		if p < 0.9 {
			return 0.1 * lognormal(0.15)(p/0.9)
		}
		return lognormal(0.15)((p - 0.9) / 0.1)
	}},
}

// workload is classes of one shape and jobs of them.
type workload struct {
	shape   shape
	scaleNs []float64
	jobs    []job
}

func (w *workload) demandNs(class int, p float64) int64 {
	return max(1, int64(w.scaleNs[class]*w.shape.quantile(p)))
}

// newWorkload draws classes with scales from 1 to 300 ms that are called equally
// often, and Poisson arrivals at that load.
func newWorkload(s shape, classes, jobs int, load float64, r *rand.Rand) *workload {
	w := &workload{shape: s}
	for range classes {
		w.scaleNs = append(w.scaleNs, 1e6*math.Pow(300, r.Float64()))
	}
	w.jobs = make([]job, jobs)
	var sumNs float64
	for i := range w.jobs {
		class := r.IntN(classes)
		w.jobs[i] = job{class: class, demandNs: w.demandNs(class, uniform(r))}
		sumNs += float64(w.jobs[i].demandNs)
	}
	gapNs := sumNs / float64(jobs) / load
	var nowNs float64
	for i := range w.jobs {
		nowNs += gapNs * r.ExpFloat64()
		w.jobs[i].arrivalNs = int64(nowNs)
	}
	return w
}

// uniform is from 0 to 1, both excluded.
func uniform(r *rand.Rand) float64 { return (float64(r.IntN(1<<30)) + 0.5) / (1 << 30) }

// known has so many samples of each class, exactly spread over the distribution.
func (w *workload) known(samples int) [][]int64 {
	all := make([][]int64, len(w.scaleNs))
	for class := range all {
		for i := range samples {
			all[class] = append(all[class], w.demandNs(class, (float64(i)+0.5)/float64(samples)))
		}
	}
	return all
}

// seen has so many random samples of each class.
func (w *workload) seen(samples int, r *rand.Rand) [][]int64 {
	all := make([][]int64, len(w.scaleNs))
	for class := range all {
		for range samples {
			all[class] = append(all[class], w.demandNs(class, uniform(r)))
		}
	}
	return all
}
