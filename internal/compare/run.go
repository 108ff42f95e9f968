package compare

import (
	"errors"
	"fmt"

	"alps/internal/sim"
)

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
	r, err := t.run(cfg, p)
	if err != nil {
		return nil, err
	}
	return t.Outcomes(r, skip)
}

// run simulates all invocations.
func (t *Timeline) run(cfg sim.Config, p sim.Policy) (*sim.Result, error) {
	r, err := sim.Simulate(t.Jobs, cfg, p)
	var atJob *sim.JobError
	if errors.As(err, &atJob) {
		// Its row may be in any of the windows.
		return nil, fmt.Errorf("invocation %q: %s: %s", t.ids[atJob.Job], atJob.Column, atJob.Msg)
	}
	return r, err
}
