package load

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"alps/bpf"
	"alps/internal/cli"
)

// Not tested: a kernel without BTF, since all that have sched_ext in Debian
// have it.

func TestAnotherSchedulerInCharge(t *testing.T) {
	a := guest(t)
	policy := ranks(t, 1, "comm:a")
	load(t, a, policy)

	b := a
	b.Pins = filepath.Dir(a.Pins) + "/alps-b"
	attached, err := b.Load(ranks(t, 2, "comm:b"))
	if want := `the sched_ext scheduler "alps" is in charge; stop it first`; attached || err == nil || err.Error() != want {
		t.Errorf("attached %v, %v, want %s", attached, err, want)
	}
	if _, err := os.Stat(b.Pins); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s: %v, want none", b.Pins, err)
	}
	status, err := b.Status()
	if err != nil || status.InForce || status.InCharge != Name {
		t.Errorf("status from %s: %+v, %v", b.Pins, status, err)
	}
	if removed, err := b.Unload(); removed || err != nil {
		t.Errorf("unload of %s: %v, %v", b.Pins, removed, err)
	}
	inForce(t, a, policy)
}

// Two schedulers of one name: the one that has left is not taken for the one
// in charge.
func TestLeftAndAnotherInCharge(t *testing.T) {
	a := guest(t)
	load(t, a, ranks(t, 1, "comm:a"))
	dropScheduler(t)
	b := a
	b.Pins = filepath.Dir(a.Pins) + "/alps-b"
	policy := ranks(t, 2, "comm:b")
	load(t, b, policy)
	if s, err := a.Status(); err != nil || s.InForce || s.Left == nil || s.InCharge != Name {
		t.Errorf("status of the one that has left: %+v, %v", s, err)
	}
	if attached, err := a.Load(policy); attached || err == nil {
		t.Errorf("the one that has left takes a policy: attached %v, %v", attached, err)
	}
	t.Logf("this kernel may end the one in charge with it: %v", endsOthers())
	want := `the sched_ext scheduler "alps" is in charge, which this kernel would end with what has left at /sys/fs/bpf/alps; stop it first`
	if _, err := a.Unload(); endsOthers() && (err == nil || err.Error() != want) || !endsOthers() && err != nil {
		t.Errorf("unload of the one that has left: %v", err)
	}
	time.Sleep(time.Second) // the kernel ends what is to be ended in its own time
	inForce(t, b, policy)
	if _, err := b.Unload(); err != nil {
		t.Error(err)
	}
}

// dropScheduler has the kernel drop the scheduler, at an operator's wish.
func dropScheduler(t *testing.T) {
	t.Helper()
	if err := os.WriteFile("/proc/sysrq-trigger", []byte("S"), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the scheduler has left", func() bool { return schedExtState(t) == "disabled" })
}

// A scheduler of somebody else's is left alone, whatever it is called.
func TestForeignSchedulerInCharge(t *testing.T) {
	o := guest(t)
	spec, err := bpf.LoadSched()
	if err != nil {
		t.Fatal(err)
	}
	copy(member(spec, "name"), "foreign\x00")
	if err := errors.Join(o.configure(spec), pickKfuncs(spec), o.setOps(spec)); err != nil {
		t.Fatal(err)
	}
	coll, err := ebpf.NewCollection(spec)
	if err != nil {
		t.Fatal(err)
	}
	defer coll.Close()
	policy := ranks(t, 1, "comm:a")
	if err := o.switchPolicy(spec, coll.Maps[pinPolicy], coll.Maps[pinTexts], policy, 1); err != nil {
		t.Fatal(err)
	}
	l, err := link.AttachStructOps(link.StructOpsOptions{Map: coll.Maps[Name]})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		l.Detach()
		l.Close()
	}()
	if attached, err := o.Load(policy); attached || err == nil || err.Error() != `the sched_ext scheduler "foreign" is in charge; stop it first` {
		t.Errorf("load: attached %v, %v", attached, err)
	}
	out, err := status(o)
	if out != "state not loaded\nin_charge foreign\n" || err == nil || err.Error() != `the sched_ext scheduler "foreign" is in charge, and not from /sys/fs/bpf/alps` {
		t.Errorf("status %v, printing\n%s", err, out)
	}
	if removed, err := o.Unload(); removed || err != nil {
		t.Errorf("unload: %v, %v", removed, err)
	}
	if state := schedExtState(t); state != "enabled" {
		t.Errorf("sched_ext is %s in the end", state)
	}
}

func TestWhereThereIsNoBPFFileSystem(t *testing.T) {
	o := guest(t)
	for pins, want := range map[string]string{
		t.TempDir() + "/alps":     " is not on a BPF file system; mount one: mount -t bpf bpf /sys/fs/bpf",
		"/sys/fs/bpf/absent/alps": "looking at /sys/fs/bpf/absent: no such file or directory",
	} {
		o.Pins = pins
		if attached, err := o.Load(ranks(t, 1, "comm:a")); attached || err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("load at %s: %v, %v, want %s", pins, attached, err, want)
		}
		if _, err := os.Stat(pins); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v, want none", pins, err)
		}
	}
}

func TestWithoutPrivilege(t *testing.T) {
	o := guest(t)
	policy := ranks(t, 1, "comm:a")
	nobody := &syscall.Credential{Uid: 65534, Gid: 65534}
	run := func(credential *syscall.Credential, words ...string) (stdout, stderr string) {
		t.Helper()
		// Not by body: nobody may look into the test's directories.
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), bodyEnv+"="+strings.Join(words, " "))
		cmd.Stdin = strings.NewReader(policyText(t, policy))
		var out, messages bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &messages
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: credential}
		cmd.Run()
		return out.String(), messages.String()
	}
	const no = "no privilege to load a scheduler; run as root"
	refusals := func() {
		t.Helper()
		if _, got := run(nobody, "load", o.Pins); got != "alps-load: window 1: "+no+"\n" {
			t.Errorf("load says %q", got)
		}
		if got, _ := run(nobody, "tool", o.Pins); got != "unload: "+no+"\nstatus: "+no+"\ndump: "+no+"\n" {
			t.Errorf("the others say %q", got)
		}
	}
	refusals()
	const withheld = "alps-load: window 1: no privilege; run as root, outside containers that withhold CAP_BPF or CAP_SYS_ADMIN\n"
	for _, without := range []string{"all", fmt.Sprint(unix.CAP_BPF, " ", unix.CAP_SYS_ADMIN), fmt.Sprint(unix.CAP_PERFMON, " ", unix.CAP_SYS_ADMIN)} {
		if _, got := run(nil, "load-without", o.Pins, without); got != withheld {
			t.Errorf("root without capabilities %s: load says %q", without, got)
		}
	}
	nothingLeft(t, o)
	load(t, o, policy)
	refusals()
	inForce(t, o, policy)
}

// status is what alps-load status prints, and its error.
func status(o Options) (string, error) {
	var out bytes.Buffer
	err := o.RunStatus(cli.IO{Name: "alps-load", Stdout: &out, Stderr: os.Stderr}, false)
	return out.String(), err
}

func TestSchedulerHasLeft(t *testing.T) {
	o := guest(t)
	policy := ranks(t, 3, "comm:a")
	load(t, o, policy)
	if out, err := status(o); err != nil || !strings.HasPrefix(out, "state in force\nwindow 3\nage_ms ") || !strings.Contains(out, "\nkeys 1\n") {
		t.Errorf("in force: status %v, printing\n%s", err, out)
	}

	dropScheduler(t)
	out, err := status(o)
	if want := "the scheduler has left: disabled by sysrq-S"; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("status fails with %v, want %s", err, want)
	}
	if !strings.HasPrefix(out, "state left\nwindow 3\n") {
		t.Errorf("status prints\n%s", out)
	}
	if _, err := o.Dump(); err == nil || !strings.HasPrefix(err.Error(), "no policy of ") {
		t.Errorf("dump says %v", err)
	}

	next := ranks(t, 4, "comm:b")
	if !load(t, o, next) {
		t.Error("the next load did not attach")
	}
	inForce(t, o, next)
	if _, err := o.Unload(); err != nil {
		t.Fatal(err)
	}
	out, err = status(o)
	if want := "the kernel's own scheduler is in charge; nothing is loaded at /sys/fs/bpf/alps"; err == nil || err.Error() != want {
		t.Errorf("status fails with %v, want %s", err, want)
	}
	if out != "state not loaded\n" {
		t.Errorf("status prints\n%s", out)
	}
}
