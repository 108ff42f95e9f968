package platforms

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// inNetwork runs f in the network namespace of a process.
func inNetwork(pid int, f func() error) error {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return err
	}
	defer namespace.Close()
	done := make(chan error)
	go func() {
		// Never unlocked: the thread ends with the goroutine, as nobody else may
		// be given one in another namespace.
		runtime.LockOSThread()
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("entering the network of process %d: %w", pid, err)
			return
		}
		done <- f()
	}()
	return <-done
}

// dialer connects to addresses in the network namespace of a process.
func dialer(pid int) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (connection net.Conn, err error) {
		var d net.Dialer
		// The address is a number, so the socket is made on this thread.
		err = inNetwork(pid, func() (err error) {
			connection, err = d.DialContext(ctx, network, address)
			return err
		})
		return connection, err
	}
}

// loopback turns on the loopback of the network namespace of a process.
func loopback(pid int) error {
	return inNetwork(pid, func() error {
		socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(socket)
		request, err := unix.NewIfreq("lo")
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_UP)
		return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, request)
	})
}
