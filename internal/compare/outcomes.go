package compare

import (
	"fmt"
	"os"

	"github.com/gocarina/gocsv"
)

// outcomeRow is an [Outcome] as it is written.
type outcomeRow struct {
	Policy       string `csv:"policy"`
	Class        string `csv:"class"`
	ArrivalNs    int64  `csv:"arrival_ns"`
	CPUNs        int64  `csv:"cpu_ns"`
	TurnaroundNs int64  `csv:"turnaround_ns"`
	Switches     int64  `csv:"switches"`
}

// WriteOutcomes writes what became of each invocation under each policy as CSV, one
// policy after the other: what the figures are made of, for studies of one's own.
func WriteOutcomes(path string, runs []Run) error {
	var rows []outcomeRow
	for _, r := range runs {
		for _, o := range r.Outcomes {
			rows = append(rows, outcomeRow{
				Policy: r.Name, Class: o.Class, ArrivalNs: o.ArrivalNs, CPUNs: o.CPUNs, TurnaroundNs: o.TurnaroundNs, Switches: o.Switches,
			})
		}
	}
	text, err := gocsv.MarshalBytes(rows)
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		return fmt.Errorf("writing the outcomes: %w", err)
	}
	return nil
}
