package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// flags are those of a tool that has one of each kind.
type flags struct {
	File   string        `arg:"" optional:"" help:"What to read."`
	Window time.Duration `default:"60s" help:"How long."`
	Count  int           `help:"How many."`
	CPUs   uint8         `name:"cpus" help:"On how many CPUs."`
	Alpha  float64       `default:"1" help:"Factor."`
}

// result is what a run of a tool left behind.
type result struct {
	code           int
	stdout, stderr string
}

// call runs a tool in-process.
func call(cmd any, run RunFunc, args ...string) result {
	var stdout, stderr strings.Builder
	io := IO{Stdin: strings.NewReader("input"), Stdout: &stdout, Stderr: &stderr}
	code := Run(context.Background(), "alps-test", args, io, cmd, run, Description("Tests."))
	return result{code, stdout.String(), stderr.String()}
}

func TestRunGivesTheToolItsFlagsAndStreams(t *testing.T) {
	var got flags
	res := call(&got, func(_ context.Context, tool IO) error {
		in, err := io.ReadAll(tool.Stdin)
		fmt.Fprintf(tool.Stdout, "%s of %s\n", in, tool.Name)
		fmt.Fprintln(tool.Stderr, "warning")
		return err
	}, "in.csv", "--window=1m30s", "--count=-3", "--cpus=255", "--alpha", "0.5")
	if want := (result{0, "input of alps-test\n", "warning\n"}); res != want {
		t.Errorf("got %+v, want %+v", res, want)
	}
	if want := (flags{"in.csv", 90 * time.Second, -3, 255, 0.5}); got != want {
		t.Errorf("flags %+v, want %+v", got, want)
	}
}

func TestRunReportsErrors(t *testing.T) {
	res := call(&flags{}, func(context.Context, IO) error { return errors.New("stdin:42: cpu_ns: no") })
	if want := (result{1, "", "alps-test: stdin:42: cpu_ns: no\n"}); res != want {
		t.Errorf("got %+v, want %+v", res, want)
	}
	res = call(&flags{}, func(context.Context, IO) error {
		return fmt.Errorf("checking: %w", Usagef("--count and --window exclude each other"))
	})
	if want := (result{2, "", "alps-test: checking: --count and --window exclude each other\nalps-test --help lists what it takes\n"}); res != want {
		t.Errorf("got %+v, want %+v", res, want)
	}
}

func TestRunRefusesWrongUsage(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"--nope"}, "unknown flag --nope"},
		{[]string{"a", "b"}, "unexpected argument b"},
		{[]string{"--window"}, "--window: expected duration value"},
		{[]string{"--window=-5s"}, `--window: "-5s" is negative`},
		{[]string{"--window=5"}, `--window: "5" is not a duration such as 60s, 1m30s or 6ms`},
		{[]string{"--count=010"}, `--count: "010" is not a whole number of 64 bits`},
		{[]string{"--count=0x10"}, `--count: "0x10" is not a whole number of 64 bits`},
		{[]string{"--count=1_000"}, `--count: "1_000" is not a whole number of 64 bits`},
		{[]string{"--count=+1"}, `--count: "+1" is not a whole number of 64 bits`},
		{[]string{"--count=1.5"}, `--count: "1.5" is not a whole number of 64 bits`},
		{[]string{"--count="}, `--count: "" is not a whole number of 64 bits`},
		{[]string{"--cpus=256"}, `--cpus: "256" is not a whole number from 0 to 255`},
		{[]string{"--cpus=-1"}, `--cpus: "-1" is not a whole number from 0 to 255`},
		{[]string{"--alpha=NaN"}, `--alpha: "NaN" is not a decimal number`},
		{[]string{"--alpha=Inf"}, `--alpha: "Inf" is not a decimal number`},
		{[]string{"--alpha=1e3"}, `--alpha: "1e3" is not a decimal number`},
		{[]string{"--alpha=0x1p1"}, `--alpha: "0x1p1" is not a decimal number`},
	}
	for _, test := range tests {
		ran := false
		res := call(&flags{}, func(context.Context, IO) error { ran = true; return nil }, test.args...)
		if res.code != 2 || ran || res.stdout != "" || !strings.HasPrefix(res.stderr, "alps-test: "+test.want) {
			t.Errorf("%q: %+v, ran %v; want %s", test.args, res, ran, test.want)
		}
	}
}

func TestRunPrintsHelpAndVersion(t *testing.T) {
	for _, test := range []struct {
		args []string
		want []string
	}{
		{[]string{"--help"}, []string{"Usage: alps-test [<file>] [flags]", "Tests.", "--window=60s", "--version"}},
		{[]string{"in.csv", "-h"}, []string{"Usage: alps-test"}},
		{[]string{"--version"}, []string{"alps-test "}},
	} {
		res := call(&flags{}, func(context.Context, IO) error { return errors.New("ran") }, test.args...)
		if res.code != 0 || res.stderr != "" {
			t.Errorf("%q: %+v", test.args, res)
		}
		for _, want := range test.want {
			if !strings.Contains(res.stdout, want) {
				t.Errorf("%q: no %q in\n%s", test.args, want, res.stdout)
			}
		}
	}
}

func TestRunTellsTheSubcommand(t *testing.T) {
	type commands struct {
		Load struct {
			File string `arg:"" optional:""`
		} `cmd:"" default:"withargs" help:"Load."`
		Unload struct{} `cmd:"" help:"Unload."`
	}
	for args, want := range map[string]string{"": "load", "p.csv": "load", "load p.csv": "load", "unload": "unload"} {
		var got string
		res := call(&commands{}, func(_ context.Context, tool IO) error { got = tool.Command; return nil }, strings.Fields(args)...)
		if res.code != 0 || got != want {
			t.Errorf("%q: command %q, want %q; %+v", args, got, want, res)
		}
	}
}

// A reader that goes away is no error of the tool; a pipe of its own that
// breaks is one.
func TestRunEndsQuietlyWhenStdoutIsClosed(t *testing.T) {
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	in.Close()
	run := func(stdout io.Writer, tool RunFunc) result {
		var stderr strings.Builder
		code := Run(context.Background(), "alps-test", nil, IO{Stdout: stdout, Stderr: &stderr}, &flags{}, tool)
		return result{code: code, stderr: stderr.String()}
	}
	write := func(_ context.Context, tool IO) error {
		if _, err := io.WriteString(tool.Stdout, "row\n"); err != nil {
			return fmt.Errorf("writing: %w", err)
		}
		return nil
	}
	if got := run(out, write); got != (result{}) {
		t.Errorf("pipe: got %+v", got)
	}
	closed, memory := io.Pipe()
	closed.Close()
	if got := run(memory, write); got != (result{}) {
		t.Errorf("pipe in memory: got %+v", got)
	}
	other := func(context.Context, IO) error { return fmt.Errorf("talking to the daemon: %w", syscall.EPIPE) }
	if got := run(io.Discard, other); got.code != 1 || got.stderr != "alps-test: talking to the daemon: broken pipe\n" {
		t.Errorf("another pipe: got %+v", got)
	}
	later := func(ctx context.Context, tool IO) error {
		_ = write(ctx, tool)
		return errors.New("the disk is gone")
	}
	if got := run(out, later); got.code != 1 {
		t.Errorf("another error after it: got %+v", got)
	}
}

func TestInput(t *testing.T) {
	tool := IO{Stdin: strings.NewReader("from stdin")}
	file := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(file, []byte("from file"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ file, name, text string }{
		{"-", "stdin", "from stdin"},
		{"", "stdin", ""},
		{file, file, "from file"},
	} {
		in, name, err := Input(tool, test.file)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if name != test.name || string(text) != test.text || err != nil || in.Close() != nil {
			t.Errorf("%q: name %q, text %q, error %v", test.file, name, text, err)
		}
	}
	if _, _, err := Input(tool, file+".gone"); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v", err)
	}
}

func TestMessagesCarryTheName(t *testing.T) {
	var stderr strings.Builder
	messages := IO{Name: "alps-sim", Stderr: &stderr}.Messages()
	if n, err := fmt.Fprint(messages, "stdin:1: one\n", "two\n"); n != 17 || err != nil {
		t.Errorf("wrote %d, error %v", n, err)
	}
	if want := "alps-sim: stdin:1: one\nalps-sim: two\n"; stderr.String() != want {
		t.Errorf("got %q, want %q", stderr.String(), want)
	}
}

func TestDurationsDoNotOverflow(t *testing.T) {
	res := call(&flags{}, func(context.Context, IO) error { return nil }, fmt.Sprintf("--window=%dh", math.MaxInt64))
	if res.code != 2 {
		t.Errorf("got %+v", res)
	}
}
