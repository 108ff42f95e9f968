package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/tools/txtar"
)

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

// TestImportUserPage: the user page has all flags, and shows what example.txtar
// runs and compares.
func TestImportUserPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/alps-collect.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n## Import\n")
	help := run(t, self(t, "alps-collect", "tool", "import", "--help"))
	flags := regexp.MustCompile(`(?m)^ +(?:-h, )?(--[a-z-]+)`).FindAllStringSubmatch(help.stdout, -1)
	if len(flags) < 12 {
		t.Errorf("--help has only the flags %v", flags)
	}
	for _, flag := range flags {
		if flag[1] != "--help" && flag[1] != "--version" && !strings.Contains(section, "| `"+flag[1]+" ") && !strings.Contains(section, "| `"+flag[1]+"`") {
			t.Errorf("docs/alps-collect.md does not list %s", flag[1])
		}
	}
	example, err := txtar.ParseFile("../../testdata/import/example.txtar")
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
		if !strings.Contains(section, text) {
			t.Errorf("docs/alps-collect.md does not show what example.txtar has:\n%s", text)
		}
	}
}
