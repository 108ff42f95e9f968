package main

import (
	"flag"
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

var update = flag.Bool("u", false, "rewrite the expected output in testdata/import")

// TestImport runs scripts with small files in each format. They are built
// tools, for the stages after it are needed too.
func TestImport(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "alps/cmd/alps-collect", "alps/cmd/alps-sim", "alps/cmd/alps-tune")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "../../testdata/import",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
			return nil
		},
	})
}
