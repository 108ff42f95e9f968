package load

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// loader is a process that loads a policy at the default pins, not yet started.
func loader(t *testing.T, policy *Table) *exec.Cmd {
	t.Helper()
	cmd := body(t, "alps-load", "load", DefaultPins)
	cmd.Stdin = strings.NewReader(policyText(t, policy))
	cmd.Stderr = nil
	return cmd
}

// killPoints spreads delays over somewhat more than a run of the loader takes
// here, so that it is killed everywhere on its way, and also when it is done.
func killPoints(n int, run time.Duration) []time.Duration {
	points := make([]time.Duration, n)
	for i := range points {
		points[i] = run * time.Duration(i) * 11 / time.Duration(n*10)
	}
	return points
}

// settle waits until the kernel has dropped what a killed loader held, and
// tells whether the scheduler is in charge.
func settle(t *testing.T, o Options) (inForce bool) {
	t.Helper()
	eventually(t, "the scheduler is in charge whole or not at all", func() bool {
		status, err := o.Status()
		if err != nil {
			t.Fatal(err)
		}
		inForce = status.InForce
		return inForce || schedExtState(t) == "disabled"
	})
	return inForce
}

// runLoader runs a loader to its end and returns how long that took.
func runLoader(t *testing.T, policy *Table) time.Duration {
	t.Helper()
	before := time.Now()
	if err := loader(t, policy).Run(); err != nil {
		t.Fatal(err)
	}
	return time.Since(before)
}

// runAndKill starts a loader and kills it after a while.
func runAndKill(t *testing.T, policy *Table, after time.Duration) {
	t.Helper()
	cmd := loader(t, policy)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	kill(cmd)
}

func TestKilledWhileAttaching(t *testing.T) {
	o := guest(t)
	policy := ranks(t, 1, "comm:a", "comm:b")
	run := runLoader(t, policy)
	const kills = 8
	whole := 0
	for _, after := range killPoints(kills, run) {
		if _, err := o.Unload(); err != nil {
			t.Fatal(err)
		}
		runAndKill(t, policy, after)
		running := settle(t, o)
		if running {
			whole++
			inForce(t, o, policy)
		}
		if attached := load(t, o, policy); attached == running {
			t.Errorf("killed after %v: in force %v, but the next load attached %v", after, running, attached)
		}
		inForce(t, o, policy)
	}
	t.Logf("of %d loaders killed over %v, %d had attached", kills, run.Round(time.Millisecond), whole)
}

func TestKilledWhileReplacing(t *testing.T) {
	o := guest(t)
	// Long texts, so that there is time to be killed in the writing.
	policies := make([]*Table, 2)
	for i := range policies {
		var keys []string
		for k := range 400 + i {
			keys = append(keys, fmt.Sprintf("cgroup:/alps-test/p%d-%d", i, k))
		}
		policies[i] = ranks(t, 1, keys...)
	}
	load(t, o, policies[0])
	run := runLoader(t, policies[1])
	const kills = 24
	last, changed := 1, 0
	for _, after := range killPoints(kills, run) {
		runAndKill(t, policies[1-last], after)
		dump, err := o.Dump()
		if err != nil {
			t.Fatalf("killed after %v: %v", after, err)
		}
		if string(dump) == policyText(t, policies[1-last]) {
			last, changed = 1-last, changed+1
		}
		inForce(t, o, policies[last])
		load(t, o, policies[last])
		inForce(t, o, policies[last])
	}
	t.Logf("of %d loaders killed over %v, %d had replaced the policy", kills, run.Round(time.Millisecond), changed)
}

// What a loader or an unloader leaves that was killed half-way: some pins, but
// not the link's. Load begins anew, and unload clears it away.
func TestDebris(t *testing.T) {
	o := guest(t)
	policy := ranks(t, 1, "comm:a")
	load(t, o, policy)
	for _, gone := range [][]string{{pinLink}, {pinLink, pinPolicy}, {pinLink, pinPolicy, pinTexts, pinCounters, pinLeft}} {
		makeDebris(t, o, gone...)
		status, err := o.Status()
		if err != nil || status.InForce || status.Pinned {
			t.Errorf("without %v: status %+v, %v", gone, status, err)
		}
		if !load(t, o, policy) {
			t.Errorf("without %v: it did not attach", gone)
		}
		inForce(t, o, policy)
	}
	makeDebris(t, o, pinLink, pinTexts)
	if removed, err := o.Unload(); !removed || err != nil {
		t.Errorf("unload says %v, %v", removed, err)
	}
	nothingLeft(t, o)
}

// makeDebris removes pins, the link's among them.
func makeDebris(t *testing.T, o Options, gone ...string) {
	t.Helper()
	for _, name := range gone {
		if err := os.Remove(filepath.Join(o.Pins, name)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the kernel's own scheduler is in charge", func() bool { return schedExtState(t) == "disabled" })
}

// The stage before is killed within a window: nothing of that window counts.
func TestUpstreamKilled(t *testing.T) {
	o := guest(t)
	first := ranks(t, 1, "comm:a")
	text := strings.TrimPrefix(policyText(t, ranks(t, 2, "comm:b", "comm:c", "comm:d")), policyText(t, &Table{}))
	for what, part := range map[string]string{
		"after a row":     text[:strings.Index(text, "\n")+1],
		"within a row":    text[:strings.LastIndex(text, "comm:d")],
		"before a number": text[:len(text)-1],
	} {
		t.Run(what, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "policy.csv")
			if err := os.WriteFile(file, []byte(policyText(t, first)+part), 0o644); err != nil {
				t.Fatal(err)
			}
			upstream := body(t, "alps-tune", "write", file)
			pipe, err := upstream.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			tool := loader(t, first)
			var messages strings.Builder
			tool.Stdin, tool.Stderr = pipe, &messages
			start(t, "", upstream)
			start(t, "", tool)
			eventually(t, "the first window is in force", func() bool {
				running, _ := o.running()
				return running
			})
			upstream.Process.Kill()
			if err := tool.Wait(); err == nil || tool.ProcessState.ExitCode() != 1 {
				t.Errorf("the loader ended with %v, want 1", tool.ProcessState)
			}
			if !strings.Contains(messages.String(), "alps-load: stdin:") || strings.Count(messages.String(), "\n") > 2 {
				t.Errorf("messages: %s", &messages)
			}
			inForce(t, o, first)
		})
	}
}
