// Command alps-vm runs a command, or a Go test binary, in a virtual machine
// with an unpatched Debian kernel. It is a helper of this project's tests and
// demo, not one of its tools. docs/vm.md shows its use.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"alps/internal/vm"
)

type commands struct {
	Run    runCommand    `cmd:"" help:"Run a command in the machine; the exit status is that of the command."`
	Test   testCommand   `cmd:"" help:"Run a Go test binary in the machine: go test -exec 'alps-vm test --' PACKAGE."`
	Kernel kernelCommand `cmd:"" help:"Print the path of a kernel, fetching it if needed."`
	Setup  setupCommand  `cmd:"" help:"Install what the machine needs and this system lacks; takes root."`
}

// machineFlags are what run and test have in common.
type machineFlags struct {
	Kernel  string        `help:"Kernel: newest, oldest, a version (6.1, 6.18) or a path." default:"newest"`
	CPUs    int           `name:"cpus" help:"Virtual CPUs." default:"1" placeholder:"N"`
	Sockets int           `help:"Sockets to spread the CPUs over." default:"1" placeholder:"N"`
	Memory  int           `help:"Memory; by default as much as the files need." default:"0" placeholder:"MIB"`
	Icount  *int          `help:"Virtual time: one instruction takes 2^SHIFT ns, 0 to 10." placeholder:"SHIFT"`
	Append  string        `help:"Further kernel arguments." placeholder:"ARGS"`
	Timeout time.Duration `help:"Limit of the whole run, by the host's clock." default:"10m"`
	Env     []string      `help:"Set a variable of the command's environment." placeholder:"K=V" sep:"none"`
	File    []string      `help:"Put a file into the machine." placeholder:"HOST[:GUEST]" sep:"none"`
	Tree    []string      `name:"dir" help:"Put a directory into the machine." placeholder:"HOST[:GUEST]" sep:"none"`
	Program []string      `help:"Put a program of a Debian package into the machine, with its libraries; it is left out with a message if it is not to be had." placeholder:"PACKAGE[:NAME]" sep:"none"`
	Out     string        `help:"Directory that gets what is left in the machine's /out." placeholder:"HOSTDIR"`
	Shell   bool          `help:"Put busybox into the machine, under all its names." default:"true" negatable:""`
	Console bool          `help:"Show the kernel's console on standard error."`
}

func (f *machineFlags) machine(stdout, stderr io.Writer) *vm.Machine {
	m := &vm.Machine{
		Kernel: f.Kernel, CPUs: f.CPUs, Sockets: f.Sockets, MemoryMiB: f.Memory,
		Append: f.Append, Timeout: f.Timeout,
		Env: f.Env, Shell: f.Shell, OutDir: f.Out,
		Stdout: stdout, Stderr: stderr,
	}
	for _, spec := range append(f.File, f.Tree...) {
		host, guest, _ := strings.Cut(spec, ":")
		m.Files = append(m.Files, vm.File{Host: host, Guest: guest})
	}
	if f.Icount != nil {
		m.VirtualTime, m.Shift = true, *f.Icount
	}
	if f.Console {
		m.Console = stderr
	}
	return m
}

// addPrograms fetches what --program names.
func (f *machineFlags) addPrograms(ctx context.Context, m *vm.Machine, stderr io.Writer) {
	for _, spec := range f.Program {
		deb, name, found := strings.Cut(spec, ":")
		if !found {
			name = deb
		}
		dir, err := vm.Program(ctx, deb, name)
		if err != nil {
			fmt.Fprintf(stderr, "alps-vm: the machine has no %s: %v\n", name, err)
			continue
		}
		m.Programs = append(m.Programs, dir)
	}
}

// output is where the commands write.
type output struct{ stdout, stderr io.Writer }

type runCommand struct {
	machineFlags
	Cwd     string   `help:"The command's working directory." placeholder:"GUESTDIR"`
	Command []string `arg:"" passthrough:"" help:"A host file, which is packed, or a path or name in the machine; and its arguments."`
}

func (c *runCommand) Run(ctx context.Context, out output) error {
	args, err := afterDashes(c.Command)
	if err != nil {
		return err
	}
	m := c.machine(out.stdout, out.stderr)
	c.addPrograms(ctx, m, out.stderr)
	m.Dir = c.Cwd
	return asError(m.Run(ctx, args...))
}

type testCommand struct {
	machineFlags
	Command []string `arg:"" passthrough:"" help:"The test binary and its arguments."`
}

func (c *testCommand) Run(ctx context.Context, out output) error {
	args, err := afterDashes(c.Command)
	if err != nil {
		return err
	}
	m := c.machine(out.stdout, out.stderr)
	c.addPrograms(ctx, m, out.stderr)
	return asError(m.RunTest(ctx, args[0], args[1:]...))
}

type kernelCommand struct {
	Name string `arg:"" optional:"" help:"newest, oldest, a version (6.1, 6.18) or a path." default:"newest"`
	List bool   `help:"List the kernels that are served or cached instead."`
}

func (c *kernelCommand) Run(ctx context.Context, out output) error {
	if c.List {
		list, err := vm.Kernels(ctx)
		for _, k := range list {
			cached := ""
			if k.Cached {
				cached = "cached"
			}
			line := fmt.Sprintf("%-20s %-20s %-34s %s", k.Version, k.Suite, k.Release, cached)
			fmt.Fprintln(out.stdout, strings.TrimRight(line, " "))
		}
		return err
	}
	path, err := vm.Kernel(ctx, c.Name)
	if err == nil {
		fmt.Fprintln(out.stdout, path)
	}
	return err
}

type setupCommand struct{}

func (setupCommand) Run(ctx context.Context, out output) error { return vm.Setup(ctx, out.stderr) }

// Exit codes besides those of the command.
const (
	exitFailed = 1
	exitUsage  = 2
)

var errNoCommand = errors.New("no command after --")

// afterDashes cuts the -- that kong leaves in front of a command.
func afterDashes(args []string) ([]string, error) {
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		return nil, errNoCommand
	}
	return args, nil
}

// exitStatus is the status of the command in the machine. It is not printed:
// the command has said itself what there was to say.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

func asError(status int, err error) error {
	if err == nil && status != 0 {
		return exitStatus(status)
	}
	return err
}

// run is main without the exit.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var cmds commands
	parser, err := kong.New(&cmds, kong.Name("alps-vm"), kong.Writers(stdout, stderr),
		kong.Description("Runs commands and Go tests on unpatched Debian kernels in QEMU."))
	if err != nil {
		panic(err) // a mistake in the flag structs
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(stderr, "alps-vm: %v; see alps-vm --help\n", err)
		return exitUsage
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	err = parsed.Run(output{stdout, stderr})
	var status exitStatus
	switch {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return int(status)
	case ctx.Err() != nil:
		err = errors.New("interrupted")
	}
	fmt.Fprintf(stderr, "alps-vm: %v\n", err)
	if errors.Is(err, errNoCommand) {
		return exitUsage
	}
	return exitFailed
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
