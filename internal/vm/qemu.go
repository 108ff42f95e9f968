package vm

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

const (
	qemuProgram = "qemu-system-x86_64"

	// consoleTail is how much of the console a Failure shows: a panic with its
	// trace.
	consoleTail = 6 << 10

	// maxControlLine bounds what the machine can say of its command.
	maxControlLine = 4 << 10
)

// kernelArguments end the machine at the first sign of trouble, and leave out
// what takes a third of the boot and tests nothing of ours: the kernel's trials
// of its own ciphers, and the signatures of certificates for modules.
const kernelArguments = "console=ttyS0 quiet panic=-1 oops=panic" +
	" cryptomgr.notests initcall_blacklist=load_system_certificate_list"

func qemuPath() (string, error) {
	p, err := exec.LookPath(qemuProgram)
	if err != nil {
		return "", fmt.Errorf("no %s on this machine: run alps-vm setup as root, or install the package qemu-system-x86", qemuProgram)
	}
	return p, nil
}

// emulation is one run of QEMU.
type emulation struct {
	qemu, kernel   string
	initrd         *os.File // without a name: passed on as a descriptor
	memoryMiB      int
	machine        *Machine
	stdout, stderr io.Writer
}

// channel is one way from the machine to the host: a pipe, whose writing end
// QEMU inherits.
type channel struct {
	id   string // of the QEMU character device
	port string // the name of the virtio port, "" for the serial console
	read func(io.Reader) error

	r, w *os.File
}

// run returns the command's status, or a *Failure.
func (e *emulation) run(ctx context.Context) (int, error) {
	console := &tail{limit: consoleTail}
	qemuErrors := &tail{limit: consoleTail}
	var verdict string
	channels := []*channel{
		{id: "console", read: copyTo(teeConsole(console, e.machine.Console))},
		{id: "stdout", port: portStdout, read: copyTo(&withoutPadding{w: e.stdout})},
		{id: "stderr", port: portStderr, read: copyTo(&withoutPadding{w: e.stderr})},
		{id: "control", port: portControl, read: func(r io.Reader) (err error) {
			verdict, err = readVerdict(r)
			return err
		}},
		{id: "out", port: portOut, read: func(r io.Reader) error { return receiveTree(r, e.machine.OutDir) }},
	}
	defer func() {
		for _, c := range channels {
			c.r.Close()
			c.w.Close()
		}
	}()
	for _, c := range channels {
		var err error
		if c.r, c.w, err = os.Pipe(); err != nil {
			return 0, err
		}
	}

	cmd := exec.CommandContext(ctx, e.qemu)
	cmd.Stderr = qemuErrors
	cmd.ExtraFiles = []*os.File{e.initrd}
	for _, c := range channels {
		cmd.ExtraFiles = append(cmd.ExtraFiles, c.w)
	}
	cmd.Args = append(cmd.Args, e.args(channels)...)
	// A group of its own: Ctrl-C on the terminal is for the caller to act on.
	// And QEMU ends with its parent, however that ends.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	// Pdeathsig is about the thread that started QEMU, so that has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("starting %s: %w", e.qemu, err)
	}
	var readers sync.WaitGroup
	readErrs := make([]error, len(channels))
	for i, c := range channels {
		c.w.Close()
		readers.Go(func() {
			readErrs[i] = c.read(c.r)
			// Whatever went wrong, QEMU must not stand still in front of a full
			// pipe.
			io.Copy(io.Discard, c.r)
		})
	}
	waitErr := cmd.Wait()
	readers.Wait()
	return e.status(verdict, waitErr, errors.Join(readErrs...), console.String(), qemuErrors.String())
}

// status makes of all that is known after the end either a status or an error.
func (e *emulation) status(verdict string, waitErr, readErr error, console, qemuErrors string) (int, error) {
	kind, rest, _ := strings.Cut(verdict, " ")
	switch kind {
	case "status", "signal":
		n, err := strconv.Atoi(rest)
		if err != nil {
			return 0, fmt.Errorf("the machine reported %q, which is no status", verdict)
		}
		if readErr != nil {
			return 0, fmt.Errorf("taking the machine's output: %w", readErr)
		}
		if kind == "signal" {
			n += 128
		}
		return n, nil
	case "error":
		return 0, &Failure{Reason: "in the machine: " + rest}
	}
	reason := "the machine ended before its command did"
	if verdict == "" {
		reason = "the machine ended before it could start its command"
	}
	if qemuErrors != "" {
		reason += "; QEMU: " + qemuErrors
	} else if waitErr != nil {
		reason += "; QEMU: " + waitErr.Error()
	}
	return 0, &Failure{Reason: reason, Console: console}
}

func (e *emulation) args(channels []*channel) []string {
	m := e.machine
	// One thread for all virtual CPUs: with thread=multi QEMU 7.2 crashed in 4
	// of about 100 boots.
	args := []string{
		"-accel", "tcg,thread=single", "-machine", "q35", "-cpu", "max",
		"-smp", fmt.Sprintf("cpus=%d,sockets=%d,cores=%d,threads=1", m.cpus(), m.sockets(), m.cpus()/m.sockets()),
		"-m", fmt.Sprintf("%dM", e.memoryMiB),
		"-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-kernel", e.kernel,
		"-initrd", "/dev/fd/3", // the first of ExtraFiles
		"-append", strings.TrimSpace(kernelArguments + " " + m.Append),
		"-device", "virtio-serial-pci",
	}
	if m.VirtualTime {
		// The real-time clock, too, else the machine would boot at another time
		// of day whenever it runs.
		args = append(args, "-icount", fmt.Sprintf("shift=%d,sleep=off", m.Shift),
			"-rtc", "base=2026-01-01T00:00:00,clock=vm")
	}
	for i, c := range channels {
		args = append(args,
			"-add-fd", fmt.Sprintf("fd=%d,set=%d", 4+i, i),
			"-chardev", fmt.Sprintf("file,id=%s,path=/dev/fdset/%d,append=on", c.id, i))
		if c.port == "" {
			args = append(args, "-serial", "chardev:"+c.id)
		} else {
			args = append(args, "-device", fmt.Sprintf("virtserialport,chardev=%s,name=%s", c.id, c.port))
		}
	}
	return args
}

func copyTo(w io.Writer) func(io.Reader) error {
	return func(r io.Reader) error {
		_, err := io.Copy(w, r)
		return err
	}
}

// withoutPadding passes on what is written to it, but for the zeros at the end:
// init pads what it sends with them.
type withoutPadding struct {
	w    io.Writer
	held int // zeros that may be the end
}

// Write implements [io.Writer].
func (p *withoutPadding) Write(text []byte) (int, error) {
	kept := bytes.TrimRight(text, "\x00")
	if len(kept) > 0 && p.held > 0 {
		if _, err := p.w.Write(make([]byte, p.held)); err != nil {
			return 0, err
		}
		p.held = 0
	}
	p.held += len(text) - len(kept)
	if len(kept) == 0 {
		return len(text), nil
	}
	if _, err := p.w.Write(kept); err != nil {
		return 0, err
	}
	return len(text), nil
}

func teeConsole(keep io.Writer, live io.Writer) io.Writer {
	if live == nil {
		return keep
	}
	return io.MultiWriter(keep, live)
}

// readVerdict returns the last line that init sent: "start", then "status N",
// "signal N" or "error TEXT"; "" if none came.
func readVerdict(r io.Reader) (string, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxControlLine)
	last := ""
	for lines.Scan() {
		last = lines.Text()
	}
	return last, lines.Err()
}

// receiveTree unpacks a tar stream of directories and regular files under dir;
// names that would lead out of it are an error. An empty stream (a machine that
// ended early) and an empty dir are no errors.
func receiveTree(r io.Reader, dir string) error {
	if dir == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	archive := tar.NewReader(r)
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading what came from the machine's /out: %w", err)
		}
		if err := receiveFile(root, header, archive); err != nil {
			return fmt.Errorf("writing %s: %w", filepath.Join(dir, header.Name), err)
		}
	}
}

func receiveFile(root *os.Root, header *tar.Header, content io.Reader) error {
	if header.Typeflag == tar.TypeDir {
		return root.MkdirAll(header.Name, 0o755)
	}
	f, err := root.OpenFile(header.Name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, header.FileInfo().Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}
