package main

import (
	"flag"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("u", false, "rewrite the expected output in testdata/tune")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"alps-tune": main})
}

// TestScripts also needs the stage before, for the scripts that are pipelines.
func TestScripts(t *testing.T) {
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "alps/cmd/alps-sim")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "../../testdata/tune",
		UpdateScripts: *update,
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+bin)
			return nil
		},
	})
}

// TestUserPage: what example.txtar runs and compares is what the user page
// shows.
func TestUserPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/alps-tune.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := txtar.ParseFile("../../testdata/tune/example.txtar")
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{}
	for line := range strings.Lines(string(example.Comment)) {
		if command, ok := strings.CutPrefix(line, "exec "); ok {
			shown = append(shown, "$ "+command)
		}
	}
	for _, file := range example.Files {
		shown = append(shown, string(file.Data))
	}
	for _, text := range shown {
		if !strings.Contains(string(page), text) {
			t.Errorf("docs/alps-tune.md does not show what example.txtar has:\n%s", text)
		}
	}
}
