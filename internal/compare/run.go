package compare

import "alps/internal/sim"

// Run is a policy and what became of the invocations that count under it.
type Run struct {
	Name     string
	Outcomes []Outcome
}

// Simulate runs the timeline's invocations under a policy and returns what
// became of those that were not first seen in the first skip windows.
func (t *Timeline) Simulate(cfg sim.Config, p sim.Policy, skip int) ([]Outcome, error) {
	if _, err := t.counted(skip); err != nil {
		return nil, err
	}
	r, err := sim.Simulate(t.Jobs, cfg, p)
	if err != nil {
		return nil, err
	}
	return t.Outcomes(r, skip)
}
