package load

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"

	"alps/bpf"
	"alps/internal/cli"
)

// warned returns options whose warnings go to the list that is returned, too.
func warned(o Options) (Options, *[]string) {
	lines := new([]string)
	o.Warn = func(line string) { *lines = append(*lines, line) }
	return o, lines
}

// otherVersion makes of the scheduler in charge one of a version before this one,
// which had no settings.
func otherVersion(t *testing.T, o Options) {
	t.Helper()
	if err := os.Remove(o.pin(pinSettings)); err != nil {
		t.Fatal(err)
	}
}

const layoutOne = "its maps have layout 1, those of this one 2"

// A scheduler of another version cannot be read, which is said, and the next load
// replaces it, while those that it schedules go on.
func TestOtherVersionIsReplaced(t *testing.T) {
	o, lines := warned(guest(t))
	load(t, o, ranks(t, 1, "comm:a"))
	turning := start(t, "", body(t, "a", "blink"))
	otherVersion(t, o)

	const cannot = "the scheduler at /sys/fs/bpf/alps is of another version of alps-load (" + layoutOne + "): what it does cannot be told; the next load replaces it"
	out, err := status(o)
	if err == nil || err.Error() != cannot {
		t.Errorf("status fails with %v, want %s", err, cannot)
	}
	if want := "state other version\nin_charge alps\nlast_exit unknown\n"; out != want {
		t.Errorf("status prints\n%s\nwant\n%s", out, want)
	}
	if _, err := o.Dump(); err == nil || err.Error() != cannot {
		t.Errorf("dump fails with %v, want %s", err, cannot)
	}
	if err := o.RunWatch(t.Context(), cli.IO{Stdout: os.Stderr}, time.Second, 1); err == nil || err.Error() != cannot {
		t.Errorf("watch fails with %v, want %s", err, cannot)
	}

	policy := ranks(t, 2, "comm:a")
	if !load(t, o, policy) {
		t.Error("the load did not attach")
	}
	if want := []string{"the scheduler at /sys/fs/bpf/alps is of another version of alps-load (" + layoutOne + "); it is replaced, and counts begin anew"}; !slices.Equal(*lines, want) {
		t.Errorf("warned of %q, want %q", *lines, want)
	}
	inForce(t, o, policy)
	turnsGrow(t, o)
	goesOn(t, turning)
}

// Of another version are pins with another layout's number, with maps of another
// size, and without one of the maps.
func TestOtherLayout(t *testing.T) {
	o := guest(t)
	policy := ranks(t, 1, "comm:a")
	load(t, o, policy)
	spec, err := bpf.LoadSched()
	if err != nil {
		t.Fatal(err)
	}
	layoutIs := func(what, want string) {
		t.Helper()
		if got, err := o.otherLayout(spec); got != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", what, got, err, want)
		}
	}
	layoutIs("as attached", "")
	spec.Maps[pinCounters].MaxEntries++
	layoutIs("more counters", "the map counters has another size")
	spec.Maps[pinCounters].MaxEntries--
	spec.Maps[pinPolicy].InnerMap.ValueSize += 8
	layoutIs("larger records", "its policy's records have another size")
	spec.Maps[pinPolicy].InnerMap.ValueSize -= 8

	settings, err := o.settings()
	if err != nil {
		t.Fatal(err)
	}
	settings.Layout = layout + 7
	if err := os.Remove(o.pin(pinSettings)); err != nil {
		t.Fatal(err)
	}
	later, err := newSettings(settings)
	if err != nil {
		t.Fatal(err)
	}
	defer later.Close()
	if err := later.Pin(o.pin(pinSettings)); err != nil {
		t.Fatal(err)
	}
	layoutIs("a later version", "its maps have layout 9, those of this one 2")
	settings.Layout = layout
	if err := later.Put(uint32(0), settings); err != nil {
		t.Fatal(err)
	}
	layoutIs("as attached again", "")
	if err := os.Remove(o.pin(pinTexts)); err != nil {
		t.Fatal(err)
	}
	layoutIs("a pin removed", "the map texts is missing")
	if !load(t, o, policy) {
		t.Error("it did not attach")
	}
	inForce(t, o, policy)
}

// A scheduler that the kernel does not take replaces nothing.
func TestOtherVersionStaysIfTheNewOneFails(t *testing.T) {
	o := guest(t)
	load(t, o, ranks(t, 1, "comm:a"))
	otherVersion(t, o)
	spec, err := bpf.LoadSched()
	if err != nil {
		t.Fatal(err)
	}
	if err := o.configure(spec); err != nil {
		t.Fatal(err)
	}
	spec.Programs["alps_quiescent"].Instructions = asm.Instructions{asm.Mov.Reg(asm.R0, asm.R9), asm.Return()}
	err = o.attach(spec, ranks(t, 2, "comm:a"))
	if err == nil || !strings.HasPrefix(err.Error(), "loading the scheduler: the kernel's verifier refuses it: ") {
		t.Errorf("attaching it says %v", err)
	}
	if running, err := o.running(); !running || err != nil {
		t.Errorf("the old one is in charge: %v, %v", running, err)
	}
	start(t, "", body(t, "a", "blink"))
	counters, err := o.open(pinCounters)
	if err != nil {
		t.Fatal(err)
	}
	defer counters.Close()
	turns := func() uint64 {
		read, err := readCounters(counters)
		if err != nil {
			t.Fatal(err)
		}
		return read["class_turns"]
	}
	before := turns()
	eventually(t, "the old one serves its classes", func() bool { return turns() > before+20 })
}

// What counts when the scheduler is attached is kept, which is said.
func TestSettingsAreKept(t *testing.T) {
	o, lines := warned(guest(t))
	o.MaxWait = 300 * time.Millisecond
	load(t, o, ranks(t, 1, "comm:a"))
	load(t, o, ranks(t, 2, "comm:a"))
	if len(*lines) > 0 {
		t.Errorf("warned of %q", *lines)
	}
	o.MaxWait = 0 // the default
	load(t, o, ranks(t, 3, "comm:a"))
	if want := []string{"the running scheduler keeps its --max-wait of 300ms, not 1s; alps-load unload and load again to change it"}; !slices.Equal(*lines, want) {
		t.Errorf("warned of %q, want %q", *lines, want)
	}
	if s, err := o.Status(); err != nil || s.MaxWait != 300*time.Millisecond {
		t.Errorf("status %+v, %v", s, err)
	}

	*lines = nil
	o.MaxWait = 300 * time.Millisecond
	settings, err := o.settings()
	if err != nil {
		t.Fatal(err)
	}
	m, err := o.open(pinSettings)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	settings.Object++
	if err := m.Put(uint32(0), settings); err != nil {
		t.Fatal(err)
	}
	load(t, o, ranks(t, 4, "comm:a"))
	if want := []string{"the running scheduler is of another build of alps-load; alps-load unload and load again to change it"}; !slices.Equal(*lines, want) {
		t.Errorf("warned of %q, want %q", *lines, want)
	}
}

// Pins that somebody else can have made are neither believed nor touched.
func TestPinsOfSomebodyElse(t *testing.T) {
	o := guest(t)
	policy := ranks(t, 1, "comm:a")
	load(t, o, policy)
	refused := func(want string) {
		t.Helper()
		_, ofLoad := o.Load(ranks(t, 2, "comm:b"))
		_, ofUnload := o.Unload()
		_, ofStatus := o.Status()
		_, ofDump := o.Dump()
		_, ofWatch := o.watch()
		for i, err := range []error{ofLoad, ofUnload, ofStatus, ofDump, ofWatch} {
			if err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %s", [...]string{"load", "unload", "status", "dump", "watch"}[i], err, want)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	must(os.Chown(o.Pins, nobody, -1))
	refused("/sys/fs/bpf/alps belongs to user 65534, not to user 0, who runs this; name another directory with --pins")
	must(os.Chown(o.Pins, 0, -1))
	must(os.Chown(o.pin(pinPolicy), nobody, -1))
	refused("/sys/fs/bpf/alps/policy belongs to user 65534, not to user 0, who runs this; name another directory with --pins")
	must(os.Chown(o.pin(pinPolicy), 0, -1))
	must(os.Chmod(o.Pins, 0o770))
	refused("others may write to /sys/fs/bpf/alps (mode 770); remove it, or chmod go-w it if its pins are to be trusted")
	must(os.Chmod(o.Pins, 0o700))
	inForce(t, o, policy)

	link := filepath.Dir(o.Pins) + "/alps-link"
	must(os.Symlink(o.Pins, link))
	o.Pins = link
	refused("/sys/fs/bpf/alps-link is not a directory; name another one with --pins")
	must(os.Remove(link))
}

// What others have put beside the pins is left, and said.
func TestStrangersAmongThePins(t *testing.T) {
	o := guest(t)
	load(t, o, ranks(t, 1, "comm:a"))
	stranger, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if err := stranger.Pin(o.pin("stranger")); err != nil {
		t.Fatal(err)
	}
	_, err = o.Unload()
	if err == nil || !strings.HasSuffix(err.Error(), " (this alps-load has not put stranger there)") {
		t.Errorf("unload says %v", err)
	}
	if err := stranger.Unpin(); err != nil {
		t.Error(err)
	}
	if _, err := o.Unload(); err != nil {
		t.Error(err)
	}
	eventually(t, "the kernel's own scheduler is in charge", func() bool { return schedExtState(t) == "disabled" })
}

// One loader waits for the other, and not for ever.
func TestTwoLoaders(t *testing.T) {
	o := guest(t)
	policies := []*Table{ranks(t, 1, "comm:a"), ranks(t, 2, "comm:b", "comm:c")}
	for range 3 {
		var loaders []*exec.Cmd
		for _, policy := range policies {
			cmd := loader(t, policy)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			loaders = append(loaders, cmd)
		}
		for _, cmd := range loaders {
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
		}
		s, err := o.Status()
		if err != nil {
			t.Fatal(err)
		}
		if s.Window < 1 || s.Window > 2 {
			t.Fatalf("status %+v", s)
		}
		inForce(t, o, policies[s.Window-1])
		unload(t, o)
	}

	dir, err := os.Open(filepath.Dir(o.Pins))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	if err := unix.Flock(int(dir.Fd()), unix.LOCK_SH); err != nil { // which two could have
		t.Fatal(err)
	}
	before := lockPatience
	lockPatience = 50 * time.Millisecond
	defer func() { lockPatience = before }()
	const want = "another alps-load has held the lock on /sys/fs/bpf for 50ms"
	_, ofLoad := o.Load(policies[0])
	_, ofUnload := o.Unload()
	for _, err := range []error{ofLoad, ofUnload} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := os.Stat(o.Pins); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s: %v, want none", o.Pins, err)
	}
}
