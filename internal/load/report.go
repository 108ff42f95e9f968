package load

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"time"

	"alps/internal/cli"
)

// noExit is said where no scheduler has left that the pins know of.
const noExit = "none"

// state is the status in a word or two.
func (s *Status) state() string {
	switch {
	case s.InForce && s.OtherVersion != "":
		return "other version"
	case s.InForce && s.Expired():
		return "expired"
	case s.InForce:
		return "in force"
	case s.Pinned:
		return "left"
	}
	return "not loaded"
}

// A figure is one of those of status. An empty one is not known in this state.
type figure struct{ name, value string }

// figures are all, by the same names and in the same order in every state.
func (s *Status) figures() []figure {
	known := s.Pinned && s.OtherVersion == ""
	number := func(n int64) string {
		if !known {
			return ""
		}
		return strconv.FormatInt(n, 10)
	}
	figures := []figure{
		{"state", s.state()},
		{"window", number(s.Window)},
		{"age_ms", number(time.Since(s.Loaded).Milliseconds())},
		{"max_age_ms", number(s.MaxAge.Milliseconds())},
		{"classes", number(int64(s.Classes))},
		{"keys", number(int64(s.Keys))},
		{"stretch", number(int64(s.Stretch))},
		{"max_wait_ms", number(s.MaxWait.Milliseconds())},
	}
	for _, name := range counterNames {
		figures = append(figures, figure{name, number(int64(s.Counters[name]))})
	}
	share := ""
	if pct, ok := s.Counters.UnclassedPct(); ok {
		share = strconv.FormatFloat(pct, 'f', 1, 64)
	}
	exit, reason := s.lastExit()
	return append(figures, figure{"unclassed_pct", share}, figure{"in_charge", s.InCharge},
		figure{"last_exit", exit}, figure{"last_exit_reason", reason})
}

// lastExit is why the scheduler left, or else the one before it, in a word and in
// the kernel's words.
func (s *Status) lastExit() (word, reason string) {
	last := s.Left
	if last == nil {
		last = s.Before
	}
	switch {
	case last != nil:
		return last.cause().word, last.words()
	case !s.Pinned:
		return "", ""
	case s.OtherVersion != "" || !s.InForce:
		return unknownCause.word, ""
	}
	return noExit, ""
}

// RunStatus is alps-load status: one "name value" a line, or with asCSV a header
// and a row. It fails if the scheduler is not in charge or its policy does not
// hold, saying why.
func (o Options) RunStatus(tool cli.IO, asCSV bool) error {
	s, err := o.Status()
	if err != nil {
		return err
	}
	if err := s.write(tool, asCSV); err != nil {
		return err
	}
	return s.fault(o.Pins)
}

func (s *Status) write(tool cli.IO, asCSV bool) error {
	figures := s.figures()
	if !asCSV {
		for _, f := range figures {
			if f.value == "" {
				continue
			}
			if _, err := fmt.Fprintf(tool.Stdout, "%s %s\n", f.name, f.value); err != nil {
				return err
			}
		}
		return nil
	}
	header, row := make([]string, len(figures)), make([]string, len(figures))
	for i, f := range figures {
		header[i], row[i] = f.name, f.value
	}
	return csv.NewWriter(tool.Stdout).WriteAll([][]string{header, row})
}
