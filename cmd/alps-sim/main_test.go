package main

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/tools/txtar"
)

var update = flag.Bool("u", false, "rewrite the expected output in testdata/sim")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"alps-sim": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "../../testdata/sim", UpdateScripts: *update})
}

// TestUserPage: what example.txtar runs and compares is what the user page
// shows.
func TestUserPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/alps-sim.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := txtar.ParseFile("../../testdata/sim/example.txtar")
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
			t.Errorf("docs/alps-sim.md does not show what example.txtar has:\n%s", text)
		}
	}
}
