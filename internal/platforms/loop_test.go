package platforms

import (
	"bytes"
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"alps/internal/stream"
)

// inGuest: this is the test machine (docs/vm.md), whose kernel is for the test
// alone. It has neither a compiler nor Debian's packages but those that it was
// given.
var inGuest = os.Getenv("ALPS_VM_GUEST") == "1"

// pipeline is the loop as an operator would write it, with windows that are over
// soon and all of them to learn from.
const pipeline = `set -eu -o pipefail
alps-collect --rules=default --window=1s | tee invocations.csv |
	alps-sim | tee turns.csv |
	alps-tune --history=1000 | tee policy.csv |
	alps-load`

const (
	// learningRounds bounds for how many rounds of calls the first policies may
	// keep one waiting. Seen: 3.
	learningRounds = 10
	// A short function's mean turnaround under ALPS over that under the kernel's
	// own scheduler, at most. Seen: 0.5.
	shorterAtLeast = 0.75
)

// The whole loop over functions in containers of runc, short and long ones that
// are called at once: the policies learnt of them are loaded while calls go on,
// the last ones are made under them, and are answered sooner where the function is
// short. Only virtual time says that.
func TestWholeLoop(t *testing.T) {
	if !inGuest || os.Getenv("ALPS_VIRTUAL_TIME") == "" {
		t.Skip("needs a kernel of its own with runc, in virtual time: make test-vm")
	}
	root := functionRoot(t)
	short := []*deployment{
		deployNamed(t, root, "alps-test-thumb", 10*time.Millisecond, 20),
		deployNamed(t, root, "alps-test-resize", 10*time.Millisecond, 20),
	}
	long := []*deployment{
		deployNamed(t, root, "alps-test-train", 300*time.Millisecond, 3),
		deployNamed(t, root, "alps-test-report", 300*time.Millisecond, 3),
	}
	all := append(short[:len(short):len(short)], long...)
	for _, d := range all {
		d.await(t)
	}
	_, before := callAll(t, all)
	settle(t, all)

	l := startLoop(t)
	used := make([][]time.Duration, len(all))
	rounds := 0
	round := func() [][]time.Duration {
		rounds++
		ns, took := callAll(t, all)
		for i := range all {
			used[i] = append(used[i], ns[i]...)
		}
		return took
	}
	for !l.inForce(t, all) {
		if rounds == learningRounds {
			t.Fatalf("no policy with all functions is in force after %d rounds of calls", rounds)
		}
		round()
	}
	w := l.watch(t)
	after := round()
	settle(t, all)
	w.wantTurns(t, all)
	l.end(t)

	t.Logf("%d rounds of calls", rounds)
	for _, d := range all {
		d.calls *= rounds
	}
	l.wantStreams(t, all, used)
	l.wantRanks(t, short, long)
	l.wantInForce(t)
	for i, d := range all {
		kernels, alps := mean(before[i]), mean(after[i])
		t.Logf("%s: a call took %v under the kernel's own scheduler, %v under ALPS", d.class, kernels, alps)
		if i < len(short) && float64(alps) > shorterAtLeast*float64(kernels) {
			t.Errorf("%s: a call took %v under ALPS, want at most %.2f times %v", d.class, alps, shorterAtLeast, kernels)
		}
	}

	run(t, l.program("alps-load"), "unload")
	wantState(t, "disabled")
}

// deployNamed starts a container with a function that faasd would give the name.
func deployNamed(t *testing.T, root, name string, burn time.Duration, calls int) *deployment {
	t.Helper()
	d := deployRunc(t, root, name, "/openfaas-fn/"+name, burn)
	d.class, d.calls, d.parallel = name, calls, 2
	return d
}

// loop is the pipeline at work.
type loop struct {
	dir    string // of its streams
	cmd    *exec.Cmd
	stderr bytes.Buffer
}

// startLoop starts the pipeline and waits until alps-collect sees all that begins.
func startLoop(t *testing.T) *loop {
	t.Helper()
	wantState(t, "disabled")
	l := &loop{dir: t.TempDir(), cmd: exec.Command("sh", "-c", pipeline)}
	l.cmd.Dir, l.cmd.Stderr = l.dir, &l.stderr
	l.cmd.Env = append(os.Environ(), "PATH="+filepath.Dir(tool)+":"+os.Getenv("PATH"))
	l.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-l.cmd.Process.Pid, syscall.SIGKILL)
		l.cmd.Wait()
		if t.Failed() {
			t.Logf("the pipeline:\n%s", &l.stderr)
		}
	})
	awaitText(t, filepath.Join(l.dir, "invocations.csv"))
	return l
}

// awaitText waits until something is written to a file: a tool's header.
func awaitText(t *testing.T, file string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if info, err := os.Stat(file); err == nil && info.Size() > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing is written to %s", filepath.Base(file))
		}
	}
}

func (l *loop) program(name string) string { return filepath.Join(filepath.Dir(tool), name) }

// end ends alps-collect, and with its input each of the others.
func (l *loop) end(t *testing.T) {
	t.Helper()
	run(t, "killall", "alps-collect") // those of this machine
	if err := l.cmd.Wait(); err != nil {
		t.Fatalf("the pipeline: %v", err)
	}
}

// inForce tells whether a policy that has all functions is.
func (l *loop) inForce(t *testing.T, all []*deployment) bool {
	t.Helper()
	has := make(map[string]bool)
	for _, row := range l.dump(t) {
		has[row.Key] = true
	}
	for _, d := range all {
		if !has[d.key] {
			return false
		}
	}
	return true
}

// dump is the policy in force, or nothing if none is.
func (l *loop) dump(t *testing.T) []stream.Policy {
	t.Helper()
	out, err := exec.Command(l.program("alps-load"), "dump").Output()
	if err != nil {
		return nil
	}
	return lastOf(readAll[stream.Policy](t, bytes.NewReader(out), "alps-load dump"))
}

// wantStreams: one row of the right class for each call in the invocations, and
// turns for each.
func (l *loop) wantStreams(t *testing.T, all []*deployment, used [][]time.Duration) {
	t.Helper()
	rows := lastSeen(slices.Concat(readFile[stream.Invocation](t, l, "invocations.csv")...))
	wantCalls(t, stream.Process, rows, all, used)
	type from struct {
		class, key string
		invocation stream.Name
	}
	turns := make(map[from]bool)
	for _, turn := range slices.Concat(readFile[stream.Turn](t, l, "turns.csv")...) {
		turns[from{string(turn.Class), turn.Key, turn.Invocation}] = true
	}
	// All that is here and has a class was called by the test.
	if len(turns) != len(rows) {
		t.Errorf("%d invocations have turns, want %d", len(turns), len(rows))
	}
	for _, row := range rows {
		if row.Lost > 0 {
			t.Errorf("alps-collect lost %d", row.Lost)
		}
		if !turns[from{string(row.Class), row.Key, row.Invocation}] {
			t.Errorf("no turn of this class and key for the row %+v", row)
		}
	}
}

// wantRanks: the last policy serves each short function before each long one.
func (l *loop) wantRanks(t *testing.T, short, long []*deployment) {
	t.Helper()
	ranks := make(map[string]stream.Count) // at the start of an invocation
	for _, row := range lastOf(readFile[stream.Policy](t, l, "policy.csv")) {
		if row.FromNs == 0 {
			ranks[string(row.Class)+" "+row.Key] = row.Rank
		}
	}
	// The fifth is that of functions not known yet.
	if len(ranks) != len(short)+len(long)+1 {
		t.Errorf("the last policy has the ranks %v", ranks)
	}
	for _, s := range short {
		for _, l := range long {
			if a, b := ranks[s.class+" "+s.key], ranks[l.class+" "+l.key]; a == 0 || b == 0 || a >= b {
				t.Errorf("%s has rank %d, and %s %d", s.class, a, l.class, b)
			}
		}
	}
}

// wantInForce: the last policy is, in charge is ALPS, and never was another one
// in between.
func (l *loop) wantInForce(t *testing.T) {
	t.Helper()
	wantState(t, "enabled")
	windows := readFile[stream.Policy](t, l, "policy.csv")
	last := lastOf(windows)
	if dump := l.dump(t); !slices.Equal(dump, last) {
		t.Errorf("in force is\n%+v\nwant\n%+v", dump, last)
	}
	if len(windows) < 2 {
		t.Errorf("%d policies, want one that replaced another", len(windows))
	}
	if attached := strings.Count(l.stderr.String(), "the scheduler is attached"); attached != 1 {
		t.Errorf("the scheduler was attached %d times", attached)
	}
	status := table(t, run(t, l.program("alps-load"), "status", "--csv"))
	if len(status) != 1 {
		t.Fatalf("the status is %v", status)
	}
	keys := make(map[string]bool)
	for _, row := range last {
		keys[row.Key] = true
	}
	for column, want := range map[string]string{
		"state": "in force", "in_charge": "alps", "last_exit": "none", "lost": "0",
		"window": strconv.FormatInt(int64(last[0].Window), 10), "keys": strconv.Itoa(len(keys)),
	} {
		if got := status[0][column]; got != want {
			t.Errorf("status: %s is %q, want %q", column, got, want)
		}
	}
	// What is no function here are the tools, the client and the containers' beginning.
	if unclassed, err := strconv.ParseFloat(status[0]["unclassed_pct"], 64); err != nil || unclassed > 50 {
		t.Errorf("%q%% of the CPU time was of no class (%v)", status[0]["unclassed_pct"], err)
	} else {
		t.Logf("%v%% of the CPU time was of no class", unclassed)
	}
}

// watching is alps-load watch at work.
type watching struct {
	cmd *exec.Cmd
	out string
}

// watch starts alps-load watch.
func (l *loop) watch(t *testing.T) *watching {
	t.Helper()
	w := &watching{exec.Command(l.program("alps-load"), "watch", "--interval=200ms"), filepath.Join(t.TempDir(), "watch.csv")}
	out, err := os.Create(w.out)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	w.cmd.Stdout, w.cmd.Stderr = out, out
	if err := w.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.cmd.Process.Kill()
		w.cmd.Wait()
	})
	awaitText(t, w.out)
	return w
}

// wantTurns ends it: since it began the scheduler gave each class as many turns
// as there were calls, and the CPU time that they took. All of that is over for
// longer than an interval.
func (w *watching) wantTurns(t *testing.T, all []*deployment) {
	t.Helper()
	if err := w.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := w.cmd.Wait()
	text, _ := os.ReadFile(w.out)
	if err != nil {
		t.Fatalf("%v: %v\n%s", w.cmd, err, text)
	}
	rows := table(t, string(text))
	for _, d := range all {
		var turns, ns int64
		for _, row := range rows {
			if row["class"] == d.class && row["key"] == d.key {
				turns += number(t, row["turns"])
				ns += number(t, row["cpu_ns"])
			}
		}
		least := time.Duration(float64(d.calls) * float64(d.burn) * (1 - lessPart))
		if turns < int64(d.calls) || time.Duration(ns) < least {
			t.Errorf("%s: %d turns of %v in all under ALPS, want at least %d, %v", d.class, turns, time.Duration(ns), d.calls, least)
		}
	}
}

// wantState fails the test unless this is what the kernel says of sched_ext.
func wantState(t *testing.T, want string) {
	t.Helper()
	state, err := os.ReadFile("/sys/kernel/sched_ext/state")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(string(state)); got != want {
		t.Fatalf("sched_ext is %s, want %s", got, want)
	}
}

// lastSeen are the rows of invocations as they were last seen.
func lastSeen(rows []stream.Invocation) []stream.Invocation {
	var last []stream.Invocation
	at := make(map[stream.Name]int)
	for _, row := range rows {
		if i, again := at[row.Invocation]; again {
			last[i] = row
			continue
		}
		at[row.Invocation] = len(last)
		last = append(last, row)
	}
	return last
}

// readFile reads the windows of a stream that the loop has written.
func readFile[T stream.Row](t *testing.T, l *loop, name string) [][]T {
	t.Helper()
	file, err := os.Open(filepath.Join(l.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return readAll[T](t, file, name)
}

// lastOf is the last window.
func lastOf[T any](windows [][]T) []T {
	if len(windows) == 0 {
		return nil
	}
	return windows[len(windows)-1]
}

// table reads CSV that is no stream.
func table(t *testing.T, text string) []map[string]string {
	t.Helper()
	records, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatalf("%v:\n%s", err, text)
	}
	if len(records) == 0 {
		t.Fatal("no header")
	}
	var rows []map[string]string
	for _, record := range records[1:] {
		row := make(map[string]string)
		for i, cell := range record {
			row[records[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

func number(t *testing.T, text string) int64 {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func mean(all []time.Duration) time.Duration {
	var sum time.Duration
	for _, one := range all {
		sum += one
	}
	return sum / time.Duration(len(all))
}
