package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// DefaultPins is where the scheduler is pinned unless told otherwise.
const DefaultPins = "/sys/fs/bpf/alps"

// Names of the pins below Options.Pins: those of the maps in bpf/sched.bpf.c,
// the settings', and the link's.
const (
	pinPolicy   = "policy"
	pinTexts    = "texts"
	pinCounters = "counters"
	pinLeft     = "left"
	pinSettings = "settings"
	pinLink     = "link"
)

// pinnedMaps are those of the object; the settings are of the loader's own.
var pinnedMaps = []string{pinPolicy, pinTexts, pinCounters, pinLeft}

// allPins begins with the link, whose removal detaches the scheduler.
var allPins = append([]string{pinLink, pinSettings}, pinnedMaps...)

// layout is ALPS_LAYOUT of bpf/sched.h: the version of the records in the pinned
// maps. Pins without settings are of the first.
const (
	layout      = 2
	firstLayout = 1
)

// settingsRecord is how a scheduler was attached. It is written once; BPF does
// not read it. Layout has to stay first.
type settingsRecord struct {
	Layout, _   uint32
	Object      uint64 // hash of the BPF object
	MaxWaitNs   uint64
	FairSliceNs uint64
	// Before is why the scheduler before it left, kind 0 if that did not leave by
	// itself.
	Before exitRecord
}

var settingsSpec = ebpf.MapSpec{
	Name: "alps_settings", Type: ebpf.Array, MaxEntries: 1,
	KeySize: 4, ValueSize: uint32(binary.Size(settingsRecord{})),
}

func newSettings(s settingsRecord) (*ebpf.Map, error) {
	m, err := ebpf.NewMap(&settingsSpec)
	if err != nil {
		return nil, err
	}
	if err := m.Put(uint32(0), s); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

func (o Options) pin(name string) string { return filepath.Join(o.Pins, name) }

// open opens a pinned map.
func (o Options) open(name string) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(o.pin(name), nil)
	if err != nil {
		return nil, fmt.Errorf("opening the pinned map %s: %w", name, err)
	}
	return m, nil
}

// pinned tells whether a scheduler is pinned here, be it in charge or not.
func (o Options) pinned() (bool, error) {
	if _, err := os.Stat(o.pin(pinLink)); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// settings are those of the pinned scheduler; of another layout, the layout alone.
func (o Options) settings() (s settingsRecord, err error) {
	m, err := o.open(pinSettings)
	if errors.Is(err, fs.ErrNotExist) {
		return settingsRecord{Layout: firstLayout}, nil
	}
	if err != nil {
		return s, err
	}
	defer m.Close()
	value, err := m.LookupBytes(uint32(0))
	if err != nil {
		return s, fmt.Errorf("reading the pinned settings: %w", err)
	}
	if len(value) < 4 {
		return s, nil
	}
	if s.Layout = binary.NativeEndian.Uint32(value); s.Layout != layout {
		return s, nil
	}
	if _, err := binary.Decode(value, binary.NativeEndian, &s); err != nil {
		return s, fmt.Errorf("reading the pinned settings: %w", err)
	}
	return s, nil
}

// otherLayout tells in what the pinned maps are not those that this version
// makes; "" if they are. Their sizes are compared, too.
func (o Options) otherLayout(spec *ebpf.CollectionSpec) (why string, err error) {
	s, err := o.settings()
	if err != nil {
		return "", err
	}
	if s.Layout != layout {
		return fmt.Sprintf("its maps have layout %d, those of this one %d", s.Layout, layout), nil
	}
	for _, name := range pinnedMaps {
		m, err := o.open(name)
		if errors.Is(err, fs.ErrNotExist) {
			return "the map " + name + " is missing", nil
		}
		if err != nil {
			return "", err
		}
		defer m.Close()
		want := spec.Maps[name]
		if m.KeySize() != want.KeySize || m.ValueSize() != want.ValueSize || m.MaxEntries() != want.MaxEntries {
			return "the map " + name + " has another size", nil
		}
		if name != pinPolicy {
			continue
		}
		entries, err := entriesOf(m)
		if err != nil {
			return "", err
		}
		defer entries.Close()
		if entries.ValueSize() != want.InnerMap.ValueSize {
			return "its policy's records have another size", nil
		}
	}
	return "", nil
}

// owned refuses pins that somebody else can have made or changed: what they say
// of the scheduler is not to be trusted then, and they are not ours to remove.
func (o Options) owned() error {
	dir, err := os.Lstat(o.Pins)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !dir.IsDir() {
		return fmt.Errorf("%s is not a directory; name another one with --pins", o.Pins)
	}
	user := os.Geteuid()
	if owner := ownerOf(dir); owner != user {
		return fmt.Errorf("%s belongs to user %d, not to user %d, who runs this; name another directory with --pins", o.Pins, owner, user)
	}
	if mode := dir.Mode().Perm(); mode&0o022 != 0 {
		return fmt.Errorf("others may write to %s (mode %03o); remove it, or chmod go-w it if its pins are to be trusted", o.Pins, mode)
	}
	for _, name := range allPins {
		pin, err := os.Lstat(o.pin(name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if owner := ownerOf(pin); owner != user {
			return fmt.Errorf("%s belongs to user %d, not to user %d, who runs this; name another directory with --pins", o.pin(name), owner, user)
		}
	}
	return nil
}

func ownerOf(info fs.FileInfo) int { return int(info.Sys().(*syscall.Stat_t).Uid) }

// detach ends the scheduler, if it has not left. The removal of its link does so,
// too, but some time later; and older kernels (seen on 6.16) then end whoever is in
// charge, which may be the next one.
func (o Options) detach() error {
	l, err := link.LoadPinnedLink(o.pin(pinLink), nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("opening the pinned link: %w", err)
	}
	defer l.Close()
	if err := l.Detach(); err != nil {
		return fmt.Errorf("detaching the scheduler: %w", err)
	}
	return nil
}

// endsOthers tells whether a kernel may take the end of a scheduler that has left
// long ago for that of the one in charge. Those that can have several at a time,
// one below the other, do not.
func endsOthers() bool {
	return !slices.ContainsFunc(kernelEnum("scx_exit_kind"), func(v btf.EnumValue) bool { return v.Name == "SCX_EXIT_PARENT" })
}

// removePins detaches the scheduler and removes its pins, the link's first.
func (o Options) removePins() error {
	if err := o.detach(); err != nil {
		return err
	}
	for _, name := range allPins {
		if err := os.Remove(o.pin(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing a pin: %w", err)
		}
	}
	if err := os.Remove(o.Pins); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the directory of the pins: %w%s", err, o.strangers())
	}
	return nil
}

// strangers names what is in the directory of the pins and not known here.
func (o Options) strangers() string {
	entries, err := os.ReadDir(o.Pins)
	if err != nil || len(entries) == 0 {
		return ""
	}
	var names []string
	for _, entry := range entries[:min(len(entries), maxNamed)] {
		names = append(names, entry.Name())
	}
	return fmt.Sprintf(" (this alps-load has not put %s there)", strings.Join(names, ", "))
}

// maxNamed is how many of something a message names.
const maxNamed = 3

// lock keeps other loaders off all pins in the same parent directory. The
// pins' own directory comes and goes and cannot be what is locked.
func (o Options) lock() (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(o.Pins))
	if err != nil {
		return nil, err
	}
	const step = 10 * time.Millisecond
	for waited := time.Duration(0); ; waited += step {
		err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { dir.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK):
			dir.Close()
			return nil, fmt.Errorf("locking %s: %w", dir.Name(), err)
		case waited >= lockPatience:
			dir.Close()
			return nil, fmt.Errorf("another alps-load has held the lock on %s for %v", dir.Name(), lockPatience)
		}
		time.Sleep(step)
	}
}

// lockPatience is for how long a loader waits for another one; tests have less.
var lockPatience = 10 * time.Second
