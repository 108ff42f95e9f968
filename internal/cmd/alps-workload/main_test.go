package main

import (
	"bytes"
	"context"
	"flag"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"alps/internal/cli"
	"alps/internal/workload"
)

var update = flag.Bool("u", false, "rewrite the expected output in the scripts")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"alps-workload": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata", UpdateScripts: *update})
}

// The defaults of the flags stand in two places.
func TestGenerateDefaults(t *testing.T) {
	var flags commands
	var stdout, stderr, want bytes.Buffer
	code := cli.Run(context.Background(), "alps-workload", []string{"generate"},
		cli.IO{Stdout: &stdout, Stderr: &stderr}, &flags, flags.run)
	if code != 0 {
		t.Fatalf("exit %d: %s", code, &stderr)
	}
	trace, err := workload.Generate(workload.DefaultSynthetic)
	if err != nil {
		t.Fatal(err)
	}
	if err := trace.Write(&want); err != nil {
		t.Fatal(err)
	}
	if stdout.String() != want.String() {
		t.Error("the defaults of the flags are not those of DefaultSynthetic")
	}
}
