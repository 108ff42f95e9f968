package collect

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// servers are ways to wait for requests. A request is a duration as text; the server
// burns that much CPU time and answers what its thread has used, in ns. They call the kernel themselves, as the runtime of Go would have other threads
// wait.
var servers = map[string]func(){
	// One connection, one request after the other.
	"recv": func() {
		answer(3, func(buffer []byte) int {
			return call(unix.SYS_RECVFROM, 3, at(buffer), uintptr(len(buffer)), 0, 0, 0)
		})
	},
	"read": func() {
		answer(3, func(buffer []byte) int { return call(unix.SYS_READ, 3, at(buffer), uintptr(len(buffer)), 0, 0, 0) })
	},
	// A connection for each request.
	"accept": func() {
		for {
			answerOne(call(unix.SYS_ACCEPT4, 3, 0, 0, unix.SOCK_CLOEXEC, 0, 0))
		}
	},
	// An event loop.
	"epoll": func() {
		epoll, err := unix.EpollCreate1(0)
		if err != nil {
			panic(err)
		}
		if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, 3, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: 3}); err != nil {
			panic(err)
		}
		var events [8]unix.EpollEvent
		for {
			n := call(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(&events)), uintptr(len(events)), ^uintptr(0), 0, 8)
			for range n {
				answerOne(call(unix.SYS_ACCEPT4, 3, 0, 0, unix.SOCK_CLOEXEC, 0, 0))
			}
		}
	},
}

// call makes a system call on this very thread.
func call(number, a, b, c, d, e, f uintptr) int {
	for {
		result, _, err := syscall.RawSyscall6(number, a, b, c, d, e, f)
		switch err {
		case 0:
			return int(result)
		case unix.EINTR: // the runtime of Go sends signals
		default:
			fmt.Fprintln(os.Stderr, "system call", number, err)
			os.Exit(1)
		}
	}
}

func at(buffer []byte) uintptr { return uintptr(unsafe.Pointer(&buffer[0])) }

// answerOne answers the request of a connection and closes it.
func answerOne(connection int) {
	answer(connection, func(buffer []byte) int {
		return call(unix.SYS_RECVFROM, uintptr(connection), at(buffer), uintptr(len(buffer)), 0, 0, 0)
	})
	call(unix.SYS_CLOSE, uintptr(connection), 0, 0, 0, 0, 0)
}

// answer answers requests until there is none: what CPU time was used for it up to
// now, and for the one before up to when this one was waited for. "20ms+30ms" is one
// for whose second part it says "half" and waits for a message of the same connection,
// as for one of a back end.
func answer(connection int, receive func([]byte) int) {
	buffer := make([]byte, 64)
	var before, whole int64
	for {
		if before > 0 {
			whole = cpuTime(unix.CLOCK_THREAD_CPUTIME_ID) - before
		}
		n := receive(buffer)
		if n == 0 {
			return
		}
		before = cpuTime(unix.CLOCK_THREAD_CPUTIME_ID)
		first, second, two := strings.Cut(string(buffer[:n]), "+")
		burn(duration(first))
		if two {
			half := []byte("half")
			call(unix.SYS_SENDTO, uintptr(connection), at(half), uintptr(len(half)), unix.MSG_NOSIGNAL, 0, 0)
			receive(make([]byte, 64))
			burn(duration(second))
		}
		text := fmt.Appendf(nil, "%d %d", cpuTime(unix.CLOCK_THREAD_CPUTIME_ID)-before, whole)
		call(unix.SYS_SENDTO, uintptr(connection), at(text), uintptr(len(text)), unix.MSG_NOSIGNAL, 0, 0)
	}
}

// client asks a server.
type client struct {
	t    *testing.T
	dial func() net.Conn
	pid  int
}

// startServer starts a server and returns its client.
func startServer(t *testing.T, name, how string) *client {
	t.Helper()
	cmd := body(t, name, "requests", how)
	c := &client{t: t}
	switch how {
	case "recv", "read":
		connection, theirs := socketPair(t)
		defer theirs.Close()
		cmd.ExtraFiles = []*os.File{theirs}
		c.dial = func() net.Conn { return noClose{connection} }
	default:
		address := &net.UnixAddr{Name: fmt.Sprintf("@alps-%s-%d", name, os.Getpid()), Net: "unixpacket"}
		listener, err := net.ListenUnix("unixpacket", address)
		if err != nil {
			t.Fatal(err)
		}
		file, err := listener.File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		t.Cleanup(func() { listener.Close() })
		cmd.ExtraFiles = []*os.File{file}
		c.dial = func() net.Conn {
			connection, err := net.DialUnix("unixpacket", nil, address)
			if err != nil {
				t.Fatal(err)
			}
			return connection
		}
	}
	cmd.Env = append(cmd.Env, "GODEBUG=asyncpreemptoff=1")
	start(t, cmd)
	c.pid = cmd.Process.Pid
	return c
}

// socketPair returns the two ends of a connection. The one for a body is to be closed
// when that has it.
func socketPair(t *testing.T) (net.Conn, *os.File) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs, ours := os.NewFile(uintptr(pair[0]), "theirs"), os.NewFile(uintptr(pair[1]), "ours")
	defer ours.Close()
	connection, err := net.FileConn(ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	return connection, theirs
}

type noClose struct{ net.Conn }

func (noClose) Close() error { return nil }

// asked is a request that was sent.
type asked struct {
	t          *testing.T
	connection net.Conn
}

func (c *client) send(request string) asked {
	c.t.Helper()
	connection := c.dial()
	if _, err := io.WriteString(connection, request); err != nil {
		c.t.Fatal(err)
	}
	return asked{c.t, connection}
}

// answer waits for the answer: the CPU time that the request took so far, and that the
// one before took.
func (a asked) answer() (used, before time.Duration) {
	a.t.Helper()
	buffer := make([]byte, 64)
	a.connection.SetReadDeadline(time.Now().Add(time.Minute)) // only so that it ends
	n, err := a.connection.Read(buffer)
	if err != nil {
		a.t.Fatal(err)
	}
	a.connection.Close()
	if _, err := fmt.Sscan(string(buffer[:n]), &used, &before); err != nil {
		a.t.Fatal(err)
	}
	return used, before
}

// ask sends a request, waits for its answer, and then until the server waits for the
// next.
func (c *client) ask(request string) (used, before time.Duration) {
	c.t.Helper()
	used, before = c.send(request).answer()
	c.idle()
	return used, before
}

// idle waits until the server's first thread sleeps.
func (c *client) idle() {
	c.t.Helper()
	for range 10_000 {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/stat", c.pid, c.pid))
		if err != nil {
			c.t.Fatal(err)
		}
		if _, state, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(state, "S") {
			return
		}
		time.Sleep(time.Millisecond)
	}
	c.t.Fatal("the server does not wait")
}
