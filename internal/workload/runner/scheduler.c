// SPDX-License-Identifier: MIT
//
// scheduler.c: what the runner itself has the kernel do with its children:
// SFS's rules, and slices by class.

#include "runner.h"
#include "sfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

// --------------------------------------------------------------------- SFS

enum {
	JOB_PRIORITY = 1,
	// Above the jobs: on a machine without a spare CPU, the scheduler would
	// not come to poll them else.
	OWN_PRIORITY = 2,
};

static cpu_set_t all_cpus;
static int cpu_of[SFS_MAX_CPUS]; // the CPU of each worker

// asleep reads the state in /proc/PID/stat, as SFS does: the letter behind the
// name, which may itself have parentheses and blanks.
static bool asleep(uint32_t job)
{
	char path[64], text[512];
	const char *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", invocations[job].pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die("SFS: reading %s: %s", path, strerror(errno));
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false; // it ends just now
	text[n] = 0;
	state = strrchr(text, ')');
	return state && (state[2] == 'S' || state[2] == 'D');
}

static void set_policy(pid_t pid, int policy, int priority)
{
	const struct sched_param param = { .sched_priority = priority };

	if (sched_setscheduler(pid, policy, &param) && errno != ESRCH)
		die("SFS: giving process %d %s: %s; SFS takes root", pid,
		    (policy & ~SCHED_RESET_ON_FORK) == SCHED_FIFO ? "SCHED_FIFO" : "SCHED_NORMAL",
		    strerror(errno));
}

static void set_cpus(pid_t pid, const cpu_set_t *cpus)
{
	if (sched_setaffinity(pid, sizeof(*cpus), cpus) && errno != ESRCH)
		die("SFS: giving process %d its CPUs: %s", pid, strerror(errno));
}

static void make_fifo(uint32_t job, uint32_t worker)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu_of[worker], &one);
	set_cpus(invocations[job].pid, &one);
	set_policy(invocations[job].pid, SCHED_FIFO, JOB_PRIORITY);
}

static void make_normal(uint32_t job)
{
	set_policy(invocations[job].pid, SCHED_OTHER, 0);
	set_cpus(invocations[job].pid, &all_cpus);
}

void start_sfs(void)
{
	static const struct sfs_ops kernel = { .asleep = asleep, .fifo = make_fifo, .normal = make_normal };
	uint32_t n = 0;

	if (sched_getaffinity(0, sizeof(all_cpus), &all_cpus))
		die("SFS: reading the CPUs allowed: %s", strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE && n < SFS_MAX_CPUS; cpu++)
		if (CPU_ISSET(cpu, &all_cpus))
			cpu_of[n++] = cpu;
	set_policy(0, SCHED_FIFO | SCHED_RESET_ON_FORK, OWN_PRIORITY);
	sfs_init(&kernel, shared(n_invocations, sizeof(struct sfs_job)), n);
}

void report_sfs(void)
{
	struct sfs_counts c = sfs_counts();

	fprintf(stderr,
		"runner: SFS: T %.0f ms at the end; %" PRIu64 " turns as SCHED_FIFO, of which %" PRIu64
		" lasted for T and %" PRIu64 " ended with a sleep; %" PRIu64 " waited too long for one\n",
		(double)sfs_slice_ns() / NS_PER_MS, c.fifo, c.used_up, c.asleep, c.overload);
}

// ------------------------------------------------------------------ slices

// SCHED_ATTR_SIZE_VER0; glibc has it from 2.41 on only.
struct attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

bool set_slice(uint64_t slice_ns)
{
	const struct attr attr = { .size = sizeof(attr),
				   .policy = SCHED_OTHER,
				   .nice = getpriority(PRIO_PROCESS, 0),
				   .runtime = slice_ns };

	return !syscall(SYS_sched_setattr, 0, &attr, 0);
}

// Kernels without slices take the call and ignore it, but do not show them.
static void check_kernel(void)
{
	const uint64_t trial_ns = 7 * NS_PER_MS;
	struct attr attr = { 0 };

	if (!set_slice(trial_ns) || syscall(SYS_sched_getattr, 0, &attr, sizeof(attr), 0))
		die("--slices: setting a slice: %s", strerror(errno));
	if (attr.runtime != trial_ns)
		die("--slices: this kernel has no slices of a task's own; Linux 6.12 and newer have");
	set_slice(0); // the kernel's own again
}

void read_slices(void)
{
	enum { CLASS, FROM, SLICE, N };
	static const char *const names[N] = { "class", "from_ns", "slice_ns" };
	size_t size;
	char *text = read_all(opt.slices, &size);
	const char *p = text, *end = text + size;
	struct cell cells[MAX_CELLS];
	int where[N], n = split(&p, end, cells);

	for (int column = 0; column < N; column++) {
		where[column] = -1;
		for (int i = 0; i < n && i < MAX_CELLS; i++)
			if (cell_is(cells[i], names[column]))
				where[column] = i;
		if (where[column] < 0)
			die("%s:1: no column %s", opt.slices, names[column]);
	}
	for (size_t line = 2; (n = split(&p, end, cells)) > 0; line++) {
		uint64_t from_ns, slice_ns;

		if (n > MAX_CELLS)
			n = MAX_CELLS;
		for (int column = 0; column < N; column++)
			if (where[column] >= n)
				die("%s:%zu: %d cells are too few", opt.slices, line, n);
		if (!parse_number(cells[where[FROM]].s, cells[where[FROM]].len, INT64_MAX, &from_ns) ||
		    !parse_number(cells[where[SLICE]].s, cells[where[SLICE]].len, INT64_MAX, &slice_ns))
			die("%s:%zu: from_ns or slice_ns is not a whole number", opt.slices, line);
		if (from_ns)
			continue; // a task has one slice
		for (uint32_t i = 0; i < n_classes; i++)
			if (cell_is(cells[where[CLASS]], classes[i].name))
				classes[i].slice_ns = slice_ns;
	}
	free(text);
	check_kernel();
}
