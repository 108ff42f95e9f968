// SPDX-License-Identifier: MIT
//
// runner.h: what the parts of the runner share. runner.c says what it is.

#ifndef RUNNER_H
#define RUNNER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define NS_PER_MS 1000000ULL
#define NS_PER_S 1000000000ULL

enum {
	MAX_CLASSES = 4096,
	MAX_CLASS_LEN = 63,
	COMM_LEN = 16, // TASK_COMM_LEN, with the final NUL
	MAX_INVOCATIONS = 10000000,
	MAX_SLEEPS = 1000000,
	// A demand or a sleep is at most a day; so no product overflows.
	MAX_DEMAND_S = 86400,
	MAX_LOOPS_PER_MS = 10000000,
};

struct class
{
	char name[MAX_CLASS_LEN + 1];
	char comm[COMM_LEN];
	int cgroup;        // directory, -1 without cgroups
	bool made;         // the directory was made by us
	uint64_t slice_ns; // of its children; 0: the kernel's own
};

// One invocation: what the trace asks, and what became of it. Times are on
// CLOCK_MONOTONIC; arrival_ns alone counts from the start of the run.
struct invocation {
	uint64_t arrival_ns;
	uint64_t demand_ns;
	uint64_t sleep_ns;
	uint32_t sleeps;
	uint32_t class;

	// Written by the daemon.
	uint64_t fork_ns;
	uint64_t rusage_cpu_ns;
	uint64_t voluntary, involuntary;
	pid_t pid; // 0 before the fork
	bool reaped;

	// Written by the child; end_ns is its last act.
	uint64_t start_ns;
	uint64_t cpu_ns;
	uint64_t end_ns;
};

struct options {
	const char *trace;
	const char *cgroup_root;
	const char *slices; // a policy, NULL for none
	bool no_cgroup, keep_cgroups, calibrate_only, by_clock, sfs;
	uint64_t loops_per_ms;
	uint64_t limit;
	int nice;
};

extern struct options opt;
extern struct class *classes;
extern uint32_t n_classes;
extern struct invocation *invocations;
extern uint32_t n_invocations;

// runner.c

// die kills what runs, removes the cgroups, says why and exits with 1.
void die(const char *fmt, ...) __attribute__((noreturn, format(printf, 1, 2)));
// shared returns zeroed memory that the children write to as well.
void *shared(size_t count, size_t size);

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static inline struct timespec to_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S) };
}

// work.c

// burn turns the loop that is the functions' work so many times.
void burn(uint64_t loops);
// burn_until burns until the process has used so much CPU time in all.
void burn_until(uint64_t cpu_ns);
// calibrate measures how many turns of burn take a millisecond of CPU time.
uint64_t calibrate(void);

// options.c

void parse_options(int argc, char **argv);
// parse_number reads a whole decimal number of at most max.
bool parse_number(const char *s, size_t len, uint64_t max, uint64_t *out);

// trace.c

// read_trace fills classes and invocations from the file of the options.
void read_trace(void);

enum { MAX_CELLS = 32 };

struct cell {
	const char *s;
	size_t len;
};

// read_all returns the whole of a file, to be freed; - is stdin.
char *read_all(const char *path, size_t *size);
// split cuts the line at *p into cells and moves *p behind it. It returns the
// number of cells, of which it keeps MAX_CELLS; 0 at the end of the text.
int split(const char **p, const char *end, struct cell *cells);
bool cell_is(struct cell c, const char *s);

// scheduler.c

// start_sfs makes this process the scheduler of SFS, by the rules of sfs.h.
void start_sfs(void);
// report_sfs says what it came to.
void report_sfs(void);
// read_slices gives the classes the slices of the options' policy.
void read_slices(void);
// set_slice gives the calling process a slice.
bool set_slice(uint64_t slice_ns);

// cgroup.c

// make_cgroups makes and opens a cgroup for each class.
void make_cgroups(void);
// remove_cgroups removes those that make_cgroups made.
void remove_cgroups(void);

#endif
