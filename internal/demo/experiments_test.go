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

// experiments returns a copy of the project with the scripts of the
// experiments, the tools, and a stand-in for the virtual machine.
func experiments(t *testing.T) string {
	t.Helper()
	dir, bin := t.TempDir(), buildTools(t)
	if err := os.CopyFS(filepath.Join(dir, "docs/experiments"), os.DirFS(filepath.Join(root, "docs/experiments"))); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin")+"/", "./internal/cmd/alps-workload")
	build.Dir = root
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, tool := range tools {
		if err := os.Symlink(filepath.Join(bin, tool), filepath.Join(dir, "bin", tool)); err != nil {
			t.Fatal(err)
		}
	}
	machine, err := filepath.Abs("testdata/fake-vm.sh")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(machine, filepath.Join(dir, "bin/alps-vm")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// script runs one of the experiments' scripts in such a copy.
func script(t *testing.T, dir, name string, env ...string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.Command("bash", append([]string{filepath.Join(dir, "docs/experiments", strings.Fields(name)[0])}, strings.Fields(name)[1:]...)...)
	cmd.Env = append(os.Environ(), append([]string{"ALPS_TRACES=/nonexistent"}, env...)...)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	err = cmd.Run()
	return out.String(), messages.String(), err
}

// runs returns what was run in the stand-in for the machine, and forgets it.
func runs(t *testing.T, dir string) []string {
	t.Helper()
	file := filepath.Join(dir, "runs.log")
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	os.Remove(file)
	return strings.FieldsFunc(string(text), func(r rune) bool { return r == '\n' })
}

// A set that is stopped goes on where it was, and one that is done runs nothing.
func TestExperimentsGoOn(t *testing.T) {
	dir := experiments(t)
	_, stderr, err := script(t, dir, "run.sh quick", "FAIL=sfs")
	if err == nil {
		t.Error("a run failed, but not the experiment")
	}
	if !strings.Contains(stderr, "no published traces in /nonexistent") {
		t.Errorf("it does not say that it goes without published traces:\n%s", stderr)
	}
	got, want := runs(t, dir), []string{
		"teach newest ", "cfs-6.1 6.1 --loops-per-ms 1234", "eevdf-oldest oldest --loops-per-ms 1234",
		"eevdf-newest newest --loops-per-ms 1234", "slices newest --loops-per-ms 1234", "sfs 6.1 --loops-per-ms 1234",
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("it ran %q, want %q", got, want)
	}

	stdout, stderr, err := script(t, dir, "run.sh quick")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	if got := runs(t, dir); len(got) != 4 || !strings.HasPrefix(got[0], "sfs 6.1") || !strings.HasPrefix(got[3], "alps newest") {
		t.Errorf("it went on with %q, want sfs and the three after it", got)
	}
	checkMainTable(t, stdout)
	for _, name := range []string{"figures.csv", "table.md", "poisson-1-90-1.svg"} {
		if info, err := os.Stat(filepath.Join(dir, "docs/experiments/results/quick", name)); err != nil || info.Size() == 0 {
			t.Errorf("%s is missing or empty (%v)", name, err)
		}
	}

	again, stderr, err := script(t, dir, "run.sh quick")
	if err != nil || again != stdout || len(runs(t, dir)) > 0 {
		t.Errorf("once more: %v, another table or runs that were done\n%s", err, stderr)
	}
}

// checkMainTable checks the table of a run in the stand-in, which takes half as
// long under alps as under all others.
func checkMainTable(t *testing.T, text string) {
	t.Helper()
	narrower := regexp.MustCompile(`(?m)^\| (cfs-6.1|eevdf-oldest|eevdf-newest|slices|sfs|alps-paper|alps-demand) \|( -50\.0% \|){5}$`)
	if got := len(narrower.FindAllString(text, -1)); got != 7 {
		t.Errorf("%d contenders are twice as slow as alps in all groups, want 7:\n%s", got, text)
	}
	for _, want := range []string{
		"poisson, 1 CPU, 90% load, seed 1, commit unknown", "\n| bound |  | ", "\n| oracle |  | ", "\n| alps | 6.newest | ", "\n| cfs-6.1 | 6.6.1 | ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "nan") || strings.Contains(text, "inf") {
		t.Errorf("a figure is missing:\n%s", text)
	}
}

// On several CPUs, what cannot be had there is left out.
func TestExperimentsSeveralCPUs(t *testing.T) {
	dir := experiments(t)
	stdout, stderr, err := script(t, dir, "main.sh", "NAME=two", "WORKLOADS=steady", "CPUS=2", "LOADS=50", "SEEDS=3")
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	got := strings.Join(runs(t, dir), "\n")
	if strings.Contains(got, "cfs-6.1") || !strings.Contains(got, "\nsfs oldest --loops-per-ms 1234 --by-clock") {
		t.Errorf("it ran\n%s", got)
	}
	if !strings.Contains(stdout, "steady, 2 CPUs, 50% load, seed 3") || strings.Contains(stdout, "cfs-6.1") {
		t.Errorf("the table is\n%s", stdout)
	}
}

func TestExperimentsRefuse(t *testing.T) {
	dir := experiments(t)
	_, stderr, err := script(t, dir, "run.sh quick frob")
	if err == nil || !strings.Contains(stderr, "run.sh: there is no experiment frob") {
		t.Errorf("%v: %s", err, stderr)
	}
	if len(runs(t, dir)) > 0 {
		t.Error("it began before it looked at all names")
	}
}
