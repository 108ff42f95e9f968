package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/gocarina/gocsv"

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
	said := make(map[string]bool)
	o.Warn = func(line string) { // once: the next windows have the same to say
		if !said[line] {
			fmt.Fprintln(tool.Messages(), line)
		}
		said[line] = true
	}
	var absent absentCgroups
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
		if line := absent.news(table); line != "" {
			fmt.Fprintln(tool.Messages(), line)
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

// A watchRow is a row of alps-load watch. What does not apply is empty.
type watchRow struct {
	TimeMs       int64   `csv:"time_ms"`
	Class        string  `csv:"class"`
	Key          string  `csv:"key"`
	Turns        uint64  `csv:"turns"`
	CPUNs        uint64  `csv:"cpu_ns"`
	WaitNs       uint64  `csv:"wait_ns"`
	Preempted    *uint64 `csv:"preempted"`
	Promotions   *uint64 `csv:"promotions"`
	SlicesUsedUp *uint64 `csv:"slices_used_up"`
}

// RunWatch is alps-load watch: what each key was given in each interval, as CSV,
// so many times, or with count 0 until ctx is done. It fails when the scheduler
// leaves, saying why.
func (o Options) RunWatch(ctx context.Context, tool cli.IO, interval time.Duration, count int) error {
	w, err := o.watch()
	if err != nil {
		return err
	}
	defer w.close()
	if err := gocsv.Marshal([]watchRow{}, tool.Stdout); err != nil {
		return err
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for i := 0; count == 0 || i < count; i++ {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
		all, err := w.next()
		if err != nil {
			return err
		}
		if err := writeGiven(tool.Stdout, time.Now(), all); err != nil {
			return err
		}
	}
	return nil
}

// writeGiven writes the rows of one interval at once.
func writeGiven(out io.Writer, now time.Time, all []given) error {
	rows := make([]watchRow, len(all))
	for i := range all {
		g := &all[i]
		rows[i] = watchRow{TimeMs: now.UnixMilli(), Class: g.class, Key: g.key, Turns: g.stats.Turns, CPUNs: g.stats.CPUNs, WaitNs: g.stats.WaitNs}
		if g.key != "" { // nobody preempts or promotes system tasks
			rows[i].Preempted, rows[i].Promotions, rows[i].SlicesUsedUp = &g.stats.Preempted, &g.stats.Promotions, &g.stats.SlicesUsedUp
		}
	}
	var text bytes.Buffer
	if err := gocsv.MarshalWithoutHeaders(rows, &text); err != nil {
		return err
	}
	_, err := out.Write(text.Bytes())
	return err
}
