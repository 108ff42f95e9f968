package platforms

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"alps/internal/stream"
)

var (
	tool     string // alps-collect
	function string // the CGI program
)

// binEnv names a directory that has the four tools and the function, for where
// there is no compiler.
const binEnv = "ALPS_PLATFORMS_BIN"

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if bin := os.Getenv(binEnv); bin != "" {
			tool, function = filepath.Join(bin, "alps-collect"), filepath.Join(bin, "function")
			return m.Run()
		}
		bin, err := os.MkdirTemp("", "alps-platforms")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(bin)
		build := exec.Command("go", "build", "-o", bin, "alps/cmd/alps-collect", "alps/internal/platforms/function")
		build.Env = append(os.Environ(), "CGO_ENABLED=0") // the function runs where there are no libraries
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %v\n%s", build, err, out)
			return 1
		}
		tool, function = filepath.Join(bin, "alps-collect"), filepath.Join(bin, "function")
		return m.Run()
	}())
}

// heavy skips a test that make test leaves out.
func heavy(t *testing.T) {
	t.Helper()
	if os.Getenv("ALPS_PLATFORMS") == "" {
		t.Skip("make test-platforms runs it")
	}
}

// lifeSeconds bounds the life of whatever a test starts: also if the test is
// killed, it ends.
const lifeSeconds = 120

// deployment is a function that is deployed and how it is called.
type deployment struct {
	class, key string
	leftOut    bool          // by the rules: no class
	burn       time.Duration // of a call, at least
	elsewhere  float64       // part of what a call says that may not be in its row
	eventLoop  bool          // several calls at once may be one row
	calls      int
	parallel   int    // calls at a time
	pid        int    // a process in its network namespace
	url        string // there
}

// call asks the function once. It answers with the CPU time that the kernel says
// a call has used.
func (d *deployment) call(client *http.Client, url string) (time.Duration, error) {
	answer, err := client.Get(url)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<10))
	if err != nil {
		return 0, err
	}
	ns, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s, %q", url, answer.Status, text)
	}
	return time.Duration(ns), nil
}

// client makes a connection for each call.
func (d *deployment) client() *http.Client {
	return &http.Client{Timeout: patience, Transport: &http.Transport{DialContext: dialer(d.pid), DisableKeepAlives: true}}
}

// await waits until the server answers, whatever it says.
func (d *deployment) await(t *testing.T) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var answer *http.Response
		if answer, err = d.client().Get("http://127.0.0.1:8080/no-such"); err == nil {
			answer.Body.Close()
			return
		}
	}
	t.Fatalf("%s does not answer: %v", d.class, err)
}

// callAll calls all functions at once, and returns the CPU times of the calls of
// each, and how long the answers took.
func callAll(t *testing.T, deployments []*deployment) (used, took [][]time.Duration) {
	t.Helper()
	used, took = make([][]time.Duration, len(deployments)), make([][]time.Duration, len(deployments))
	var mu sync.Mutex
	var all sync.WaitGroup
	for i, d := range deployments {
		numbers := make(chan int, d.calls)
		for n := range d.calls {
			numbers <- n
		}
		close(numbers)
		for range d.parallel {
			all.Go(func() {
				client := d.client()
				for range numbers {
					began := time.Now()
					one, err := d.call(client, d.url)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					used[i] = append(used[i], one)
					took[i] = append(took[i], time.Since(began))
					mu.Unlock()
				}
			})
		}
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return used, took
}

// collecting is alps-collect at work.
type collecting struct {
	cmd    *exec.Cmd
	out    io.Reader
	stderr bytes.Buffer
}

// collect starts alps-collect and waits until it sees all that begins. It skips
// the test where it cannot work.
func collect(t *testing.T, args ...string) *collecting {
	t.Helper()
	c := &collecting{cmd: exec.Command(tool, append(args, fmt.Sprintf("--window=%ds", lifeSeconds), "--count=1")...)}
	c.cmd.Stderr = &c.stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.cmd.Process.Kill()
		c.cmd.Wait()
	})
	reader := bufio.NewReader(out)
	header, err := reader.ReadString('\n')
	if err != nil {
		c.cmd.Wait()
		if strings.Contains(c.stderr.String(), "vmlinux") {
			t.Skip(c.stderr.String())
		}
		t.Fatalf("%v: %v\n%s", c.cmd, err, &c.stderr)
	}
	c.out = io.MultiReader(strings.NewReader(header), reader)
	return c
}

// finish ends it and returns its rows.
func (c *collecting) finish(t *testing.T) []stream.Invocation {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	rows := slices.Concat(readAll[stream.Invocation](t, c.out, "alps-collect")...)
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("%v: %v\n%s", c.cmd, err, &c.stderr)
	}
	return rows
}

// readAll reads the windows of a stream.
func readAll[T stream.Row](t *testing.T, from io.Reader, name string) [][]T {
	t.Helper()
	var windows [][]T
	for reader := stream.NewReader[T](from, name); ; {
		window, err := reader.Next()
		if err == io.EOF {
			return windows
		}
		if err != nil {
			t.Fatal(err)
		}
		windows = append(windows, slices.Clone(window.Rows)) // which the reader uses again
	}
}

// What a row may have beyond what the function says of its call: what it takes to
// answer and to exit, on a busy virtual machine. And what it may lack: the answer
// is of µs.
const (
	overheadPart = 0.1
	overheadCall = 4 * time.Millisecond
	lessPart     = 0.02
	// So the demands of two functions are in proportion, to this.
	leastRatio = 0.6
)

// wantCalls fails the test unless there is exactly one row for each call, of the
// right class and with its CPU time. Rows of others on this machine do not
// matter.
func wantCalls(t *testing.T, kind stream.Kind, rows []stream.Invocation, deployments []*deployment, used [][]time.Duration) {
	t.Helper()
	var got, said []time.Duration // of a call in the mean
	for i, d := range deployments {
		var ours []stream.Invocation
		for _, row := range rows {
			if row.Key == d.key || string(row.Class) == d.class {
				ours = append(ours, row)
			}
		}
		var sum, sumSaid time.Duration
		var wrong []string
		for _, row := range ours {
			sum += time.Duration(row.CPUNs)
			if string(row.Class) != d.class || row.Key != d.key || row.Kind != kind {
				wrong = append(wrong, fmt.Sprintf("class %q, key %q, kind %v, want %q, %q, %v", row.Class, row.Key, row.Kind, d.class, d.key, kind))
			}
			if !row.EndNs.Valid || float64(row.CPUNs) < float64(d.burn)*(1-lessPart-d.elsewhere) || row.EndNs.Nanos < row.ArrivalNs+row.CPUNs*98/100 {
				wrong = append(wrong, fmt.Sprintf("a call of %v has the row %+v", d.burn, row))
			}
		}
		if len(wrong) > 0 {
			t.Errorf("%s: %d rows, of which %d are wrong; the first: %s", d.class, len(ours), len(wrong), wrong[0])
		}
		for _, one := range used[i] {
			sumSaid += one
			if one < d.burn {
				t.Errorf("%s: a call says that it has used %v, want %v", d.class, one, d.burn)
			}
		}
		t.Logf("%s: %d calls say that they used %v, %d rows have %v", d.class, len(used[i]), sumSaid, len(ours), sum)
		fewest, most := d.calls, d.calls
		switch {
		case d.leftOut:
			fewest, most = 0, 0
		case d.eventLoop:
			fewest = (d.calls + d.parallel - 1) / d.parallel
		}
		if len(ours) < fewest || len(ours) > most {
			t.Errorf("%s: %d rows of %d calls, want %d to %d", d.class, len(ours), d.calls, fewest, most)
		}
		if len(ours) == 0 {
			continue
		}
		least := time.Duration(float64(sumSaid) * (1 - lessPart - d.elsewhere))
		greatest := time.Duration(float64(sumSaid)*(1+overheadPart)) + time.Duration(d.calls)*overheadCall
		if sum < least || sum > greatest {
			t.Errorf("%s: rows of %v, want %v to %v", d.class, sum, least, greatest)
		}
		got, said = append(got, sum/time.Duration(d.calls)), append(said, sumSaid/time.Duration(d.calls))
	}
	for i := range got {
		ratio := float64(got[i]) / float64(got[0]) / (float64(said[i]) / float64(said[0]))
		if ratio < leastRatio || ratio > 1/leastRatio {
			t.Errorf("calls of %v and %v in the mean, but they say %v and %v", got[i], got[0], said[i], said[0])
		}
	}
	if t.Failed() {
		t.Logf("%d rows in all", len(rows))
	}
}

// settle waits until the functions do nothing any more: the answer is there before
// the call is over. Then the cgroup uses no CPU time, and for a while so.
func settle(t *testing.T, deployments []*deployment) {
	t.Helper()
	const while = 300 * time.Millisecond
	for _, d := range deployments {
		for deadline := time.Now().Add(patience); ; {
			before := cpuStat(t, d)
			time.Sleep(while)
			if cpuStat(t, d) == before {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: calls do not end", d.class)
			}
		}
	}
}

// cpuStat is what the kernel says of the CPU time of a function's cgroup.
func cpuStat(t *testing.T, d *deployment) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(unified(t), strings.TrimPrefix(d.key, "cgroup:"), "cpu.stat"))
	if err != nil {
		t.Fatal(err)
	}
	usage, _, _ := strings.Cut(string(text), "\n")
	return usage
}

// unified finds where cgroup v2 is mounted.
func unified(t *testing.T) string {
	t.Helper()
	for _, dir := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(dir + "/cgroup.controllers"); err == nil {
			return dir
		}
	}
	t.Skip("no cgroup v2 hierarchy is mounted")
	return ""
}

// measure calls the functions while alps-collect runs, and checks its rows.
func measure(t *testing.T, kind stream.Kind, deployments []*deployment, args ...string) {
	t.Helper()
	for _, d := range deployments {
		d.await(t)
	}
	settle(t, deployments)
	c := collect(t, args...)
	used, _ := callAll(t, deployments)
	settle(t, deployments)
	wantCalls(t, kind, c.finish(t), deployments, used)
	if t.Failed() {
		t.Logf("%v:\n%s", c.cmd, &c.stderr)
	}
}

// bounded is a command that ends with its time, if not before, even if the test
// is killed.
func bounded(ctx context.Context, words ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "timeout", append([]string{"--kill-after=5", strconv.Itoa(lifeSeconds)}, words...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}
