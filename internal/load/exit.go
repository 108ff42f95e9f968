package load

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Exit says why the scheduler left.
type Exit struct {
	Kind   uint64 // the kernel's enum scx_exit_kind
	Code   int64  // its enum scx_exit_code, or the scheduler's own
	Reason string // the kernel's words
	Msg    string // details; may be empty
}

// A cause is what an exit means to who runs the machine.
type cause struct {
	word  string // for programs
	means string
	do    string
}

const loadAgain = "load a policy to attach it again"

// causes are by the names of the kernel's enum scx_exit_kind. Kernels have some or
// all of them, and each its own numbers.
var causes = map[string]cause{
	"SCX_EXIT_DONE":        {"unloaded", "it was detached", loadAgain},
	"SCX_EXIT_UNREG":       {"unloaded", "its pins were removed, by alps-load unload or otherwise", loadAgain},
	"SCX_EXIT_UNREG_BPF":   {"own", "it ended itself", loadAgain},
	"SCX_EXIT_UNREG_KERN":  {"kernel", "the kernel ended it, and not for a fault", loadAgain},
	"SCX_EXIT_SYSRQ":       {"sysrq", "somebody pressed sysrq-S or wrote S to /proc/sysrq-trigger", loadAgain + " if that is over"},
	"SCX_EXIT_PARENT":      {"parent", "the scheduler above it ended", loadAgain},
	"SCX_EXIT_ERROR":       {"error", "the kernel found it at fault", "report it with the kernel's log (dmesg); " + loadAgain},
	"SCX_EXIT_ERROR_BPF":   {"bpf_error", "it found a fault in itself", "report it with the kernel's log (dmesg); " + loadAgain},
	"SCX_EXIT_ERROR_STALL": {"watchdog", "the kernel's watchdog ended it, since a task that could run did not for too long", "look for real-time tasks that take all of a CPU, and for a long --max-wait; " + loadAgain},
}

var (
	hotplug      = cause{"hotplug", "the kernel ended it, since a CPU came or went", loadAgain}
	unknownCause = cause{"unknown", "this version of alps-load does not know that kind of exit", loadAgain}
)

// hotplugCode marks, in the code of an exit, that a CPU came or went.
const hotplugCode = "SCX_ECODE_RSN_HOTPLUG"

// causeOf returns what an exit of a kind by this name means; where the kernel has
// the name of its code, code is it.
func causeOf(kind, code string) cause {
	if kind == "SCX_EXIT_UNREG_KERN" && code == hotplugCode {
		return hotplug
	}
	if known, ok := causes[kind]; ok {
		return known
	}
	return unknownCause
}

// cause returns what the exit means, by the running kernel's numbers.
func (e *Exit) cause() cause {
	kind, code := "", ""
	for _, v := range kernelEnum("scx_exit_kind") {
		if v.Value == e.Kind {
			kind = v.Name
		}
	}
	for _, v := range kernelEnum("scx_exit_code") {
		if v.Name == hotplugCode && uint64(e.Code)&v.Value != 0 {
			code = v.Name
		}
	}
	return causeOf(kind, code)
}

// kernelEnum returns the members of one of the kernel's enums; none if it cannot
// be read, since the kernel's own words on an exit are there in any case.
func kernelEnum(name string) []btf.EnumValue {
	kernel, err := btf.LoadKernelSpec()
	if err != nil {
		return nil
	}
	var enum *btf.Enum
	if err := kernel.TypeByName(name, &enum); err != nil {
		return nil
	}
	return enum.Values
}

// words are the kernel's, with its details.
func (e *Exit) words() string {
	if e.Msg == "" {
		return e.Reason
	}
	return e.Reason + ": " + e.Msg
}

// String says what the kernel said, what that means, and what to do.
func (e *Exit) String() string {
	c := e.cause()
	return fmt.Sprintf("%s (%s); %s", e.words(), c.means, c.do)
}

// left returns why the pinned scheduler left, nil if it did not.
func (o Options) left() (*Exit, error) {
	record, err := o.leftRecord()
	if err != nil {
		return nil, err
	}
	return record.exit(), nil
}

// leftRecord has kind 0 if the pinned scheduler has not left, and also if its
// record is that of another version.
func (o Options) leftRecord() (record exitRecord, err error) {
	m, err := ebpf.LoadPinnedMap(o.pin(pinLeft), &ebpf.LoadPinOptions{ReadOnly: true})
	if errors.Is(err, fs.ErrNotExist) {
		return record, nil
	}
	if err != nil {
		return record, fmt.Errorf("opening the pinned exit record: %w", err)
	}
	defer m.Close()
	value, err := m.LookupBytes(uint32(0))
	if err != nil {
		return record, fmt.Errorf("reading the pinned exit record: %w", err)
	}
	if len(value) != binary.Size(record) {
		return record, nil
	}
	_, err = binary.Decode(value, binary.NativeEndian, &record)
	return record, err
}

// lastExit is the latest that the pins know of, be it that of their scheduler or
// of one before it.
func (o Options) lastExit() (record exitRecord, err error) {
	if pinned, err := o.pinned(); !pinned || err != nil {
		return record, err
	}
	if record, err = o.leftRecord(); record.Kind != 0 || err != nil {
		return record, err
	}
	settings, err := o.settings()
	return settings.Before, err
}

func (r *exitRecord) exit() *Exit {
	if r.Kind == 0 {
		return nil
	}
	return &Exit{Kind: r.Kind, Code: r.Code, Reason: cString(r.Reason[:]), Msg: cString(r.Msg[:])}
}

func cString(b []byte) string {
	text, _, _ := bytes.Cut(b, []byte{0})
	return string(text)
}
