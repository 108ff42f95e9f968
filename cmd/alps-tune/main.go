// Command alps-tune reads windows of the turns that SRPT would have given and
// writes the policy to schedule by. Its command evaluate judges predictors by the
// same windows. See docs/alps-tune.md.
package main

import (
	"context"
	"errors"
	"io"
	"time"

	"alps/internal/cli"
	"alps/internal/stream"
	"alps/internal/tune"
)

// flags has what both commands take.
type flags struct {
	Quantile float64       `default:"0.75" placeholder:"Q" help:"Of the predictor quantile: 0 to 1 (default: ${default})."`
	Seed     uint64        `default:"1" placeholder:"N" help:"Of the draws of the predictor forest (default: ${default})."`
	Alpha    float64       `default:"1" placeholder:"X" help:"Factor of the predicted slice, 0 to 1000 (default: ${default})."`
	Beta     float64       `default:"1" placeholder:"X" help:"Factor of the standard deviation taken off it, 0 to 1000 (default: ${default})."`
	Theta    float64       `default:"50" placeholder:"PCT" help:"Utilisation from which on slices are cut, 0 to 100 (default: ${default})."`
	Gamma    float64       `default:"1" placeholder:"X" help:"How hard they are cut: more than 0, to 1000; a smaller one cuts less (default: ${default})."`
	Util     *float64      `placeholder:"PCT" help:"Utilisation, 0 to 100 (default: the column util_pct)."`
	Inertia  float64       `default:"0.3" placeholder:"X" help:"Part of the last slice in the new one, 0 to 1, where it was over 1 ms (default: ${default})."`
	MaxSlice time.Duration `default:"1s" placeholder:"DURATION" help:"Longest slice that any class gets, up to 1s (default: ${default})."`
	Monotone bool          `help:"Cut each slice to the shortest of the classes of better ranks, as the paper's artifact does (default: no)."`
	Mispred  bool          `name:"misprediction" default:"true" negatable:"" help:"Cut slices by how much they vary (default: yes); --no-misprediction leaves out alpha and beta."`
	Overload bool          `default:"true" negatable:"" help:"Cut slices at high utilisation (default: yes); --no-overload leaves out theta and gamma."`
	History  int           `default:"1" placeholder:"N" help:"Learn from the last N windows, 1 to 10000 (default: ${default})."`
	Drift    bool          `help:"Notice classes whose demands have changed, say so, and drop what is older; with a history of 2 or more (default: no)."`
	RankBy   string        `name:"rank-by" enum:"gittins,demand,wait,slice" default:"gittins" placeholder:"WHAT" help:"What orders the classes: gittins (the index of their demands), demand, wait (under SRPT, as in the paper) or slice (default: ${default})."`

	Policy   policyFlags   `cmd:"" default:"withargs" help:"Write a policy for each window (what is done without a command)."`
	Evaluate evaluateFlags `cmd:"" help:"Judge predictors by recorded turns: how far off they are, and what they come to."`

	options tune.Options
}

type policyFlags struct {
	Predictor string  `default:"mean" placeholder:"NAME" help:"What predicts a class's slice: mean, median, last, ewma, linear, forest or quantile (default: ${default})."`
	Prev      *string `placeholder:"FILE" help:"Policy before the first window: the last one of a policy stream (default: none)."`
	State     *string `placeholder:"FILE" help:"Go on from what the file remembers, and replace it after each window (default: none)."`
	Unknown   bool    `default:"true" negatable:"" help:"Give a row for functions not known yet, class * (default: yes)."`
	File      string  `arg:"" optional:"" help:"Turns to read (default: stdin)."`
}

// Validate is called by kong, for both commands: of flags here, its errors are
// without the command's name.
func (f *flags) Validate() error {
	predictor, err := tune.PredictorNamed(f.Policy.Predictor, f.Quantile, f.Seed)
	if err != nil {
		return err
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
		Unknown:  f.Policy.Unknown,
	}
	if prev := f.Policy.Prev; prev != nil {
		if *prev == "" {
			return errors.New("--prev: the name of the file is empty")
		}
		if *prev == "-" && (f.Policy.File == "" || f.Policy.File == "-") {
			return errors.New("--prev: stdin has the turns already")
		}
	}
	if err := f.Policy.checkState(); err != nil {
		return err
	}
	return f.options.Check()
}

func (f *flags) run(ctx context.Context, tool cli.IO) error {
	if tool.Command == "evaluate" {
		return f.Evaluate.run(ctx, tool, f)
	}
	return f.Policy.run(tool, f.options)
}

func (f *policyFlags) run(tool cli.IO, o tune.Options) error {
	o.Warn = tool.Messages()
	tuner := tune.New(o)
	if f.Prev != nil {
		if err := follow(tuner, tool, *f.Prev); err != nil {
			return err
		}
	}
	done, err := f.takeState(tuner, tool)
	if err != nil {
		return err
	}
	defer done()
	in, name, err := cli.Input(tool, f.File)
	if err != nil {
		return err
	}
	defer in.Close()
	return tune.Run(turnsReader(in, name, tool, o), stream.NewWriter[stream.Policy](tool.Stdout), tuner)
}

// turnsReader reads turns, which have the utilisation if that is needed.
func turnsReader(in io.Reader, name string, tool cli.IO, o tune.Options) *stream.Reader[stream.Turn] {
	util := stream.Hint("util_pct", "--util PCT gives it")
	if o.UtilPct != nil || o.Params.NoOverload {
		util = stream.Optional("util_pct")
	}
	return stream.NewReader[stream.Turn](in, name, stream.WarnTo(tool.Messages()), util)
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
		cli.Description("Learn a policy from the turns of SRPT: turns in, policy out. Or judge predictors by them."))
}
