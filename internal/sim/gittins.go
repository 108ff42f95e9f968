package sim

import (
	"fmt"
	"math"

	"alps/internal/gittins"
)

// Gittins ranks jobs by their Gittins index: by how soon, for the CPU time
// spent, a job of its class that has used as much as it has is likely to be
// done. It minimises the mean turnaround on one CPU where only the
// distributions of the classes' demands are known.
//
// A waiting job with a better rank takes the CPU of the running one with the
// worst. The rank of a running job gets better from one demand seen in its
// class to the next, and may get worse there, so that is where it is looked at
// again. Ties go to the earlier arrival, then to the earlier row.
type Gittins struct {
	Tables []GittinsTable // by FromNs
}

// GittinsTable is what is known of the classes' demands from a time on. Before
// the first table, and where neither the class nor Unknown has a distribution,
// a job ranks by what it has used: it is thought to need as much again.
type GittinsTable struct {
	// FromNs is when it comes into force, on the clock of the arrivals.
	FromNs int64
	// Classes has the distribution of each class; nil, or beyond its end, if
	// nothing is known of the class.
	Classes []*gittins.Distribution
	// Unknown is that of classes of which nothing is known; may be nil.
	Unknown *gittins.Distribution
}

func (p Gittins) check(jobs []Job, _ Config) error {
	for i := range p.Tables {
		if i > 0 && p.Tables[i].FromNs <= p.Tables[i-1].FromNs {
			return fmt.Errorf("simulate tables from %d ns and then %d ns: they must come one after another", p.Tables[i-1].FromNs, p.Tables[i].FromNs)
		}
	}
	return nil
}

func (p Gittins) discipline(e *engine) discipline {
	return &byIndex{e: e, tables: p.Tables, table: -1}
}

// byIndex is the state of [Gittins].
type byIndex struct {
	e       *engine
	tables  []GittinsTable
	table   int // index of the table in force; -1 for none
	waiting heap
}

// distribution is that of a job's class; nil if nothing is known.
func (s *byIndex) distribution(job int32) *gittins.Distribution {
	for s.table+1 < len(s.tables) && s.tables[s.table+1].FromNs <= s.e.nowNs {
		s.table++
	}
	if s.table < 0 {
		return nil
	}
	t := &s.tables[s.table]
	if class := s.e.job(job).Class; int(class) < len(t.Classes) && t.Classes[class] != nil {
		return t.Classes[class]
	}
	return t.Unknown
}

// rankNs is the rank of a job now, the lower the better.
func (s *byIndex) rankNs(job int32) int64 {
	attainedNs := s.e.attainedNs(job)
	d := s.distribution(job)
	if d == nil {
		return attainedNs
	}
	return int64(math.Round(min(d.RankNs(attainedNs), 1<<62)))
}

func (s *byIndex) ready(job int32, _ reason) { s.waiting.push(entry{s.rankNs(job), int(job)}) }

func (s *byIndex) next() int32 {
	if len(s.waiting) == 0 {
		return none
	}
	return int32(s.waiting.pop().place)
}

// Beyond all demands seen, a job is looked at whenever it has used a tenth more,
// and at least minLookNs.
const minLookNs = 1_000_000

// budgetNs is how long the job's rank only gets better.
func (s *byIndex) budgetNs(job int32) int64 {
	attainedNs := s.e.attainedNs(job)
	if d := s.distribution(job); d != nil {
		if changeNs := d.NextChange(attainedNs); changeNs > attainedNs && changeNs < never {
			return changeNs - attainedNs
		}
	}
	return max(attainedNs/10, minLookNs)
}

func (s *byIndex) started(_, job int32) (budgetNs int64) { return s.budgetNs(job) }

func (s *byIndex) expired(_, job int32) (budgetNs int64, goOn bool) {
	if len(s.waiting) > 0 && s.waiting[0].key < s.rankNs(job) {
		return 0, false
	}
	return s.budgetNs(job), true
}

func (s *byIndex) stopped(_, _ int32, _ int64) {}

func (s *byIndex) preempt() int32 {
	if len(s.waiting) == 0 {
		return none
	}
	worst, victim := s.waiting[0].key, int32(none)
	for n := range s.e.cpus {
		job := s.e.cpus[n].job
		if job == none {
			continue
		}
		if rankNs := s.rankNs(job); rankNs > worst {
			worst, victim = rankNs, int32(n)
		}
	}
	return victim
}
