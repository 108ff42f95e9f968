// SPDX-License-Identifier: MIT
//
// runner: replays a trace of function invocations as processes, and reports
// what became of each.
//
//   runner [options] TRACE.csv > RESULT.csv
//
// It stands for the daemon of a FaaS platform. At each arrival it forks a
// child straight into the cgroup of the child's class, as a container's
// process would be; the child burns its CPU demand and exits. Nothing is
// written while the workload runs.
//
// The demand is fixed work, a number of turns of a loop measured once at the
// start. A child that watched its own CPU clock instead (--by-clock) would do
// less work the more a scheduler costs it, and so hide part of that cost.
//
// All tables are in shared mappings: fork copies no page tables of those, so
// a child costs the same however long the trace is.

#include "runner.h"
#include "sfs.h"

#include <errno.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	// Between the set-up and the first arrival.
	LEAD_MS = 10,
	// PID_MAX_LIMIT of 64-bit kernels.
	MAX_PIDS = 4194304,
};

static uint32_t *by_pid; // index of the invocation that has the pid
static uint32_t running;

static void cleanup(void);

void die(const char *fmt, ...)
{
	va_list args;

	cleanup();
	fputs("runner: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void *shared(size_t count, size_t size)
{
	size_t bytes = count * size;
	void *p =
		mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("getting %zu bytes of shared memory: %s", bytes, strerror(errno));
	return p;
}

static uint64_t now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

// cleanup leaves no child and no cgroup behind.
static void cleanup(void)
{
	for (uint32_t i = 0; running && i < n_invocations; i++)
		if (invocations[i].pid && !invocations[i].reaped)
			kill(invocations[i].pid, SIGKILL);
	while (running && (waitpid(-1, NULL, 0) > 0 || errno == EINTR))
		;
	running = 0;
	remove_cgroups();
}

// --------------------------------------------------------------- the child

__attribute__((noreturn)) static void child(struct invocation *inv, pid_t daemon)
{
	inv->start_ns = now_ns();

	uint64_t parts = (uint64_t)inv->sleeps + 1;
	uint64_t loops = inv->demand_ns / NS_PER_MS * opt.loops_per_ms +
			 (inv->demand_ns % NS_PER_MS * opt.loops_per_ms + NS_PER_MS / 2) / NS_PER_MS;
	const struct timespec nap = to_timespec(inv->sleep_ns);

	// A child does not outlive a daemon that is killed.
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != daemon)
		_exit(1);
	prctl(PR_SET_NAME, classes[inv->class].comm);
	if (classes[inv->class].slice_ns && !set_slice(classes[inv->class].slice_ns))
		_exit(1);
	for (uint64_t i = 0; i < parts; i++) {
		if (i)
			nanosleep(&nap, NULL);
		if (opt.by_clock)
			burn_until(inv->demand_ns / parts * (i + 1) +
				   (i + 1 == parts ? inv->demand_ns % parts : 0));
		else
			burn(loops / parts + (i < loops % parts));
	}
	// The end comes first: to read the CPU clock is to bring the kernel's
	// account up to date, and there EEVDF (update_curr) ends the turn of a task
	// whose slice is used up, which else goes on to the tick.
	inv->end_ns = now_ns();
	inv->cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	// The bare system call: no handlers, no buffers of the daemon's.
	for (;;)
		syscall(SYS_exit_group, 0);
}

// -------------------------------------------------------------- the daemon

static void start(struct invocation *inv)
{
	const struct class *class = &classes[inv->class];
	struct clone_args args = { .exit_signal = SIGCHLD };
	static pid_t self;
	long pid;

	if (!self)
		self = getpid();
	if (class->cgroup >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)class->cgroup;
	}
	inv->fork_ns = now_ns();
	// Without a stack of its own the child goes on here, as after fork.
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		die("starting invocation %td of class %s: clone3: %s", inv - invocations + 1, class->name,
		    strerror(errno));
	if (pid == 0)
		child(inv, self);
	inv->pid = (pid_t)pid;
	by_pid[pid] = (uint32_t)(inv - invocations);
	running++;
	if (opt.sfs)
		sfs_arrive((uint32_t)(inv - invocations), now_ns());
}

static void reap(void)
{
	struct rusage usage;
	int status;
	pid_t pid;

	while (running && (pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		struct invocation *inv = &invocations[by_pid[pid]];

		running--;
		inv->reaped = true;
		if (opt.sfs)
			sfs_done((uint32_t)(inv - invocations), now_ns());
		inv->rusage_cpu_ns = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * NS_PER_S +
				     (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
		inv->voluntary = (uint64_t)usage.ru_nvcsw;
		inv->involuntary = (uint64_t)usage.ru_nivcsw;
		if (!WIFEXITED(status) || WEXITSTATUS(status) || !inv->end_ns)
			die("invocation %td of class %s ended early: %s %d", inv - invocations + 1,
			    classes[inv->class].name, WIFSIGNALED(status) ? "signal" : "exit status",
			    WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
	}
}

// run replays the trace from start_ns on. It sleeps until the next arrival is
// due or a child ends, whichever comes first: SIGCHLD is blocked, so one that
// comes before the wait ends the wait at once.
static void run(uint64_t start_ns, const sigset_t *signals)
{
	uint32_t next = 0;
	uint64_t poll_ns = start_ns; // when SFS looks after its jobs next

	while (next < n_invocations || running) {
		bool room = !opt.limit || running < opt.limit;
		uint64_t now = now_ns(), wake_ns = UINT64_MAX;
		struct timespec left;
		int sig;

		if (next < n_invocations && room) {
			uint64_t due = start_ns + invocations[next].arrival_ns;

			if (due <= now) {
				start(&invocations[next++]);
				continue;
			}
			wake_ns = due;
		}
		if (opt.sfs && sfs_busy()) {
			if (poll_ns <= now) {
				sfs_poll(now);
				poll_ns = now + SFS_POLL_NS;
			}
			if (poll_ns < wake_ns)
				wake_ns = poll_ns;
		}
		left = wake_ns == UINT64_MAX ? (struct timespec){ .tv_sec = INT_MAX }
					     : to_timespec(wake_ns - now);
		sig = sigtimedwait(signals, NULL, &left);
		if (sig == SIGCHLD)
			reap();
		else if (sig > 0)
			die("stopped by signal %d after %" PRIu32 " of %" PRIu32 " invocations", sig, next,
			    n_invocations);
		else if (errno != EAGAIN && errno != EINTR)
			die("waiting for arrivals: %s", strerror(errno));
	}
}

static void be_daemon(sigset_t *signals)
{
	const struct sched_param none = { 0 };

	sigemptyset(signals);
	sigaddset(signals, SIGCHLD);
	sigaddset(signals, SIGINT);
	sigaddset(signals, SIGTERM);
	sigaddset(signals, SIGHUP);
	sigprocmask(SIG_BLOCK, signals, NULL);
	// A SIGCHLD that our parent ignored would be ignored here too, and
	// children that nobody waits for would vanish with their accounts.
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_TIMERSLACK, 1);
	if (opt.nice) {
		// The children start again from nice 0.
		if (sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none) ||
		    setpriority(PRIO_PROCESS, 0, opt.nice))
			die("setting nice %d: %s", opt.nice, strerror(errno));
	}
}

static void print_results(uint64_t start_ns)
{
	puts("invocation,class,arrival_ns,start_ns,end_ns,cpu_ns,switches,"
	     "clock_ns,fork_ns,demand_ns,block_ns,rusage_cpu_ns,voluntary,involuntary,pid,sleeps");
	for (uint32_t i = 0; i < n_invocations; i++) {
		const struct invocation *inv = &invocations[i];

		printf("%" PRIu32 ",%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64
		       ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%d,%" PRIu32
		       "\n",
		       i + 1, classes[inv->class].name, inv->arrival_ns, inv->start_ns - start_ns,
		       inv->end_ns - start_ns, inv->cpu_ns, inv->voluntary + inv->involuntary,
		       start_ns + inv->arrival_ns, inv->fork_ns - start_ns, inv->demand_ns,
		       inv->sleep_ns * inv->sleeps, inv->rusage_cpu_ns, inv->voluntary, inv->involuntary,
		       inv->pid, inv->sleeps);
	}
	if (fflush(stdout) || ferror(stdout))
		die("writing the results: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	sigset_t signals;
	uint64_t start_ns;

	parse_options(argc, argv);
	if (opt.calibrate_only) {
		printf("%" PRIu64 "\n", calibrate());
		return fflush(stdout) ? 1 : 0;
	}
	read_trace();
	if (opt.slices)
		read_slices();
	by_pid = shared(MAX_PIDS, sizeof(*by_pid));
	be_daemon(&signals);
	if (!opt.no_cgroup)
		make_cgroups();
	if (!opt.loops_per_ms)
		opt.loops_per_ms = calibrate();
	fprintf(stderr, "runner: %" PRIu32 " invocations of %" PRIu32 " classes, %" PRIu64 " loops per ms\n",
		n_invocations, n_classes, opt.loops_per_ms);
	if (opt.sfs)
		start_sfs();
	start_ns = now_ns() + LEAD_MS * NS_PER_MS;
	run(start_ns, &signals);
	cleanup();
	if (opt.sfs)
		report_sfs();
	print_results(start_ns);
	return 0;
}
