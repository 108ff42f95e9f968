package collect

import (
	"golang.org/x/sys/unix"

	"alps/bpf"
)

// What a wait for a request may be.
const (
	waitConnection = bpf.RequestWaitWAIT_CONNECTION
	waitEvents     = bpf.RequestWaitWAIT_EVENTS
	waitMessage    = bpf.RequestWaitWAIT_MESSAGE
	waitRead       = bpf.RequestWaitWAIT_READ
)

// waitCalls are the system calls by which a thread may wait for a request. poll and
// select are not among those that are waits even if they return at once, as many
// look before each read and write whether they could block.
var waitCalls = map[int]bpf.RequestWait{
	unix.SYS_ACCEPT:         waitConnection,
	unix.SYS_ACCEPT4:        waitConnection,
	unix.SYS_EPOLL_PWAIT:    waitEvents,
	unix.SYS_EPOLL_PWAIT2:   waitEvents,
	unix.SYS_PPOLL:          waitMessage,
	unix.SYS_PSELECT6:       waitMessage,
	unix.SYS_RECVFROM:       waitMessage,
	unix.SYS_RECVMSG:        waitMessage,
	unix.SYS_RECVMMSG:       waitMessage,
	unix.SYS_IO_URING_ENTER: waitMessage,
	unix.SYS_READ:           waitRead,
	unix.SYS_READV:          waitRead,
}
