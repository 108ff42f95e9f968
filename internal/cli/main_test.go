package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// asTool, in the environment, makes the test binary be a tool of that kind.
const asTool = "ALPS_CLI_TEST_TOOL"

func TestMain(m *testing.M) {
	var flags struct{}
	switch os.Getenv(asTool) {
	case "":
		os.Exit(m.Run())
	case "endless":
		Main("alps-test", &flags, writeForEver)
	case "stubborn":
		Main("alps-test", &flags, outliveSignal)
	case "graceful":
		Main("alps-test", &flags, endOnSignal)
	case "filter":
		Main("alps-test", &flags, outliveSignal, Filter())
	case "child":
		Main("alps-test", &flags, tellChildSignals)
	}
}

func writeForEver(_ context.Context, tool IO) error {
	for {
		if _, err := fmt.Fprintln(tool.Stdout, "row"); err != nil {
			return err
		}
	}
}

// outliveSignal says when it is up and when it was asked to end, and then ends
// with its input.
func outliveSignal(ctx context.Context, tool IO) error {
	fmt.Fprintln(tool.Stdout, "up")
	context.AfterFunc(ctx, func() { fmt.Fprintln(tool.Stdout, "asked") })
	_, err := io.Copy(io.Discard, tool.Stdin)
	return err
}

func endOnSignal(ctx context.Context, tool IO) error {
	fmt.Fprintln(tool.Stdout, "up")
	<-ctx.Done()
	fmt.Fprintln(tool.Stdout, "asked")
	return nil
}

// tellChildSignals prints which signals a child process ignores.
func tellChildSignals(ctx context.Context, tool IO) error {
	out, err := exec.CommandContext(ctx, "grep", "SigIgn", "/proc/self/status").Output()
	if err == nil {
		_, err = tool.Stdout.Write(out)
	}
	return err
}

// process is the test binary running as a tool.
type process struct {
	t      *testing.T
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	pipe   io.ReadCloser
	stderr strings.Builder
}

func start(t *testing.T, kind string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), asTool+"="+kind)
	p.cmd.Stderr = &p.stderr
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if p.pipe, err = p.cmd.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	p.stdout = bufio.NewReader(p.pipe)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.cmd.Process.Kill() })
	return p
}

func (p *process) expect(line string) {
	p.t.Helper()
	if got, err := p.stdout.ReadString('\n'); got != line+"\n" {
		p.t.Fatalf("printed %q (%v), want %q", got, err, line)
	}
}

func (p *process) signal(signal syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		p.t.Fatal(err)
	}
}

// wait fails the test unless the process exits with this code, or is killed
// by this signal.
func (p *process) wait(code int, killer syscall.Signal) {
	p.t.Helper()
	_ = p.cmd.Wait()
	status := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if killer != 0 && (!status.Signaled() || status.Signal() != killer) || killer == 0 && status.ExitStatus() != code {
		p.t.Errorf("ended with %v, want code %d, signal %v", p.cmd.ProcessState, code, killer)
	}
	if p.stderr.Len() > 0 {
		p.t.Errorf("stderr %q", p.stderr.String())
	}
}

func TestMainEndsQuietlyWhenStdoutIsClosed(t *testing.T) {
	p := start(t, "endless")
	p.expect("row")
	p.pipe.Close()
	p.wait(0, 0)
}

func TestMainCancelsOnTheFirstSignal(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		p := start(t, "graceful")
		p.expect("up")
		p.signal(signal)
		p.expect("asked")
		p.wait(0, 0)
	}
}

func TestMainIsKilledByTheSecondSignal(t *testing.T) {
	p := start(t, "stubborn")
	p.expect("up")
	p.signal(syscall.SIGTERM)
	p.expect("asked")
	p.signal(syscall.SIGINT)
	p.wait(0, syscall.SIGINT)
}

func TestFilterEndsWithItsInputOnSIGINT(t *testing.T) {
	p := start(t, "filter")
	p.expect("up")
	p.signal(syscall.SIGINT)
	p.expect("asked")
	p.stdin.Close()
	p.wait(0, 0)
}

func TestFilterIsKilledBySIGTERM(t *testing.T) {
	p := start(t, "filter")
	p.expect("up")
	p.signal(syscall.SIGTERM)
	p.wait(0, syscall.SIGTERM)
}

// A program that a tool starts must die by SIGPIPE as usual.
func TestMainDoesNotMakeChildrenIgnoreSIGPIPE(t *testing.T) {
	p := start(t, "child")
	var ignored uint64
	if _, err := fmt.Fscanf(p.stdout, "SigIgn: %x", &ignored); err != nil {
		t.Fatal(err)
	}
	if ignored&(1<<(syscall.SIGPIPE-1)) != 0 {
		t.Errorf("the child ignores signals %x", ignored)
	}
	p.wait(0, 0)
}
