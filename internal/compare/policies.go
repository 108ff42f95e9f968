package compare

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"alps/internal/patience"
	"alps/internal/sim"
	"alps/internal/stream"
	"alps/internal/tune"
)

// Params are what policies may be told. The zero value has SRPT that may end
// a turn at any time.
type Params struct {
	// MinSliceNs is SRPT's; see [sim.SRPT].
	MinSliceNs int64
	// QuantumNs is round robin's; see [sim.RR].
	QuantumNs int64
	// Tune is how the policies that learn do so.
	Tune tune.Options
	// Stretch and MaxWaitNs are those of alps-load; see [sim.ALPS].
	Stretch   int
	MaxWaitNs int64
}

// DefaultParams are those of the tools. SRPT is the ideal, without a minimum
// slice.
var DefaultParams = Params{
	QuantumNs: sim.DefaultQuantumNs,
	Tune:      tune.Options{Predictor: tune.Mean{}, Params: tune.DefaultParams, History: 1},
	Stretch:   patience.DefaultStretch,
	MaxWaitNs: 1_000_000_000,
}

// names are the names of the policies, in the order in which help shows them.
var names = []string{"srpt", "fifo", "rr", "cfs", "eevdf", "sfs", "alps", "alps-paper", "gittins"}

// Names returns the names of all policies.
func Names() []string { return slices.Clone(names) }

// learns tells which policies learn from windows.
func learns(name string) bool {
	return slices.Contains([]string{"alps", "alps-paper", "gittins"}, name)
}

// Study is a comparison: some policies by name, and what they learn while the
// windows are read.
type Study struct {
	params Params
	names  []string
	tables *Tables
	paper  *Tables // ranked by the paper's rule
	demand *Demands
}

// NewStudy returns a comparison of policies by their names.
func NewStudy(policies []string, p Params) (*Study, error) {
	s := &Study{params: p, names: policies}
	if len(policies) == 0 {
		return nil, errors.New("there is no policy to simulate")
	}
	for i, name := range policies {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no policy %q; there is: %s", name, strings.Join(names, ", "))
		}
		if slices.Contains(policies[:i], name) {
			return nil, fmt.Errorf("policy %q is named twice", name)
		}
	}
	s.tables, s.demand = NewTables(p.Tune), NewDemands(p.Tune.History)
	p.Tune.RankBy = tune.RankByWait
	s.paper = NewTables(p.Tune)
	return s, nil
}

// Learns tells whether one of the policies learns, so that the first window
// teaches only.
func (s *Study) Learns() bool { return slices.ContainsFunc(s.names, learns) }

// Read makes the timeline of streams, and learns.
func (s *Study) Read(ins []*stream.Reader[stream.Invocation], r Reading) (*Timeline, error) {
	var learners []Learner
	if slices.Contains(s.names, "alps") {
		learners = append(learners, s.tables)
	}
	if slices.Contains(s.names, "alps-paper") {
		learners = append(learners, s.paper)
	}
	if slices.Contains(s.names, "gittins") {
		learners = append(learners, s.demand)
	}
	return Read(ins, r, learners...)
}

// Policy returns the policy of a name, as learnt.
func (s *Study) Policy(name string) (sim.Policy, error) {
	p := s.params
	switch name {
	case "srpt":
		return sim.SRPT{MinSliceNs: p.MinSliceNs}, nil
	case "fifo":
		return sim.FIFO{}, nil
	case "rr":
		return sim.RR{QuantumNs: p.QuantumNs}, nil
	case "cfs":
		return sim.CFS{}, nil
	case "eevdf":
		return sim.EEVDF{}, nil
	case "sfs":
		return sim.SFS{}, nil
	case "alps":
		return sim.ALPS{Tables: s.tables.Tables(), Stretch: p.Stretch, MaxWaitNs: p.MaxWaitNs}, nil
	case "alps-paper":
		return sim.ALPSPaper{Tables: s.paper.Tables()}, nil
	case "gittins":
		return sim.Gittins{Tables: s.demand.Tables()}, nil
	}
	return nil, fmt.Errorf("there is no policy %q", name)
}
