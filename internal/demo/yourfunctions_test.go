package demo

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// yourFunctions runs the script of that name in a copy of the project.
func yourFunctions(t *testing.T, dir string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command("bash", append([]string{filepath.Join(dir, "docs/experiments/your-functions.sh")}, args...)...)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	err = cmd.Run()
	return out.String(), messages.String(), err
}

// A recording of one's own, with names that are not easy, in the directory.
func recording(t *testing.T, dir string) string {
	t.Helper()
	file := filepath.Join(dir, "my recording.csv")
	made, err := exec.Command("bash", "-c", `"$0" generate --classes 3 --invocations 60 --cpus 2 --window 2s --seed 2 | sed 's/,c01,/,"a,b",/; s/,c02,/,x y,/' >"$1"`,
		filepath.Join(dir, "bin/alps-sim"), file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, made)
	}
	return file
}

// Functions of one's own: simulated, then in the machine, the first half teaching.
func TestYourFunctions(t *testing.T) {
	dir := experiments(t)
	file := recording(t, dir)
	stdout, stderr, err := yourFunctions(t, dir, "--out", filepath.Join(dir, "mine"), "--simulate", file)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if got := runs(t, dir); len(got) > 0 {
		t.Errorf("--simulate ran %q", got)
	}
	for _, want := range []string{"60 invocations of 3 classes", "yours, 2 CPUs, load as recorded", "\n| srpt | simulated | ", "\n| alps-paper | "} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if !strings.Contains(stderr, `class "a,b" is called a_b`) {
		t.Errorf("it does not say how a class is called:\n%s", stderr)
	}
	// Three classes are in groups 1, 2 and 3.
	if !regexp.MustCompile(`(?m)^\| cfs \|( [-+][0-9.]+% \|){3} \| [-+][0-9.]+% \|$`).MatchString(stdout) {
		t.Errorf("cfs has not three groups:\n%s", stdout)
	}

	machine, stderr, err := yourFunctions(t, dir, "--out", filepath.Join(dir, "mine"), file)
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if !strings.HasPrefix(machine, stdout) || !regexp.MustCompile(`(?m)^\| sfs \|( -50\.0% \|){3} \| -50\.0% \|$`).MatchString(machine) {
		t.Errorf("the simulation is not the same, or sfs not twice as slow as alps in the machine:\n%s", machine)
	}
	if got := runs(t, dir); len(got) != 8 || got[0] != "teach newest --by-clock" {
		t.Errorf("it ran %q, want teach and 7 contenders", got)
	}
	for name, rows := range map[string]int{
		"simulated.svg": 0, "simulated.md": 0, "simulated.csv": 25, "table.md": 0, "figures.csv": 37, "yours-2-recorded-1.svg": 0,
		"runs/yours/2/recorded/1/teach.csv": 31, "runs/yours/2/recorded/1/trace.csv": 31,
	} {
		text, err := os.ReadFile(filepath.Join(dir, "mine", name))
		if err != nil || rows > 0 && strings.Count(string(text), "\n") != rows {
			t.Errorf("%s: %v, %d lines, want %d", name, err, strings.Count(string(text), "\n"), rows)
		}
	}

	// Once more runs nothing; a part of it would be other runs, which have no place there.
	if again, _, err := yourFunctions(t, dir, "--out", filepath.Join(dir, "mine"), file); err != nil || again != machine || len(runs(t, dir)) > 0 {
		t.Errorf("once more: %v, another table or runs that were done", err)
	}
	_, stderr, err = yourFunctions(t, dir, "--out", filepath.Join(dir, "mine"), "--limit", "40", file)
	if err == nil || !strings.Contains(stderr, "mine has runs of another recording or part") {
		t.Errorf("%v: %s", err, stderr)
	}
	stdout, stderr, err = yourFunctions(t, dir, "--limit", "40", "--cpus", "1", "--utilisation", "80", file)
	if err != nil || !strings.Contains(stdout, "40 invocations of 3 classes") || !strings.Contains(stdout, ": 80% of 1 CPU\n") {
		t.Errorf("%v, stdout %s\n%s", err, stdout, stderr)
	}
	if got := runs(t, dir); len(got) != 9 {
		t.Errorf("on 1 CPU it ran %q, want teach and 8 contenders", got)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "out/your-functions/runs/yours/1/80/1/teach.csv")); strings.Count(string(text), "\n") != 21 {
		t.Errorf("%v: not half of 40 teach:\n%s", err, text)
	}
	if info, err := os.Stat(filepath.Join(dir, "out/your-functions/yours-1-80-1.svg")); err != nil || info.Size() == 0 {
		t.Error("no picture where nothing is said of where: ", err)
	}
}

func TestYourFunctionsRefuses(t *testing.T) {
	dir := experiments(t)
	file := recording(t, dir)
	mod, err := filepath.Abs(filepath.Join(root, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"which file?":                                        {},
		"there is no flag --frob":                            {"--frob", file},
		"--limit takes a value":                              {file, "--limit"},
		"one file at a time":                                 {file, file},
		"No such file or directory":                          {"/nonexistent"},
		"64 CPUs are more than the 4 of the virtual machine": {"--cpus", "64", file},
		"does not say how many CPUs there were":              {mod},
	} {
		_, stderr, err := yourFunctions(t, dir, args...)
		if err == nil || !strings.Contains(stderr, want) {
			t.Errorf("%q: %v: %s", args, err, stderr)
		}
	}
	if got := runs(t, dir); len(got) > 0 {
		t.Errorf("it ran %q", got)
	}
}
