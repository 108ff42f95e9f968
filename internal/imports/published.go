package imports

import (
	"time"

	"alps/internal/stream"
	"alps/internal/workload"
)

// openPublished reads the traces of the artifacts, as package workload does for
// the runner and the benchmarks.
func (i *importer) openPublished() (source, error) {
	in, name, err := i.Open(i.Files[0])
	if err != nil {
		return nil, err
	}
	defer in.Close()
	requests, err := workload.ReadPublished(in, name, workload.Format(i.Format))
	if err != nil {
		return nil, err
	}
	for _, r := range requests {
		refuse := func(column, why string) error {
			return &stream.Error{Name: name, Line: r.Line, Column: column, Msg: why}
		}
		if _, err := i.ClassBy.Class(r); err != nil {
			return nil, refuse(string(i.ClassBy), err.Error())
		}
		if _, ok := i.demands[workload.FunctionArgument{Function: r.Function, Argument: r.Argument}]; !ok {
			return nil, refuse("argument", "the demands say nothing of "+r.Function+" "+r.Argument)
		}
	}
	replay := workload.Replay{
		Demands: i.demands, ClassBy: i.ClassBy, SampleOf: i.SampleOf, Load: i.load(), Seed: i.Seed,
	}
	if i.UtilisationPct == 0 {
		replay.Unit = time.Millisecond
	}
	trace, err := workload.FromPublished(requests, replay)
	if err != nil {
		return nil, err
	}
	return func(yield func(workload.Request) error) error {
		for _, r := range trace {
			if err := yield(r); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
