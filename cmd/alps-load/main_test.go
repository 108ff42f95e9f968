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

var update = flag.Bool("u", false, "rewrite the expected output in testdata/load")

// inGuest: this is the test machine (docs/vm.md), whose kernel is for the test
// alone and which has neither bash nor a compiler.
var inGuest = os.Getenv("ALPS_VM_GUEST") == "1"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"alps-load": main})
}

// TestScripts also needs the stages before, for the scripts that are
// pipelines.
func TestScripts(t *testing.T) {
	if inGuest {
		t.Skip("for the host; TestGuestScripts is what runs here")
	}
	bin := t.TempDir()
	build := exec.Command("go", "build", "-o", bin, "alps/cmd/alps-sim", "alps/cmd/alps-tune")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", build, err, out)
	}
	testscript.Run(t, testscript.Params{
		Dir:           "../../testdata/load",
		UpdateScripts: *update,
		Condition: func(condition string) (bool, error) {
			_, err := os.Stat("/sys/kernel/sched_ext")
			return condition == "sched_ext" && err == nil, nil
		},
		Setup: func(env *testscript.Env) error {
			env.Setenv("PATH", env.Getenv("PATH")+string(os.PathListSeparator)+bin)
			return nil
		},
	})
}

// TestGuestScripts loads policies into the kernel. The scripts share it, so
// they run one after the other, and each begins with nothing loaded.
func TestGuestScripts(t *testing.T) {
	if !inGuest {
		t.Skip("needs a kernel of its own: go test -exec 'alps-vm test --' (docs/vm.md)")
	}
	testscript.RunT(serial{t}, testscript.Params{Dir: "../../testdata/load/vm"})
}

// serial runs the scripts one after the other.
type serial struct{ *testing.T }

func (serial) Parallel() {}

func (s serial) Verbose() bool { return testing.Verbose() }

func (s serial) Run(name string, f func(testscript.T)) {
	s.T.Run(name, func(t *testing.T) { f(serial{t}) })
}

// TestUserPage: what example.txtar runs and compares is what the user page
// shows.
func TestUserPage(t *testing.T) {
	if inGuest {
		t.Skip("docs is not here")
	}
	page, err := os.ReadFile("../../docs/alps-load.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := txtar.ParseFile("../../testdata/load/vm/example.txtar")
	if err != nil {
		t.Fatal(err)
	}
	shown := []string{}
	for line := range strings.Lines(string(example.Comment)) {
		if command, ok := strings.CutPrefix(strings.TrimPrefix(line, "! "), "exec alps-load "); ok {
			shown = append(shown, "$ alps-load "+command)
		}
	}
	for _, file := range example.Files {
		shown = append(shown, string(file.Data))
	}
	for _, text := range shown {
		if !strings.Contains(string(page), text) {
			t.Errorf("docs/alps-load.md does not show what example.txtar has:\n%s", text)
		}
	}
}
