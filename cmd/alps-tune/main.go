// Command alps-tune reads windows of the turns that SRPT would have given and
// writes the policy to schedule by. See docs/alps-tune.md.
package main

import (
	"context"
	"errors"
	"time"

	"alps/internal/cli"
	"alps/internal/stream"
	"alps/internal/tune"
)

type flags struct {
	Predictor string        `default:"mean" placeholder:"NAME" help:"What predicts a class's slice: mean, median, last, ewma, linear, forest or quantile (default: ${default})."`
	Quantile  float64       `default:"0.75" placeholder:"Q" help:"Of the predictor quantile: 0 to 1 (default: ${default})."`
	Seed      uint64        `default:"1" placeholder:"N" help:"Of the draws of the predictor forest (default: ${default})."`
	Alpha     float64       `default:"1" placeholder:"X" help:"Factor of the predicted slice, 0 to 1000 (default: ${default})."`
	Beta      float64       `default:"1" placeholder:"X" help:"Factor of the standard deviation taken off it, 0 to 1000 (default: ${default})."`
	Theta     float64       `default:"50" placeholder:"PCT" help:"Utilisation from which on slices are cut, 0 to 100 (default: ${default})."`
	Gamma     float64       `default:"1" placeholder:"X" help:"How hard they are cut: more than 0, to 1000; a smaller one cuts less (default: ${default})."`
	Util      *float64      `placeholder:"PCT" help:"Utilisation, 0 to 100 (default: the column util_pct)."`
	Inertia   float64       `default:"0.3" placeholder:"X" help:"Part of the last slice in the new one, 0 to 1, where it was over 1 ms (default: ${default})."`
	MaxSlice  time.Duration `default:"1s" placeholder:"DURATION" help:"Longest slice that any class gets, up to 1s (default: ${default})."`
	Monotone  bool          `help:"Cut each slice to the shortest of the classes of better ranks, as the paper's artifact does (default: no)."`
	Mispred   bool          `name:"misprediction" default:"true" negatable:"" help:"Cut slices by how much they vary (default: yes); --no-misprediction leaves out alpha and beta."`
	Overload  bool          `default:"true" negatable:"" help:"Cut slices at high utilisation (default: yes); --no-overload leaves out theta and gamma."`
	History   int           `default:"1" placeholder:"N" help:"Learn from the last N windows, 1 to 10000 (default: ${default})."`
	Drift     bool          `help:"Notice classes whose demands have changed, say so, and drop what is older; with a history of 2 or more (default: no)."`
	Prev      *string       `placeholder:"FILE" help:"Policy before the first window: the last one of a policy stream (default: none)."`
	Unknown   bool          `default:"true" negatable:"" help:"Give a row for functions not known yet, class * (default: yes)."`
	RankBy    string        `name:"rank-by" enum:"gittins,demand,wait,slice" default:"gittins" placeholder:"WHAT" help:"What orders the classes: gittins (the index of their demands), demand, wait (under SRPT, as in the paper) or slice (default: ${default})."`
	File      string        `arg:"" optional:"" help:"Turns to read (default: stdin)."`

	options tune.Options
}

// Validate is called by kong.
func (f *flags) Validate() error {
	predictor, err := tune.PredictorNamed(f.Predictor, f.Quantile)
	if err != nil {
		return err
	}
	if forest, is := predictor.(tune.Forest); is {
		forest.Seed = f.Seed
		predictor = forest
	}
	f.options = tune.Options{
		Predictor: predictor,
		Params: tune.Params{
			Alpha: f.Alpha, Beta: f.Beta, Theta: f.Theta, Gamma: f.Gamma,
			Inertia: f.Inertia, MaxSliceNs: f.MaxSlice.Nanoseconds(),
			NoMisprediction: !f.Mispred, NoOverload: !f.Overload,
		},
		UtilPct:  f.Util,
		History:  f.History,
		RankBy:   tune.RankBy(f.RankBy),
		Monotone: f.Monotone,
		Drift:    f.Drift,
		Unknown:  f.Unknown,
	}
	if f.Prev != nil && *f.Prev == "" {
		return errors.New("--prev: the name of the file is empty")
	}
	if f.Prev != nil && *f.Prev == "-" && (f.File == "" || f.File == "-") {
		return errors.New("--prev: stdin has the turns already")
	}
	return f.options.Check()
}

func (f *flags) run(_ context.Context, tool cli.IO) error {
	f.options.Warn = tool.Messages()
	tuner := tune.New(f.options)
	if f.Prev != nil {
		if err := follow(tuner, tool, *f.Prev); err != nil {
			return err
		}
	}
	in, name, err := cli.Input(tool, f.File)
	if err != nil {
		return err
	}
	defer in.Close()
	util := stream.Hint("util_pct", "--util PCT gives it")
	if f.Util != nil || !f.Overload {
		util = stream.Optional("util_pct")
	}
	return tune.Run(
		stream.NewReader[stream.Turn](in, name, stream.WarnTo(tool.Messages()), util),
		stream.NewWriter[stream.Policy](tool.Stdout), tuner)
}

// follow makes the last policy in a file the one before the first window.
func follow(tuner *tune.Tuner, tool cli.IO, file string) error {
	in, name, err := cli.Input(tool, file)
	if err != nil {
		return err
	}
	defer in.Close()
	return tuner.FollowStream(stream.NewReader[stream.Policy](in, name, stream.WarnTo(tool.Messages())))
}

func main() {
	var f flags
	cli.Main("alps-tune", &f, f.run, cli.Filter(),
		cli.Description("Learn a policy from the turns of SRPT: turns in, policy out."))
}
