package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"alps/internal/vm"
)

// readmeBlock returns the fenced block of code that follows the line
// <!-- test: NAME --> of README.md.
func readmeBlock(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	block, err := markedBlock(string(text), name)
	if err != nil {
		t.Fatalf("README.md: %v", err)
	}
	return block
}

func markedBlock(text, name string) (string, error) {
	mark := "<!-- test: " + name + " -->\n"
	_, after, found := strings.Cut("\n"+text, "\n"+mark)
	if !found {
		return "", fmt.Errorf("no line %s", strings.TrimSpace(mark))
	}
	fence, after, _ := strings.Cut(after, "\n")
	block, _, closed := strings.Cut("\n"+after, "\n```\n")
	if !strings.HasPrefix(fence, "```") || !closed {
		return "", fmt.Errorf("no fenced block after %s", strings.TrimSpace(mark))
	}
	return strings.TrimPrefix(block, "\n") + "\n", nil
}

func TestMarkedBlock(t *testing.T) {
	const text = "# A\n\n<!-- test: a -->\n```sh\necho a\n\necho b\n```\n\n<!-- test: open -->\n```sh\necho\n\n<!-- test: text -->\nabc\n"
	if got, err := markedBlock(text, "a"); err != nil || got != "echo a\n\necho b\n" {
		t.Errorf("%q, %v", got, err)
	}
	for _, name := range []string{"b", "open", "text"} {
		if got, err := markedBlock(text, name); err == nil {
			t.Errorf("%s: %q and no error", name, got)
		}
	}
}

// What is offline runs here, in a copy of what it may read.
func TestReadmeOffline(t *testing.T) {
	for _, name := range []string{"compare", "experiment"} {
		t.Run(name, func(t *testing.T) { runOffline(t, readmeBlock(t, name)) })
	}
}

func runOffline(t *testing.T, block string) {
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "testdata/windows"), os.DirFS(filepath.Join(root, "testdata/windows"))); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "-eu", "-c", block)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "PATH="+buildTools(t)+":"+os.Getenv("PATH"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	// sh has no pipefail everywhere, so that a stage that failed shows on
	// stderr only.
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	lines := strings.Split(strings.TrimSpace(string(stdout)), "\n")
	seen := make(map[string]bool)
	for _, line := range lines {
		seen[line] = true
		if !regexp.MustCompile(`[1-9]`).MatchString(line) || strings.Contains(line, "nan") {
			t.Errorf("a line without a figure: %q", line)
		}
	}
	if len(lines) < 2 || len(seen) != len(lines) {
		t.Errorf("an experiment shows how a figure changes; this one printed\n%s", stdout)
	}
	t.Logf("\n%s", stdout)
}

// inMachine is what the scripts below begin with: functions as a platform starts
// them. invoke runs one in the cgroup /fn/NAME and waits for it.
const inMachine = `
set -eu -o pipefail
cd /tmp
mkdir -p /sys/fs/cgroup/fn/a /sys/fs/cgroup/fn/b
cat >function.sh <<'END'
echo $$ >/sys/fs/cgroup/fn/$1/cgroup.procs
exec seq 1 $2
END
invoke() { sh function.sh "$@" >/dev/null; }
forced() { # what must be in force: the classes of the functions
	alps-load status | tee status.txt >&2
	grep -qx 'state in force' status.txt
	alps-load dump >dump.csv
	grep -q ',a,cgroup:/fn/a,0,' dump.csv
	grep -q ',b,cgroup:/fn/b,0,' dump.csv
}
end() {
	alps-load unload
	test "$(cat /sys/kernel/sched_ext/state)" = disabled
}
`

// TestReadmePipe runs the endless pipe as it stands, with functions going on,
// and ends it as Ctrl-C does: alps-collect writes its window, the rest follows.
func TestReadmePipe(t *testing.T) {
	needMachine(t)
	t.Parallel()
	runInMachine(t, readmeBlock(t, "pipe"), inMachine+`
sh -eu -o pipefail /block >block.out 2>&1 &
block=$!
for second in 1 2 3 4 5; do # alps-collect attaches in the first of them
	sleep 1
	invoke a 100
	invoke b 10000
done
kill -0 $block
killall -INT alps-collect
wait $block || { cat block.out >&2; exit 1; }
forced
end
`)
}

// TestReadmeCron runs the job twice, as cron would in two minutes, with shorter
// windows; the first time there is no state.
func TestReadmeCron(t *testing.T) {
	needMachine(t)
	t.Parallel()
	command, err := cronCommand(readmeBlock(t, "cron"))
	if err != nil {
		t.Fatal(err)
	}
	short := strings.Replace(command, "--window 50s", "--window 2s", 1)
	if short == command {
		t.Fatalf("no --window 50s to shorten: %s", command)
	}
	runInMachine(t, short, inMachine+`
mkdir -p /var/lib/alps
for minute in 1 2; do
	sh /block &
	job=$!
	for part in 1 2 3 4 5 6; do
		sleep 0.25
		invoke a 100
		invoke b 10000
	done
	wait $job
	forced
	# The slices in force are those that the next job goes on from.
	awk -F, 'NR > 1 && $5 == 0 { print $3 "," $7 }' dump.csv | sort -u >in-force.csv
	awk -F, '$3 == "policy" { print $4 "," $7 }' /var/lib/alps/state.csv | sort -u | cmp - in-force.csv
done
# The second job knew the slices of the first.
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "last_ns") last = i; next }
	$last > 0 { n++ } END { exit !n }' dump.csv
end
`)
}

// cronCommand returns the command of a block that is one line of /etc/crontab.
func cronCommand(block string) (string, error) {
	fields := strings.SplitN(strings.TrimSpace(block), " ", 7)
	if len(fields) != 7 || strings.Contains(block[:len(block)-1], "\n") {
		return "", fmt.Errorf("not five times, a user and a command in one line: %s", block)
	}
	if strings.Contains(fields[6], "%") {
		return "", fmt.Errorf("cron takes %% for a line end: %s", block)
	}
	return fields[6], nil
}

func TestCronCommand(t *testing.T) {
	if got, err := cronCommand("*/5 * * * * root cd /x && a | b\n"); err != nil || got != "cd /x && a | b" {
		t.Errorf("%q, %v", got, err)
	}
	for _, block := range []string{"* * * * * root\n", "* * * * * root a\n* * * * * root b\n", "* * * * * root date +%s\n"} {
		if got, err := cronCommand(block); err == nil {
			t.Errorf("%q: %q and no error", block, got)
		}
	}
}

// runInMachine runs a script in the machine, where the tools are in the PATH and
// the block is the file /block.
func runInMachine(t *testing.T, block, script string) {
	t.Helper()
	bin, dir := buildTools(t), t.TempDir()
	for name, text := range map[string]string{"block": block, "script": script} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := vm.Machine{
		Shell: true, VirtualTime: true, Shift: virtualShift, Stdout: t.Output(), Stderr: t.Output(), Timeout: 5 * time.Minute,
		Files: []vm.File{{Host: filepath.Join(dir, "block")}, {Host: filepath.Join(dir, "script")}},
	}
	for _, tool := range tools {
		m.Files = append(m.Files, vm.File{Host: filepath.Join(bin, tool), Guest: "/usr/bin/" + tool})
	}
	status, err := m.Run(t.Context(), "sh", "/script")
	if err != nil {
		t.Fatal(err)
	}
	if status != 0 {
		t.Errorf("the script ended with status %d", status)
	}
}
