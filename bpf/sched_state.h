/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* What the scheduler (sched.bpf.c) remembers: of each task, of each CPU, of all. */
#ifndef ALPS_SCHED_STATE_H
#define ALPS_SCHED_STATE_H

/* Load-time choices; internal/load sets them. */

/* Slice of a task that has no guaranteed one, in ns; never 0. */
const volatile __u64 fair_slice_ns = 3000000;
/* A task that waited longer is served out of turn, in ns; 0: never. */
const volatile __u64 max_wait_ns = 1000000000;
/* Slice of a task served out of turn, in ns; ticks make it longer. */
const volatile __u64 promoted_slice_ns = 1000000;
/* CPUs that may ever be online. */
const volatile __u32 possible_cpus = 1;

/* The key of what a CPU runs: a function's virtual deadline, or one of these. */
#define KEY_SYSTEM 0
#define KEY_IDLE ~0ULL

/* Sizes, not types: clang leaves types that only an inner map names undefined. */
struct policy_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u64));
	__uint(value_size, sizeof(struct alps_class));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct policy_map);
} policy SEC(".maps");

struct text_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP); /* of any length */
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct alps_text_chunk));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct text_map);
} texts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, ALPS_COUNTERS_LEN);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct alps_exit);
} left SEC(".maps");

/* What is known of a task. All of it is written by the CPU that holds the
 * task's run queue lock, but for attained_ns, which the threads of a process
 * add to at once. */
struct task_ctx {
	__u64 key_hash;     /* of the policy's key that fits; ALPS_NO_CLASS: none */
	__u64 generation;   /* of the policy in which key_hash was found */
	__u64 cgroup_id;    /* for which it was found */
	__u64 raw_comm[2];  /* likewise; the name and what is behind it */
	__u64 attained_ns;  /* CPU time of the process, kept in its leader's */
	__u64 counted_ns;   /* part of the task's CPU time that is in attained_ns */
	__u64 vtime;        /* system tasks: CPU time by the share that was due */
	__u64 used_ns;      /* functions, by the paper's rules: virtual time */
	__u64 arrived_ns;   /* fair time at which the task was first seen */
	__u64 queued_ns;    /* when it was last queued; 0: it has run since */
	__u64 slice_end_ns; /* functions: CPU time of the task at which the slice at hand is used up */
	__u64 key;          /* functions: virtual deadline, for the slice at hand; else KEY_SYSTEM */
	__u64 patience_ns;  /* the part of it that is its rank's; system tasks: 0 */
	__u32 cpu_found;    /* select_cpu has found an idle CPU for it */
	__u32 promoted;     /* its turn is out of turn */
	__u32 counted;      /* it is one of runnable_functions */
	__u32 active;       /* system tasks: its weight in its group's active; 0: not in it */
	__u64 slept_ns;     /* when it went to sleep; 0: it has not, since it was last queued */
	__u64 burst_ns;     /* requests: its CPU time when the burst began */
	__u64 spell;        /* cgroups: of which cgroup's spell it is a part; 0: of none */
	__u32 woken;        /* it has slept for so long that another burst begins */
	__u32 waits_in;     /* of which queues it is one that waits (sched_queue.h); 0: none */
	__u32 turns;        /* functions: that the class's figures do not have yet */
	__u32 promotions;   /* likewise */
	__u64 wait_ns;      /* likewise */
	__u64 task_group;   /* system tasks: the struct task_group in which it is active */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct task_ctx);
} tasks SEC(".maps");

/* An invocation that is all that a cgroup does until it is frozen or empty. */
struct spell {
	__u64 attained_ns; /* CPU time of all its tasks */
	__u64 arrived_ns;  /* fair time at which it began */
	__u32 tasks;       /* that are a part of it */
	__u32 ended;       /* the next task of the cgroup begins another one */
};

#define SPELLS_MAX 65536

/* By the cgroup's id. Of more, those that are not used any more give way first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, SPELLS_MAX);
	__type(key, __u64);
	__type(value, struct spell);
} spells SEC(".maps");

struct name_buf {
	__u64 words[ALPS_NAME_LEN / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct name_buf);
} names SEC(".maps");

/* What waits in a set of queues, see sched_queue.h. */
struct waiting {
	__u32 tasks[2]; /* SYSTEM and FUNCTIONS, with the overdue ones */
	__u32 overdue;  /* 1: some may be */
	__u32 late;     /* likewise; of the queues for all CPUs only */
};

/* On whose time a CPU is: on that of functions before their deadlines, or after. */
enum side {
	NO_SIDE, /* on none of both */
	ON_TIME_SIDE,
	LATE_SIDE,
};

/*
 * What each CPU does; what others read is in the first cache line. Its task is the one that it runs or is about
 * to run: that changes when a CPU has chosen, not when the task before has stopped,
 * which is queued in between, and would else see a CPU without a task and preempt its
 * successor. Read without a lock by CPUs that look for somebody to preempt: an
 * outdated value costs one needless or one late preemption.
 */
struct cpu {
	__u64 key;          /* of its task */
	__u64 patience_ns;  /* of its task */
	__s64 lead_ns;      /* its part of the lead of functions on time */
	__u64 since_ns;     /* since when its time is not in lead_ns */
	__u32 side;         /* enum side */
	__u32 promoted;     /* its turn is out of turn */
	__u32 leaves;       /* its task was asked to leave for one that is first in a queue */
	__u32 looked_again; /* since it ran something */
	__u64 class;        /* key_hash of the function that it ran last */
	__u64 turn_ns;      /* when its turn began */
	__u64 scanned_ns;   /* when the starvation bound looked last into the CPU's own queue */
	struct waiting own; /* in its own queues */
} __attribute__((aligned(64))) cpus[ALPS_MAX_CPUS];

/* Virtual time of the system task that ran last. Races lose an update of a
 * value that only moves newcomers near the others. */
__u64 system_vtime;

/* By the paper's rules, the virtual time of the function that ran last; likewise. */
__u64 function_vtime;

/*
 * 0, but not for the verifier, which else goes through a loop over a queue once
 * for each value of its counter. That takes minutes on kernels up to 6.18, where
 * each look at a pointer within a task costs a search through all of the BTF.
 */
__u32 unknown_zero;

/* When the starvation bound looked last into the queue for all CPUs. */
__u64 scanned_ns;

/* When functions that are late were last looked for. */
__u64 late_scanned_ns;

/* By how much CPU time functions on time have had more than late ones: the sum of this
 * and of each CPU's part. */
__s64 lead_ns;

/* Until when nobody is served out of turn. */
__u64 ordinary_ns;

/*
 * Fair time goes at the speed at which each runnable function would run if they
 * shared the CPUs evenly, as of fair_at_ns. It is brought up to date before the
 * number of runnable functions changes, by whoever is first to move fair_at_ns;
 * one who reads it in between reads it some ns old.
 */
__u64 fair_ns;
__u64 fair_at_ns;
__u64 runnable_functions;
__u64 online_cpus;
__u32 cpus_end = 1; /* CPUs from this number on have never been online */

/* NULL for CPUs beyond those that are known: nobody preempts there. */
static inline struct cpu *cpu_of(__u32 cpu)
{
	if (cpu >= ALPS_MAX_CPUS)
		return NULL;
	/* Says nothing new, but in a form that no compiler can move away from
	 * where the verifier needs it. */
	barrier_var(cpu);
	return &cpus[cpu & (ALPS_MAX_CPUS - 1)];
}

/* Says what a CPU is about to run. */
static inline void set_running(__s32 cpu, __u64 key, __u64 patience_ns)
{
	struct cpu *c = cpu_of(cpu);

	if (!c)
		return;
	c->key = key;
	c->patience_ns = patience_ns;
}

static inline void count_more(__u32 counter, __u64 more)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &counter);

	if (n)
		*n += more;
}

static inline void count(__u32 counter)
{
	count_more(counter, 1);
}

/* A fork storm can leave a task without its storage for a while. */
static inline struct task_ctx *make_task_ctx(struct task_struct *p)
{
	struct task_ctx *tc = bpf_task_storage_get(&tasks, p, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!tc)
		count(ALPS_LOST);
	return tc;
}

static inline struct task_ctx *task_ctx(struct task_struct *p)
{
	return bpf_task_storage_get(&tasks, p, 0, 0);
}

#endif
