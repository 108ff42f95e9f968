/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What the scheduler (sched.bpf.c) shares with user space (internal/load). */
#ifndef ALPS_SCHED_H
#define ALPS_SCHED_H

#ifndef __BPF__
#include <linux/types.h>
#endif

/*
 * Which records and counters the pinned maps hold. Raise it when one of them
 * changes here: a loader replaces a scheduler of another layout.
 */
#define ALPS_LAYOUT 2

#define ALPS_MAX_STEPS 8    /* from_ns rows a class */
#define ALPS_MAX_CPUS 1024  /* CPUs that the scheduler knows */
#define ALPS_MAX_DEPTH 16   /* levels of nested cgroups that are looked at */
#define ALPS_NAME_LEN 256   /* longest cgroup name and its final zero: NAME_MAX + 1 */
#define ALPS_REASON_LEN 128 /* as the kernel's SCX_EXIT_REASON_LEN */
#define ALPS_MSG_LEN 256    /* of the kernel's 1024; more is not of use in a status line */

/*
 * The policy is one hash map, from the hash of a key (alps_hash_*) to the
 * class that has it. A new policy is a new map: putting it in the place of the
 * old one is one step, so a running scheduler sees either the whole old or the
 * whole new policy.
 *
 * The entry with the hash ALPS_NO_CLASS always exists and stands for tasks
 * that no key fits; it has no steps.
 */
#define ALPS_NO_CLASS 0

#define ALPS_FALLBACK 1 /* the class is only for tasks whose name is no key either */
#define ALPS_PAPER 2    /* the paper's rules hold; in every entry of a policy, or in none */
#define ALPS_REQUEST 4  /* an invocation is a burst of a thread */
#define ALPS_CGROUP 8   /* an invocation is the spell of a cgroup; with neither, a process */

struct alps_step {
	__u64 from_ns;  /* CPU time the invocation has used, from which the step holds */
	__u64 slice_ns; /* guaranteed slice; 0: none, the fair slice is given */
	__u64 need_ns;  /* CPU time needed, from which patience comes; grows with rank */
	__u32 rank;     /* 1 is served first */
	__u32 stretch;  /* patience by ns of CPU time needed, on one CPU; 0: strict ranks */
};

/*
 * Functions wait in the order of arrival + patience. Where ranks are strict,
 * one rank is so many ns of patience: 18 minutes, in which any better rank goes
 * first. 2^20 ranks of that leave the sum below 2^62.
 */
#define ALPS_RANK_NS (1ULL << 40)
#define ALPS_MAX_RANK ((1U << 20) - 1)

/*
 * What a class was given since its policy was put in force. CPUs add to it at
 * once, atomically: a few times a turn, which takes a ms or so.
 */
struct alps_class_stats {
	__u64 turns;          /* that began */
	__u64 cpu_ns;         /* CPU time used */
	__u64 wait_ns;        /* from being queued to running, of the turns that began */
	__u64 preempted;      /* turns asked to end for an earlier deadline */
	__u64 promotions;     /* turns by the starvation bound */
	__u64 slices_used_up; /* slices used up */
};

struct alps_class {
	__u64 generation; /* of the policy; every entry of one policy has the same */
	__u64 expires_ns; /* CLOCK_MONOTONIC from which on it holds no more, likewise; 0: never */
	__u32 steps_len;  /* 1 to ALPS_MAX_STEPS; 0 in the ALPS_NO_CLASS entry */
	__u32 flags;      /* ALPS_FALLBACK and so on */
	struct alps_step steps[ALPS_MAX_STEPS]; /* by from_ns; the first has 0 */
	struct alps_class_stats stats;
};

_Static_assert(sizeof(struct alps_step) == 32, "alps_step");
_Static_assert(sizeof(struct alps_class) == 24 + ALPS_MAX_STEPS * 32 + 48, "alps_class");

/*
 * How long a function may be passed by after its arrival, in fair time, that needs
 * so much CPU time: stretch times that on one CPU, and the nearer to it the more
 * CPUs there are (docs/decisions/0010).
 */
static inline __u64 alps_patience_ns(const struct alps_step *step, __u64 need_ns, __u64 cpus)
{
	if (!step->stretch)
		return step->rank * ALPS_RANK_NS;
	return need_ns + need_ns * (step->stretch - 1) / (cpus * cpus);
}

/*
 * The policy in force as text, for people: CSV in chunks, in a map of its own.
 * The text of generation g is in slot g % 2 of the map `texts`, written before
 * the policy of that generation is.
 */
#define ALPS_TEXT_CHUNK 4096

struct alps_text_head { /* chunk 0 begins with it, the CSV follows */
	__u64 generation;
	__u64 bytes;       /* of the CSV */
	__s64 window;      /* the policy's */
	__s64 loaded_unix; /* when it was loaded, in ns since 1970 */
	__u64 max_age_ns;  /* for how long it holds; 0: until the next one */
	__u32 classes;     /* of the policy; one may have several keys */
	__u32 stretch;     /* 0: ranks are strict */
};

struct alps_text_chunk {
	char bytes[ALPS_TEXT_CHUNK];
};

_Static_assert(sizeof(struct alps_text_head) == 48, "alps_text_head");

/* Why the scheduler left; kind 0 while it has not. */
struct alps_exit {
	__u64 kind; /* enum scx_exit_kind */
	__s64 code;
	char reason[ALPS_REASON_LEN];
	char msg[ALPS_MSG_LEN];
};

_Static_assert(sizeof(struct alps_exit) == 16 + ALPS_REASON_LEN + ALPS_MSG_LEN, "alps_exit");

/* Indices of the per-CPU counters in the map `counters`. */
enum alps_counter {
	ALPS_CLASS_TURNS,    /* turns that began, of tasks with a class */
	ALPS_SYSTEM_TURNS,   /* the same, of tasks without one */
	ALPS_PREEMPTIONS,    /* running tasks asked to leave for a better rank */
	ALPS_KEPT,           /* tasks that went on at the end of a slice, being first anyway */
	ALPS_PROMOTIONS,     /* tasks served out of turn by the starvation bound */
	ALPS_RESOLVED,       /* look-ups of a task's class by its cgroup or name */
	ALPS_LOST,           /* turns in which a task could not be followed for want of memory */
	ALPS_CLASS_CPU_NS,   /* CPU time of tasks with a class */
	ALPS_SYSTEM_CPU_NS,  /* the same, of tasks without one */
	ALPS_SYSTEM_WAIT_NS, /* what those waited, from being queued to running */
	ALPS_SLICES_USED_UP, /* slices used up, of tasks with a class */
	ALPS_COUNTERS_LEN,
};

/*
 * The hash of a key. A cgroup's is built from its parent's, one path component
 * after the other, in words of 8 bytes of the zero-padded name; the root's is
 * ALPS_HASH_CGROUP. A thread name's starts from ALPS_HASH_COMM. internal/load
 * has the same in Go and refuses a policy in which two keys collide; that an
 * unlisted cgroup collides with a listed key has the odds of 64 random bits.
 */
#define ALPS_HASH_CGROUP 0x9ae16a3b2f90404fULL
#define ALPS_HASH_COMM 0xc3a5c85c97cb3127ULL

static inline __u64 alps_hash_word(__u64 hash, __u64 word)
{
	hash ^= word;
	hash *= 0x9fb21c651e98df25ULL;
	return hash ^ (hash >> 32);
}

#endif
