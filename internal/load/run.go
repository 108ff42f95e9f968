package load

import (
	"errors"
	"fmt"
	"io"
	"time"

	"alps/internal/cli"
	"alps/internal/stream"
)

// RunLoad is alps-load without a command: it puts each window of a policy
// stream in force as soon as it is complete, or with dryRun prints it as it
// would be. The first bad window ends it; those before it stay in force.
func (o Options) RunLoad(tool cli.IO, file string, dryRun bool) error {
	in, name, err := cli.Input(tool, file)
	if err != nil {
		return err
	}
	defer in.Close()
	policies := stream.NewReader[stream.Policy](in, name, stream.WarnTo(tool.Messages()))
	out := stream.NewWriter[stream.Policy](tool.Stdout)
	for {
		w, err := policies.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		table, err := Check(w)
		if err != nil {
			return err
		}
		if table, err = table.withUnknown(o.Functions); err != nil {
			return err
		}
		if dryRun {
			if err := out.Write(table.Window, table.Rows); err != nil {
				return err
			}
			continue
		}
		attached, err := o.Load(table)
		if err != nil {
			return fmt.Errorf("window %d: %w", table.Window, err)
		}
		if attached {
			fmt.Fprintln(tool.Messages(), "the scheduler is attached")
		}
	}
	if dryRun {
		return out.Close()
	}
	return nil
}

// RunUnload is alps-load unload.
func (o Options) RunUnload(tool cli.IO) error {
	removed, err := o.Unload()
	if err == nil && !removed {
		fmt.Fprintf(tool.Messages(), "nothing is loaded at %s\n", o.Pins)
	}
	return err
}

// RunDump is alps-load dump.
func (o Options) RunDump(tool cli.IO) error {
	csv, err := o.Dump()
	if err != nil {
		return err
	}
	_, err = tool.Stdout.Write(csv)
	return err
}

// RunStatus is alps-load status: one "name value" a line. It fails if the
// scheduler is not in charge or its policy has expired, saying why.
func (o Options) RunStatus(tool cli.IO) error {
	s, err := o.Status()
	if err != nil {
		return err
	}
	state := "not loaded"
	switch {
	case s.InForce && s.Expired():
		state = "expired"
	case s.InForce:
		state = "in force"
	case s.Pinned:
		state = "left"
	}
	fmt.Fprintf(tool.Stdout, "state %s\n", state)
	if s.Pinned {
		fmt.Fprintf(tool.Stdout, "window %d\nage_ms %d\nkeys %d\n", s.Window, time.Since(s.Loaded).Milliseconds(), s.Keys)
		for _, c := range s.Counters {
			fmt.Fprintf(tool.Stdout, "%s %d\n", c.Name, c.Value)
		}
	}
	switch {
	case s.InForce && s.Expired():
		return fmt.Errorf("the policy has expired %v ago; all functions are served fairly until the next load", time.Since(s.Expires).Round(time.Millisecond))
	case s.InForce:
		return nil
	case s.Left != nil && s.Left.Msg != "":
		return fmt.Errorf("the scheduler has left: %s: %s", s.Left.Reason, s.Left.Msg)
	case s.Left != nil:
		return fmt.Errorf("the scheduler has left: %s", s.Left.Reason)
	case s.InCharge != "":
		return fmt.Errorf("the sched_ext scheduler %q is in charge, and not from %s", s.InCharge, o.Pins)
	}
	return fmt.Errorf("the kernel's own scheduler is in charge; nothing is loaded at %s", o.Pins)
}
