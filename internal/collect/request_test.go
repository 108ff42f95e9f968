package collect

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"alps/internal/stream"
)

// requestsOf are the options of a run where an invocation is a request to the
// processes of that name.
func requestsOf(name string) Options {
	o := byComm(name)
	o.Invocation, o.MinRequest = stream.Request, time.Millisecond
	return o
}

// notRun tells whether the collector has said that the kernel left its programs out, as
// 7.x does to one that preempts another on its CPU. Where each system call is looked at, in
// an emulator, that happens hundreds of times a run. A request may then be missing.
func notRun(s *session) bool {
	return strings.Contains(s.messages.String(), "tracing program already running on the CPU")
}

// wantRequests fails the test unless the rows are requests that took about so much:
// the server cannot tell what it takes to answer, and in an emulator that is ms.
func wantRequests(t *testing.T, s *session, rows []stream.Invocation, name string, want []time.Duration) {
	t.Helper()
	if len(rows) < len(want) && notRun(s) {
		t.Skipf("%d of %d requests, as the kernel left programs out; it was counted:\n%s", len(rows), len(want), &s.messages)
	}
	if len(rows) != len(want) {
		t.Fatalf("%d rows, want %d: %+v\n%s", len(rows), len(want), rows, &s.messages)
	}
	for i := range rows {
		row := &rows[i]
		if got := time.Duration(row.CPUNs); got < want[i]-want[i]/50-time.Millisecond-slack() || got > want[i]+want[i]/2+10*time.Millisecond+slack() {
			t.Errorf("CPU time %v, the kernel says %v and what it takes to answer", got, want[i])
		}
		if row.Kind != stream.Request || string(row.Class) != name || !row.EndNs.Valid {
			t.Errorf("%+v", row)
		}
		// One thread runs, waits or sleeps; the clocks of the three differ a little.
		life, sum := row.EndNs.Nanos-row.ArrivalNs, row.CPUNs+row.WaitNs+row.BlockNs
		if off, more := sum-life, stream.Nanos(slack()); off < -1e6-more || off > max(life/10, 1e6)+more {
			t.Errorf("lasts %d, but runs, waits and sleeps for %d: %+v", life, sum, row)
		}
		if i > 0 && row.ArrivalNs < rows[i-1].EndNs.Nanos {
			t.Errorf("begins before the one before ended: %+v, %+v", rows[i-1], row)
		}
	}
}

// wantArrivals fails the test if a request arrived before it was sent, or after the next
// one was. To sleep is not to wait for a CPU.
func wantArrivals(t *testing.T, rows []stream.Invocation, sent []instant) {
	t.Helper()
	for i, row := range rows {
		got, clocks := int64(row.ArrivalNs), int64(100*time.Microsecond+slack())
		if got < sent[i].monotonicNs-clocks || i+1 < len(sent) && got > sent[i+1].monotonicNs {
			t.Errorf("request %d was sent at %d: %+v", i, sent[i].monotonicNs, row)
		}
	}
}

func wantNow(t *testing.T) instant {
	t.Helper()
	begin, err := now()
	if err != nil {
		t.Fatal(err)
	}
	return begin
}

// The CPU time of a request is what the thread has used between two waits.
func TestRequestCPUTimeIsTheKernels(t *testing.T) {
	for _, how := range []string{"recv", "read"} {
		t.Run(how, func(t *testing.T) {
			const name = "fn-exact"
			s := collect(t, requestsOf(name))
			server := startServer(t, name, how)
			server.ask("5ms")
			var want []time.Duration
			for _, burn := range []string{"20ms", "5ms", "100ms", "5ms", "20ms", "0s"} {
				_, before := server.ask(burn)
				want = append(want, before)
			}
			rows := s.finish()
			if len(rows) < len(want) && notRun(s) {
				t.Skipf("%d of %d requests:\n%s", len(rows), len(want), &s.messages)
			}
			if len(rows) < len(want) {
				t.Fatalf("%d rows, want %d: %+v", len(rows), len(want), rows)
			}
			off := 0
			for i := range want {
				// In an emulator, the way into the kernel and out takes long, and the
				// CPU may stop on it.
				if got := time.Duration(rows[i].CPUNs); !aboutEqual(got, want[i]) && !aboutEqual(got-min(4*time.Millisecond, max(got-want[i], 0)), want[i]) {
					t.Logf("CPU time %v, the kernel says %v: %+v", got, want[i], rows[i])
					off++
				}
			}
			if off > 1 {
				t.Errorf("%d of %d CPU times are not the kernel's", off, len(want))
			}
		})
	}
}

// However a server waits for requests, each is an invocation; what is shorter than a
// request is none, and counted.
func TestRequests(t *testing.T) { testRequests(t, false) }

// The same where nothing can be attached to the return of a function.
func TestRequestsOfAllCalls(t *testing.T) { testRequests(t, true) }

func testRequests(t *testing.T, allCalls bool) {
	for how := range servers {
		t.Run(how, func(t *testing.T) {
			const name = "fn-requests"
			options := requestsOf(name)
			// What burns nothing takes up to 25ms on slow CPUs.
			options.MinRequest, options.allCalls = 75*time.Millisecond, allCalls
			s := collect(t, options)
			server := startServer(t, name, how)
			server.idle()
			var want []time.Duration
			var sent []instant
			for _, burn := range []string{"100ms", "150ms", "0s", "300ms", "100ms"} {
				begin := wantNow(t)
				if used, _ := server.ask(burn); burn != "0s" {
					want, sent = append(want, used), append(sent, begin)
				}
			}
			rows := s.finish()
			wantRequests(t, s, rows, name, want)
			wantArrivals(t, rows, sent)
			wantMessage(t, s, "bursts of less than 75ms of CPU time were no requests")
			if allCalls {
				wantMessage(t, s, "each system call of every process is looked at")
			}
		})
	}
}

// The kernels that have sched_ext do with less than a look at each system call. In the
// BTF of Debian's 6.1 the functions of some calls are there twice.
func TestRequestsByReturns(t *testing.T) {
	needKernel(t)
	traced, err := newTracer(&Options{Invocation: stream.Request, sizes: defaultSizes})
	if err != nil {
		t.Fatal(err)
	}
	defer traced.Close()
	const schedExt = 6<<16 | 12<<8
	switch {
	case traced.allCalls == nil:
	case slack() == 0 || checkVersion(schedExt, "this test") != nil: // another kernel
		t.Skip(traced.allCalls)
	default:
		t.Error(traced.allCalls)
	}
}

// A thread that waits for something else than a message on a socket goes on with its
// request.
func TestRequestThatReadsAPipe(t *testing.T) {
	const name = "fn-pipe"
	options := requestsOf(name)
	options.MinRequest = 15 * time.Millisecond // other threads of Go's runtime take ms on slow CPUs
	s := collect(t, options)
	connection, theirs := socketPair(t)
	defer theirs.Close()
	reads, writes, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reads.Close()
	defer writes.Close()
	cmd := body(t, name, "pipe")
	cmd.ExtraFiles = []*os.File{theirs, reads}
	start(t, cmd)
	server := &client{t: t, pid: cmd.Process.Pid}
	server.idle()
	for range 2 {
		connection.Write([]byte("x"))
		connection.Read(make([]byte, 1)) // half of it
		server.idle()
		time.Sleep(20 * time.Millisecond)
		writes.Write([]byte("x"))
		connection.Read(make([]byte, 1))
		server.idle()
	}
	time.Sleep(200 * time.Millisecond) // the runtime of Go may have its thread sleep too
	wantRequests(t, s, s.finish(), name, []time.Duration{40 * time.Millisecond, 40 * time.Millisecond})
}

// A server that was there before, and waits when the collector comes.
func TestRequestsToAServerFromBefore(t *testing.T) {
	const name = "fn-old"
	needKernel(t)
	for how := range servers {
		t.Run(how, func(t *testing.T) {
			server := startServer(t, name, how)
			server.ask("5ms")
			options := requestsOf(name)
			options.MinRequest = 15 * time.Millisecond // what burns nothing takes ms on slow CPUs
			s := collect(t, options)
			var want []time.Duration
			var sent []instant
			for _, burn := range []string{"20ms", "40ms", "20ms"} {
				sent = append(sent, wantNow(t))
				used, _ := server.ask(burn)
				want = append(want, used)
			}
			rows := s.finish()
			wantRequests(t, s, rows, name, want)
			wantArrivals(t, rows, sent)
		})
	}
}

// Connections that have come while the server was busy are requests of their own,
// though it does not wait for any of them, and though short waits are none.
func TestRequestsOfABacklog(t *testing.T) {
	const name = "fn-backlog"
	for _, how := range []string{"accept", "epoll"} {
		t.Run(how, func(t *testing.T) {
			options := requestsOf(name)
			options.MinRequest, options.MergeRequest = 15*time.Millisecond, 300*time.Millisecond
			s := collect(t, options)
			server := startServer(t, name, how)
			var all []asked
			for range 5 {
				all = append(all, server.send("20ms"))
			}
			var want []time.Duration
			for _, one := range all {
				used, _ := one.answer()
				want = append(want, used)
			}
			server.idle()
			time.Sleep(time.Second) // more than a short wait
			wantRequests(t, s, s.finish(), name, want)
		})
	}
}

// A request that waits for a back end has two bursts, which are one request where
// such short waits are none.
func TestRequestsMerge(t *testing.T) {
	const name = "fn-merge"
	for _, test := range []struct {
		merge time.Duration
		want  int
	}{{0, 4}, {800 * time.Millisecond, 2}} {
		t.Run(test.merge.String(), func(t *testing.T) {
			options := requestsOf(name)
			options.MergeRequest = test.merge
			options.MinRequest = 10 * time.Millisecond // other threads of Go's runtime take ms on slow CPUs
			s := collect(t, options)
			server := startServer(t, name, "recv")
			server.idle()
			var total time.Duration
			for range 2 {
				one := server.send("20ms+30ms")
				one.connection.Read(make([]byte, 64)) // half of it
				server.idle()
				time.Sleep(200 * time.Millisecond)
				one.connection.Write([]byte("back"))
				used, _ := one.answer()
				total += used
				server.idle()
				time.Sleep(time.Second) // more than merge
			}
			rows := s.finish()
			if len(rows) < test.want && notRun(s) {
				t.Skipf("%d of %d requests:\n%s", len(rows), test.want, &s.messages)
			}
			var got time.Duration
			for _, row := range rows {
				got += time.Duration(row.CPUNs)
				// The runtime of Go may have its thread sleep as well, not for so long.
				if slept := row.Sleeps > 0 && row.BlockNs > 150e6; slept != (test.want == 2) {
					t.Errorf("slept %v: %+v", slept, row)
				}
			}
			if len(rows) != test.want || got < total-time.Millisecond-slack() || got > total+total/2+slack() {
				t.Errorf("%d requests of %v, want %d of %v: %+v", len(rows), got, test.want, total, rows)
			}
		})
	}
}

// A request that spans windows has a row in each, and its end in the last; one that is
// over has its end though its thread waits on.
func TestRequestsLivingComeAgain(t *testing.T) {
	const name = "fn-spans"
	options := requestsOf(name)
	options.Window = 100 * time.Millisecond
	s := collect(t, options)
	server := startServer(t, name, "recv")
	want, _ := server.ask("450ms")
	time.Sleep(250 * time.Millisecond)
	rows := s.finish()
	if len(rows) < 3 {
		t.Fatalf("%d rows: %+v", len(rows), rows)
	}
	for i, row := range rows {
		last := i == len(rows)-1
		if row.EndNs.Valid != last || row.Invocation != rows[0].Invocation || i > 0 && row.CPUNs < rows[i-1].CPUNs {
			t.Errorf("row %d of %d: %+v", i, len(rows), row)
		}
	}
	wantRequests(t, s, rows[len(rows)-1:], name, []time.Duration{want})
}

// A thread that is killed while it serves a request.
func TestRequestOfAKilledServer(t *testing.T) {
	const name = "fn-killed"
	s := collect(t, requestsOf(name))
	server := startServer(t, name, "recv")
	server.ask("0s")
	server.send("1h")
	time.Sleep(200 * time.Millisecond)
	syscall.Kill(server.pid, syscall.SIGKILL)
	time.Sleep(100 * time.Millisecond)
	rows := s.finish()
	if len(rows) == 0 || !rows[len(rows)-1].EndNs.Valid {
		t.Errorf("no end: %+v", rows)
	}
}

func TestRequestsOfTooManyThreads(t *testing.T) {
	const name = "fn-many"
	options := requestsOf(name)
	options.sizes = sizes{Invocations: 1, RingBytes: 4096}
	s := collect(t, options)
	for range 2 {
		server := startServer(t, name, "recv")
		server.ask("1ms")
		server.ask("1ms")
	}
	s.finish()
	wantMessage(t, s, "more alive at once than the table holds")
}

// However short a burst, and whatever the kernel had booked when it began, it has used
// no less than nothing: none of these is as long as a request.
func TestShortBurstsAreNoRequests(t *testing.T) {
	const name = "fn-short"
	options := requestsOf(name)
	options.MinRequest = time.Hour
	s := collect(t, options)
	server := startServer(t, name, "recv")
	for end := time.Now().Add(3 * time.Second); time.Now().Before(end); {
		server.send("0s").answer()
	}
	if rows := s.finish(); len(rows) > 0 {
		t.Errorf("%d rows: %+v", len(rows), rows)
	}
	wantMessage(t, s, "bursts of less than 1h0m0s of CPU time were no requests")
}
