/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * What collect.bpf.c hands to package collect. All times are nanoseconds;
 * points in time are on CLOCK_MONOTONIC.
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
	char comm[COLLECT_COMM_LEN];
	__u32 tgid;
	__u32 threads; /* that live */
	__u32 invoked; /* it has called exec or renamed itself */
	__u32 pad;
};

/*
 * Of a process that has ended, one head with its totals. Of one that lives,
 * one head for each of its threads: the totals of the threads that have ended
 * so far, the same in each head, and the thread's own use beside them.
 *
 * After the head come path_bytes bytes: the names of the process's cgroup,
 * each with its NUL, from the cgroup itself up to below the root.
 */
struct head {
	__u64 start_ns;
	__u64 end_ns; /* 0: it lives */
	/* Sums over the threads that have ended. */
	__u64 cpu_ns;
	__u64 wait_ns; /* runnable, not running */
	__u64 life_ns; /* from a thread's start to its end */
	/* Of one thread that lives. */
	__u64 thread_cpu_ns;
	__u64 thread_wait_ns;
	__u64 thread_life_ns;
	__u32 tgid;
	__u32 threads; /* that live */
	__s32 path_bytes;
	__u32 pad;
	char comm[COLLECT_COMM_LEN];
};

/* What was lost in the kernel, by cause: the keys of the map lost. */
enum loss {
	TABLE_FULL,   /* a process that was never followed */
	RING_FULL,    /* the end of a process */
	END_NOT_SEEN, /* a process whose end was not seen */
	LOSSES,
};

_Static_assert(sizeof(struct process) == 64, "shared with Go");
_Static_assert(sizeof(struct head) == 96, "shared with Go");

#endif
