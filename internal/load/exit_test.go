package load

import (
	"encoding/binary"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"alps/internal/cli"
)

func TestCauses(t *testing.T) {
	for _, c := range []struct{ kind, code, word, says string }{
		{"SCX_EXIT_UNREG", "", "unloaded", "its pins were removed"},
		{"SCX_EXIT_UNREG_KERN", "", "kernel", "not for a fault"},
		{"SCX_EXIT_UNREG_KERN", "SCX_ECODE_RSN_HOTPLUG", "hotplug", "a CPU came or went"},
		{"SCX_EXIT_SYSRQ", "", "sysrq", "sysrq-S"},
		{"SCX_EXIT_ERROR", "SCX_ECODE_RSN_HOTPLUG", "error", "at fault"},
		{"SCX_EXIT_ERROR_BPF", "", "bpf_error", "a fault in itself"},
		{"SCX_EXIT_ERROR_STALL", "", "watchdog", "did not for too long"},
		{"SCX_EXIT_LATER", "", "unknown", "does not know"},
		{"", "", "unknown", "does not know"},
	} {
		got := causeOf(c.kind, c.code)
		if got.word != c.word || !strings.Contains(got.means, c.says) || !strings.Contains(got.do, "load a policy to attach it again") {
			t.Errorf("%s, %s: %+v", c.kind, c.code, got)
		}
	}
}

// The columns of status are the same in every state.
func TestStatusFigures(t *testing.T) {
	exit := &Exit{Kind: 1 << 60, Reason: "runnable task stall", Msg: "fn[7], failed to run"}
	now := time.Now()
	counters := Counters{"class_turns": 5, "class_cpu_ns": 875, "system_cpu_ns": 125}
	whole := Status{
		InForce: true, InCharge: Name, Pinned: true, Window: 7, Loaded: now, Classes: 2, Keys: 3,
		MaxAge: time.Minute, Stretch: 4, MaxWait: time.Second, Counters: counters,
	}
	with := func(change func(*Status)) *Status {
		s := whole
		change(&s)
		return &s
	}
	const header = "state,window,age_ms,max_age_ms,classes,keys,stretch,max_wait_ms," +
		"class_turns,system_turns,preemptions,kept,promotions,resolved,lost,class_cpu_ns,system_cpu_ns,system_wait_ns,slices_used_up," +
		"unclassed_pct,in_charge,last_exit,last_exit_reason\n"
	const figures = ",7,0,60000,2,3,4,1000,5,0,0,0,0,0,0,875,125,0,0,12.5,"
	const none = ",,,,,,,,,,,,,,,,,,,"
	for _, c := range []struct {
		s                 *Status
		row, text, faults string
	}{
		{&Status{}, "not loaded" + none + ",,,", "state not loaded\n", "the kernel's own scheduler is in charge"},
		{&Status{InCharge: "rusty"}, "not loaded" + none + ",rusty,,", "state not loaded\nin_charge rusty\n", `the sched_ext scheduler "rusty" is in charge, and not from `},
		{&whole, "in force" + figures + "alps,none,", "state in force\nwindow 7\n", ""},
		{with(func(s *Status) { s.Before = exit }), "in force" + figures + `alps,unknown,"runnable task stall: fn[7], failed to run"`, "last_exit unknown\nlast_exit_reason runnable task stall: fn[7], failed to run\n", ""},
		{with(func(s *Status) { s.Expires = now.Add(-time.Second) }), "expired" + figures + "alps,none,", "state expired\n", "the policy has expired "},
		{with(func(s *Status) { s.InForce, s.InCharge, s.Left = false, "", exit }), "left" + figures + `,unknown,"runnable task stall: fn[7], failed to run"`, "state left\n",
			"the scheduler has left: runnable task stall: fn[7], failed to run (this version of alps-load does not know that kind of exit); load a policy to attach it again"},
		{&Status{InForce: true, InCharge: Name, Pinned: true, OtherVersion: "layout"}, "other version" + none + ",alps,unknown,", "state other version\nin_charge alps\n", "the scheduler at /pins is of another version of alps-load (layout)"},
		{&Status{Pinned: true, OtherVersion: "layout"}, "left" + none + ",,unknown,", "state left\n", "the scheduler has left, and why is not known; "},
	} {
		print := func(asCSV bool) string {
			var out strings.Builder
			if err := c.s.write(cli.IO{Stdout: &out}, asCSV); err != nil {
				t.Error(err)
			}
			return out.String()
		}
		aged := regexp.MustCompile(",7,[0-9]+,60000,").ReplaceAllString(print(true), ",7,0,60000,")
		if aged != header+c.row+"\n" {
			t.Errorf("CSV\n%s\nwant\n%s", aged, header+c.row)
		}
		if got := print(false); !strings.Contains(got, c.text) || strings.Contains(got, " \n") {
			t.Errorf("text\n%s\nwithout %q", got, c.text)
		}
		if err := c.s.fault("/pins"); c.faults == "" && err != nil || c.faults != "" && (err == nil || !strings.HasPrefix(err.Error(), c.faults)) {
			t.Errorf("%s fails with %v, want %s", c.row, err, c.faults)
		}
	}
}

// A task that never gets a turn has the kernel's watchdog end the scheduler. That
// is said, also once the next one is in charge.
func TestWatchdogExit(t *testing.T) {
	o := guest(t)
	o.MaxWait, o.watchdog = time.Hour, 2*time.Second
	load(t, o, ranks(t, 1, "comm:starved"))
	for range 2 {
		start(t, "", body(t, "system", "spin"))
	}
	start(t, "", body(t, "starved", "spin"))
	eventually(t, "the watchdog ends the scheduler", func() bool { return schedExtState(t) == "disabled" })
	const says = "the scheduler has left: runnable task stall: "
	const means = " (the kernel's watchdog ended it, since a task that could run did not for too long); look for real-time tasks that take all of a CPU, and for a long --max-wait; load a policy to attach it again"
	out, err := status(o)
	if err == nil || !strings.HasPrefix(err.Error(), says) || !strings.HasSuffix(err.Error(), means) {
		t.Errorf("status fails with %v", err)
	}
	const last = "\nlast_exit watchdog\nlast_exit_reason runnable task stall: "
	if !strings.HasPrefix(out, "state left\nwindow 1\n") || !strings.Contains(out, last) {
		t.Errorf("status prints\n%s", out)
	}

	o.MaxWait, o.watchdog = maxWait, 0
	load(t, o, ranks(t, 2, "comm:starved"))
	out, err = status(o)
	if err != nil || !strings.HasPrefix(out, "state in force\nwindow 2\n") || !strings.Contains(out, last) {
		t.Errorf("the next one: status %v, printing\n%s", err, out)
	}
	// So it is with one that takes the place of that one.
	if err := os.Remove(o.pin(pinTexts)); err != nil {
		t.Fatal(err)
	}
	if !load(t, o, ranks(t, 3, "comm:starved")) {
		t.Error("it did not attach")
	}
	if out, err = status(o); err != nil || !strings.Contains(out, last) {
		t.Errorf("the one after it: status %v, printing\n%s", err, out)
	}
}

// An exit record of another size is of another version: that the scheduler left
// can be told, and why cannot.
func TestExitOfAnotherVersion(t *testing.T) {
	o := guest(t)
	load(t, o, ranks(t, 1, "comm:a"))
	if err := os.Remove(o.pin(pinLeft)); err != nil {
		t.Fatal(err)
	}
	spec := settingsSpec
	spec.ValueSize = uint32(binary.Size(exitRecord{})) + 8
	later, err := ebpf.NewMap(&spec)
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	other := make([]byte, spec.ValueSize)
	other[0] = 7 // there it may be anything
	if err := errors.Join(later.Put(uint32(0), other), later.Pin(o.pin(pinLeft))); err != nil {
		t.Fatal(err)
	}
	if s, err := o.Status(); err != nil || !s.InForce || s.OtherVersion != "the map left has another size" {
		t.Errorf("status %+v, %v", s, err)
	}
	dropScheduler(t)
	out, err := status(o)
	const want = "the scheduler has left, and why is not known; load a policy to attach it again"
	if out != "state left\nlast_exit unknown\n" || err == nil || err.Error() != want {
		t.Errorf("status %v, want %s, printing\n%s", err, want, out)
	}
	if !load(t, o, ranks(t, 2, "comm:a")) {
		t.Error("it did not attach")
	}
}
