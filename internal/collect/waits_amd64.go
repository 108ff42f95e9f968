package collect

import "golang.org/x/sys/unix"

// Older system calls, which newer architectures lack.
func init() {
	waitCalls[unix.SYS_EPOLL_WAIT] = waitEvents
	waitCalls[unix.SYS_POLL] = waitMessage
	waitCalls[unix.SYS_SELECT] = waitMessage
}
