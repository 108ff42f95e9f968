/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * What the programs of alps-collect hand to package collect, whatever the kind
 * of invocation. All times are nanoseconds; points in time are on
 * CLOCK_MONOTONIC.
 */
#ifndef ALPS_COLLECT_H
#define ALPS_COLLECT_H

#define COLLECT_COMM_LEN 16
#define COLLECT_PATH_BYTES 1024 /* a cgroup's path, all names together */
#define COLLECT_NAME_BYTES 256  /* one name in it: NAME_MAX and the NUL */
#define COLLECT_PATH_DEPTH 32   /* names in a path */

/* path_bytes of a cgroup whose path is longer or deeper than the above. */
#define COLLECT_PATH_TOO_LONG (-1)

/* A process that was forked since the collector was attached. */
struct process {
	__u64 start_ns;
	/* Sums over the threads that have ended, as in struct head. */
	__u64 cpu_ns;
	__u64 wait_ns;
	__u64 life_ns;
	__u64 switches;
	__u64 sleeps;
	__u64 exec_id; /* of its leader when it was forked */
	char comm[COLLECT_COMM_LEN];
	__u32 tgid;
	__u32 threads; /* that have run and have not ended */
	__u32 invoked; /* it has called exec or renamed itself */
	__u32 over;    /* its last thread has ended */
};

/* A burst of a thread between two waits for a request. */
struct burst {
	__u64 state; /* enum burst_state in the low bits, above them a count of changes */
	__u64 thread_start_ns;
	__u64 start_ns;
	__u64 wait_ns; /* when the wait began, or it went to sleep for it */
	/* The thread's sums when the burst began, and when the wait did. */
	struct use {
		__u64 cpu_ns;
		__u64 wait_ns;
		__u64 switches;
		__u64 sleeps;
	} begin, end;
	__u32 tid;
	__u32 unseen; /* it may be in a call whose return will not be seen */
};

/* A spell of a cgroup that is neither frozen nor empty. */
struct spell {
	__u64 start_ns;
	__u64 freeze_ns; /* 0, or when it was told to freeze */
	struct use used; /* by stints on a CPU that are over */
	__u32 tgid;      /* of one of its processes */
	__u32 pad;
};

/*
 * Of an invocation that has ended, one head with its totals. Of one that lives,
 * one head for each of its threads: the totals so far, the same in each head,
 * and what the thread adds to them beside it. Of a process the totals are those
 * of the threads that have ended, of a cgroup those of stints on a CPU that are
 * over; a request is of one thread, which has it all.
 *
 * After the head come path_bytes bytes: the names of the cgroup, each with its
 * NUL, from the cgroup itself up to below the root.
 */
struct head {
	__u64 id; /* the process's pid, the thread's, or the cgroup's id */
	__u64 start_ns;
	__u64 end_ns; /* 0: it lives */
	__u64 cpu_ns;
	__u64 wait_ns;  /* runnable, not running */
	__u64 life_ns;  /* from a thread's start to its end, or the invocation's */
	__u64 switches; /* away from a CPU */
	__u64 sleeps;   /* those of them that were of its own will */
	__u64 thread_cpu_ns;
	__u64 thread_wait_ns;
	__u64 thread_life_ns;
	__u64 thread_switches;
	__u64 thread_sleeps;
	__u64 process_start_ns; /* of a request: when its process started */
	__u32 tgid;             /* of a cgroup: one of its processes */
	__u32 threads;          /* that live and have run */
	__s32 path_bytes;
	__u32 pad;
	char comm[COLLECT_COMM_LEN];
};

/* What was lost in the kernel, by cause: the keys of the map lost. */
enum loss {
	TABLE_FULL,   /* an invocation that was never followed */
	RING_FULL,    /* the end of an invocation */
	END_NOT_SEEN, /* an invocation whose end was not seen */
	LOSSES,
};

/* The classes of system calls in the map waits. */
enum wait {
	WAIT_NONE,
	WAIT_CONNECTION, /* for a connection: one that comes is a request */
	WAIT_EVENTS,     /* for any of several: what comes is a request */
	WAIT_MESSAGE,    /* for one: it is a request if the thread slept for it */
	WAIT_READ,       /* the same, of a file that may be no socket */
};

enum { WAITS = 1024 }; /* system calls, by number */

_Static_assert(sizeof(struct process) == 88, "shared with Go");
_Static_assert(sizeof(struct spell) == 56, "shared with Go");
_Static_assert(sizeof(struct head) == 144, "shared with Go");

#endif
