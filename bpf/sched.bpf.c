//go:build ignore

// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The ALPS scheduler: the policy of "ALPS: An Adaptive Learning, Priority OS
 * Scheduler for Serverless Functions" (ATC'24) on sched_ext.
 *
 * Tasks without a class are the system's own. They are served before all
 * others and fairly among themselves, by virtual time. Tasks with a class, the
 * functions, wait by virtual deadline: their arrival, and on top of it the
 * patience of their rank. Of those that come together the better rank goes
 * first; how long a worse one can be passed by is bounded by its patience, on a
 * clock that goes the slower the more functions there are (docs/decisions/0004).
 * A class is found by the task's cgroup (the deepest ancestor that the policy
 * lists) or else by its name.
 */
#include "kernel.h"
#include "scx.h"
#include "sched.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* Load-time choices; internal/load sets them. */

/* Slice of a task that has no guaranteed one, in ns; never 0. */
const volatile __u64 fair_slice_ns = 3000000;
/* A task that waited longer is served out of turn, in ns; 0: never. */
const volatile __u64 max_wait_ns = 1000000000;
/* Slice of a task served out of turn, in ns; ticks make it longer. */
const volatile __u64 promoted_slice_ns = 1000000;
/* CPUs that may ever be online. */
const volatile __u32 possible_cpus = 1;

/*
 * The queues. Each kind has one for all CPUs, and one more for each CPU with the
 * tasks that may run nowhere else: were they in the first, all other CPUs would
 * have to look past them.
 */
enum kind {
	SYSTEM,    /* by virtual time */
	FUNCTIONS, /* by virtual deadline */
	OVERDUE,   /* functions that have waited too long, by since when */
	KINDS,
};

#define SHARED(kind) ((__u64)(kind))
#define PINNED(kind, cpu) ((__u64)(kind) | ((__u64)(cpu) + 1) << 8)

/* What a CPU runs, in cpu_key: a function by its key, or one of these. */
#define KEY_SYSTEM 0
#define KEY_IDLE ~0ULL

/* How many waiting tasks one decision looks at for one that may run here. */
#define PEEK_MAX 256
/* How many tasks of a queue the starvation bound looks at, and how often while
 * max_wait_ns goes by. */
#define OVERDUE_SCAN_MAX 4096
#define OVERDUE_SCANS 8
/* What a turn out of turn and an ordinary one after it take, where each lasts
 * until the next of 250 ticks a second. */
#define OVERDUE_ROUND_NS 8000000

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
	__u64 comm[2];      /* for which it was found */
	__u64 attained_ns;  /* CPU time of the process, kept in its leader's */
	__u64 counted_ns;   /* part of the task's CPU time that is in attained_ns */
	__u64 vtime;        /* system tasks: weighted CPU time */
	__u64 arrived_ns;   /* fair time at which the task was first seen */
	__u64 queued_ns;    /* when it was last queued */
	__u64 slice_end_ns; /* functions: CPU time of the task at which the slice at hand is used up */
	__u64 key;          /* functions: virtual deadline, for the slice at hand; else KEY_SYSTEM */
	__u32 cpu_found;    /* select_cpu has found an idle CPU for it */
	__u32 promoted;     /* its turn is out of turn */
	__u32 counted;      /* it is one of runnable_functions */
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct task_ctx);
} tasks SEC(".maps");

struct name_buf {
	__u64 words[ALPS_NAME_LEN / 8];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct name_buf);
} names SEC(".maps");

/* Key of the task that each CPU runs or is about to run. It changes when a
 * CPU has chosen, not when the task before has stopped: that one is queued in
 * between, and would else see a CPU without a task and preempt its successor.
 * Read without a lock by CPUs that look for somebody to preempt: an outdated
 * value costs one needless or one late preemption. */
__u64 cpu_key[ALPS_MAX_CPUS];

/* Virtual time of the system task that ran last. Races lose an update of a
 * value that only moves newcomers near the others. */
__u64 system_vtime;

/*
 * 0, but not for the verifier, which else goes through a loop over a queue once
 * for each value of its counter. That takes minutes on kernels up to 6.18, where
 * each look at a pointer within a task costs a search through all of the BTF.
 */
__u32 unknown_zero;

/* When the starvation bound looked last into the queue for all CPUs, and into
 * that of each CPU. */
__u64 scanned_ns;
__u64 pinned_scanned_ns[ALPS_MAX_CPUS];

/* Until when nobody is served out of turn. */
__u64 ordinary_ns;

/* When each CPU's turn began. */
__u64 turn_ns[ALPS_MAX_CPUS];

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

static inline void set_key(__s32 cpu, __u64 key)
{
	if (cpu >= 0 && cpu < ALPS_MAX_CPUS)
		cpu_key[cpu] = key;
}

/* CPUs beyond those that are known are nobody's to preempt. */
static inline __u64 get_key(__s32 cpu)
{
	return cpu >= 0 && cpu < ALPS_MAX_CPUS ? cpu_key[cpu] : KEY_SYSTEM;
}

static inline void count(__u32 counter)
{
	__u64 *n = bpf_map_lookup_elem(&counters, &counter);

	if (n)
		(*n)++;
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

static inline struct alps_class *policy_entry(__u64 hash)
{
	__u32 zero = 0;
	void *entries = bpf_map_lookup_elem(&policy, &zero);

	return entries ? bpf_map_lookup_elem(entries, &hash) : NULL;
}

struct path_walk {
	struct cgroup *cgroup;
	__u64 hash;
	__u64 found; /* hash of the deepest listed ancestor so far */
	struct name_buf *name;
};

/* One path component: hashes it and looks the path so far up. */
static long walk_component(__u32 i, struct path_walk *walk)
{
	struct cgroup *cgroup = walk->cgroup, *ancestor;
	const char *name;
	long len;

	if (bpf_probe_read_kernel(&ancestor, sizeof(ancestor),
				  (void *)cgroup + bpf_core_field_offset(cgroup->ancestors) +
					  (i + 1) * sizeof(ancestor)))
		return 1;
	name = BPF_CORE_READ(ancestor, kn, name);
	__builtin_memset(walk->name, 0, sizeof(*walk->name));
	len = bpf_probe_read_kernel_str(walk->name, sizeof(*walk->name), name);
	if (len <= 0)
		return 1;
	for (__u32 w = 0; w < ALPS_NAME_LEN / 8; w++) {
		if (w * 8 >= len - 1)
			break;
		walk->hash = alps_hash_word(walk->hash, walk->name->words[w]);
	}
	/* The end of a component, so that /ab/c is not /a/bc. */
	walk->hash = alps_hash_word(walk->hash, '/');
	if (policy_entry(walk->hash))
		walk->found = walk->hash;
	return 0;
}

static __u64 find_by_cgroup(struct cgroup *cgroup)
{
	struct path_walk walk = { .cgroup = cgroup, .hash = ALPS_HASH_CGROUP, .found = ALPS_NO_CLASS };
	__u32 zero = 0;
	__u32 depth = BPF_CORE_READ(cgroup, level);

	walk.name = bpf_map_lookup_elem(&names, &zero);
	if (!walk.name)
		return ALPS_NO_CLASS;
	if (depth > ALPS_MAX_DEPTH)
		depth = ALPS_MAX_DEPTH;
	bpf_loop(depth, walk_component, &walk, 0);
	return walk.found;
}

static __u64 find_by_comm(const __u64 comm[2])
{
	__u64 hash = ALPS_HASH_COMM;

	hash = alps_hash_word(hash, comm[0]);
	hash = alps_hash_word(hash, comm[1]);
	return policy_entry(hash) ? hash : ALPS_NO_CLASS;
}

/* The bytes after the final zero of a task's name are not always zero. */
static void read_comm(struct task_struct *p, __u64 comm[2])
{
	comm[0] = comm[1] = 0;
	bpf_probe_read_kernel_str(comm, 16, p->comm);
}

/* The class of a task, NULL for a system task. What was found is kept for as
 * long as the policy, the cgroup and (where it counts) the name are the same. */
static struct alps_class *class_of(struct task_struct *p, struct task_ctx *tc)
{
	struct cgroup *cgroup = p->cgroups->dfl_cgrp;
	__u64 cgroup_id = cgroup->kn->id;
	struct alps_class *class = policy_entry(tc->key_hash);
	__u64 comm[2];

	read_comm(p, comm);
	if (!class || class->generation != tc->generation || cgroup_id != tc->cgroup_id ||
	    comm[0] != tc->comm[0] || comm[1] != tc->comm[1]) {
		count(ALPS_RESOLVED);
		tc->cgroup_id = cgroup_id;
		tc->comm[0] = comm[0];
		tc->comm[1] = comm[1];
		tc->key_hash = find_by_cgroup(cgroup);
		if (tc->key_hash == ALPS_NO_CLASS)
			tc->key_hash = find_by_comm(comm);
		class = policy_entry(tc->key_hash);
		if (!class)
			return NULL;
		tc->generation = class->generation;
	}
	/* Of an expired policy all are system tasks: served fairly. */
	if (class->expires_ns && bpf_ktime_get_ns() >= class->expires_ns)
		return NULL;
	return class->steps_len ? class : NULL;
}

/* Counts the CPU time that the task has used since the last call, and returns
 * what its process has used in all. */
static __u64 account(struct task_struct *p, struct task_ctx *tc)
{
	struct task_struct *leader = p->group_leader;
	__u64 used = p->se.sum_exec_runtime - tc->counted_ns;
	struct task_ctx *process = NULL;

	tc->counted_ns += used;
	if (tc->key == KEY_SYSTEM)
		tc->vtime += used * 100 / (p->scx.weight ?: 1);
	if (leader != p)
		process = bpf_task_storage_get(&tasks, leader, 0, 0);
	if (!process) /* a leader, or a thread that has outlived it */
		process = tc;
	__sync_fetch_and_add(&process->attained_ns, used);
	return process->attained_ns;
}

static void advance_fair(void)
{
	__u64 now = bpf_ktime_get_ns(), at = fair_at_ns, n = runnable_functions;
	__u64 ns = now - at;

	if ((__s64)ns <= 0 || __sync_val_compare_and_swap(&fair_at_ns, at, now) != at)
		return;
	if (n > online_cpus)
		ns = ns * online_cpus / n;
	__sync_fetch_and_add(&fair_ns, ns);
}

/* Counts a task, or not, among the runnable functions from now on. */
static void count_runnable(struct task_ctx *tc, bool yes)
{
	if (tc->counted == yes)
		return;
	advance_fair();
	tc->counted = yes;
	__sync_fetch_and_add(&runnable_functions, yes ? 1 : -1);
}

struct decision {
	__u64 slice_ns;
	__u64 key; /* of cpu_key, and the order of functions */
};

static void decide(struct task_struct *p, struct task_ctx *tc, struct decision *d)
{
	struct alps_class *class = class_of(p, tc);
	__u64 attained_ns = account(p, tc);
	struct alps_step *step;
	__u64 until_ns = ~0ULL;
	__u64 patience_ns;
	__u64 slice_ns;

	if (!class) {
		/* Sleeping earns no more than a slice of credit. */
		if ((__s64)(tc->vtime - (system_vtime - fair_slice_ns)) < 0)
			tc->vtime = system_vtime - fair_slice_ns;
		tc->key = d->key = KEY_SYSTEM;
		d->slice_ns = fair_slice_ns;
		return;
	}
	/* Who is pushed aside within a slice keeps the rest of it, and its place. */
	if (tc->key != KEY_SYSTEM && (__s64)(tc->slice_end_ns - tc->counted_ns) > 0) {
		d->key = tc->key;
		d->slice_ns = tc->slice_end_ns - tc->counted_ns;
		return;
	}
	step = &class->steps[0];
	for (__u32 i = 1; i < ALPS_MAX_STEPS; i++) {
		if (i >= class->steps_len)
			break;
		if (attained_ns < class->steps[i].from_ns) {
			until_ns = class->steps[i].from_ns;
			break;
		}
		step = &class->steps[i];
	}
	slice_ns = step->slice_ns ?: fair_slice_ns;
	if (slice_ns > until_ns - attained_ns)
		slice_ns = until_ns - attained_ns;
	/* Who has used twice what its class does is no longer taken for one of
	 * it, but for one that needs half as much as it has used. (Not all of it:
	 * demands vary, and most that have passed the mean are nearly done.) A
	 * class with several steps says itself what is to be thought of it. */
	patience_ns = step->patience_ns;
	if (attained_ns > ALPS_RANK_NS) /* the product stays below 2^50 */
		attained_ns = ALPS_RANK_NS;
	if (class->steps_len == 1 && patience_ns < attained_ns * step->stretch / 2)
		patience_ns = attained_ns * step->stretch / 2;
	tc->key = d->key = tc->arrived_ns + patience_ns;
	tc->slice_end_ns = tc->counted_ns + slice_ns;
	d->slice_ns = slice_ns;
}

/* Makes the CPU that runs the latest key, of those that the task may use, look
 * again, if that key is later than the task's. */
static void preempt_latest(struct task_struct *p, __u64 key)
{
	struct bpf_iter_num it;
	__u64 latest = key;
	__s32 victim = -1;
	int *cpu;

	bpf_iter_num_new(&it, 0, possible_cpus);
	while ((cpu = bpf_iter_num_next(&it))) {
		__u64 running = get_key(*cpu);

		if (running > latest && bpf_cpumask_test_cpu(*cpu, p->cpus_ptr)) {
			latest = running;
			victim = *cpu;
		}
	}
	bpf_iter_num_destroy(&it);
	if (victim < 0)
		return;
	/* So that the next one to come does not choose the same CPU. */
	set_key(victim, key);
	count(ALPS_PREEMPTIONS);
	scx_bpf_kick_cpu(victim, SCX_VALUE(scx_kick_flags, SCX_KICK_PREEMPT));
}

SEC("struct_ops/alps_select_cpu")
__s32 BPF_PROG(alps_select_cpu, struct task_struct *p, __s32 prev_cpu, __u64 wake_flags)
{
	struct task_ctx *tc = task_ctx(p);
	bool idle = false;
	__s32 cpu = scx_bpf_select_cpu_dfl(p, prev_cpu, wake_flags, &idle);

	/* Waking the task there makes an idle CPU look for work. */
	if (tc)
		tc->cpu_found = idle;
	return cpu;
}

static bool is_pinned(struct task_struct *p)
{
	return p->nr_cpus_allowed == 1;
}

static __u64 queue_of(enum kind kind, struct task_struct *p)
{
	__u32 cpu;

	if (!is_pinned(p))
		return SHARED(kind);
	cpu = bpf_cpumask_first(p->cpus_ptr);
	return cpu < possible_cpus && cpu < ALPS_MAX_CPUS ? PINNED(kind, cpu) : SHARED(kind);
}

SEC("struct_ops/alps_enqueue")
void BPF_PROG(alps_enqueue, struct task_struct *p, __u64 enq_flags)
{
	struct task_ctx *tc = make_task_ctx(p);
	struct decision d = { .slice_ns = fair_slice_ns, .key = KEY_SYSTEM };
	bool cpu_found = false;
	__s32 cpu;

	if (tc) {
		cpu_found = tc->cpu_found;
		tc->cpu_found = 0;
		tc->promoted = 0;
		tc->queued_ns = bpf_ktime_get_ns();
		if (!tc->arrived_ns) {
			advance_fair();
			tc->arrived_ns = fair_ns;
		}
		decide(p, tc, &d);
		count_runnable(tc, d.key != KEY_SYSTEM);
	}
	if (d.key == KEY_SYSTEM)
		scx_bpf_dsq_insert_vtime(p, queue_of(SYSTEM, p), d.slice_ns, tc ? tc->vtime : system_vtime,
					 enq_flags);
	else
		scx_bpf_dsq_insert_vtime(p, queue_of(FUNCTIONS, p), d.slice_ns, d.key, enq_flags);
	if (cpu_found) {
		set_key(scx_bpf_task_cpu(p), d.key);
		return;
	}
	cpu = scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	if (cpu >= 0) {
		set_key(cpu, d.key);
		scx_bpf_kick_cpu(cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_IDLE));
	} else {
		preempt_latest(p, d.key);
	}
}

/* How a task is served. */
struct serving {
	__u64 limit;        /* only if its place in the queue is before */
	__u64 max_slice_ns; /* for this turn; what is left of its slice stays its own */
	bool promote;       /* out of turn */
};

/* Moves the first task of a queue that may run on the CPU there. */
static bool serve_queue(__u64 dsq, __s32 cpu, const struct serving *how)
{
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;
	struct task_ctx *tc;
	bool served = false;

	bpf_iter_scx_dsq_new(&it, dsq, 0);
	for (__u32 i = unknown_zero; i < PEEK_MAX; i++) {
		p = bpf_iter_scx_dsq_next(&it);
		if (!p || (__s64)(p->scx.dsq_vtime - how->limit) >= 0)
			break;
		if (!bpf_cpumask_test_cpu(cpu, p->cpus_ptr))
			continue;
		tc = task_ctx(p);
		if (tc)
			tc->promoted = how->promote;
		if (p->scx.slice > how->max_slice_ns)
			scx_bpf_dsq_move_set_slice(&it, how->max_slice_ns);
		if (scx_bpf_dsq_move(&it, p, SCX_VALUE(scx_dsq_id_flags, SCX_DSQ_LOCAL), 0)) {
			set_key(cpu, tc && !how->promote ? tc->key : KEY_SYSTEM);
			served = true;
			break;
		}
	}
	bpf_iter_scx_dsq_destroy(&it);
	return served;
}

/* The place of the first task of a queue, or the limit if that is before. */
static __u64 first_place(__u64 dsq, __u64 limit)
{
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;

	bpf_iter_scx_dsq_new(&it, dsq, 0);
	p = bpf_iter_scx_dsq_next(&it);
	if (p && (__s64)(p->scx.dsq_vtime - limit) < 0)
		limit = p->scx.dsq_vtime;
	bpf_iter_scx_dsq_destroy(&it);
	return limit;
}

/* Serves the first task of a kind that may run on the CPU. */
static bool serve(enum kind kind, __s32 cpu, const struct serving *how)
{
	struct serving before_pinned = *how;

	if (!scx_bpf_dsq_nr_queued(PINNED(kind, cpu)))
		return serve_queue(SHARED(kind), cpu, how);
	before_pinned.limit = first_place(PINNED(kind, cpu), how->limit);
	return serve_queue(SHARED(kind), cpu, &before_pinned) || serve_queue(PINNED(kind, cpu), cpu, how);
}

/*
 * From how long a wait on a function is overdue: so early that all can be served
 * before they have waited too long, if they are overdue at once. That takes at
 * most half of the time; of more functions some wait longer.
 */
static __u64 overdue_after_ns(void)
{
	__u64 n = runnable_functions, cpus = online_cpus ?: 1;
	__u64 round_ns = n * OVERDUE_ROUND_NS / cpus + max_wait_ns / OVERDUE_SCANS;

	return max_wait_ns - (round_ns < max_wait_ns / 2 ? round_ns : max_wait_ns / 2);
}

/* Moves the functions of a queue that are overdue to the queue of those. */
static void find_overdue(__u64 from, __u64 to, __u64 *scanned_ns, __u64 now)
{
	__u64 last = *scanned_ns, after_ns = overdue_after_ns();
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;
	struct task_ctx *tc;

	if (now - last < max_wait_ns / OVERDUE_SCANS ||
	    __sync_val_compare_and_swap(scanned_ns, last, now) != last)
		return;
	bpf_iter_scx_dsq_new(&it, from, 0);
	for (__u32 i = unknown_zero; i < OVERDUE_SCAN_MAX; i++) {
		p = bpf_iter_scx_dsq_next(&it);
		if (!p)
			break;
		tc = task_ctx(p);
		if (!tc || now - tc->queued_ns < after_ns)
			continue;
		scx_bpf_dsq_move_set_vtime(&it, tc->queued_ns);
		scx_bpf_dsq_move_vtime(&it, p, to, 0);
	}
	bpf_iter_scx_dsq_destroy(&it);
}

#define NO_LIMIT ~0ULL

/*
 * The starvation bound: functions that have waited too long get short turns out
 * of turn, also before system tasks, and those first who have waited longest.
 * After each as much time again is for those whose turn it is, so that a crowd
 * does not make a round robin of it. Returns whether one is served, and else how
 * long an ordinary turn may be.
 */
static bool serve_overdue(__s32 cpu, __u64 *max_slice_ns)
{
	struct serving how = { .max_slice_ns = promoted_slice_ns, .promote = true };
	__u64 now = bpf_ktime_get_ns();
	__s64 left_ns = ordinary_ns - now;

	*max_slice_ns = NO_LIMIT;
	if (!max_wait_ns)
		return false;
	find_overdue(SHARED(FUNCTIONS), SHARED(OVERDUE), &scanned_ns, now);
	if (cpu >= 0 && cpu < ALPS_MAX_CPUS && scx_bpf_dsq_nr_queued(PINNED(FUNCTIONS, cpu)))
		find_overdue(PINNED(FUNCTIONS, cpu), PINNED(OVERDUE, cpu), &pinned_scanned_ns[cpu], now);
	if (!scx_bpf_dsq_nr_queued(SHARED(OVERDUE)) && !scx_bpf_dsq_nr_queued(PINNED(OVERDUE, cpu)))
		return false;
	*max_slice_ns = left_ns > (__s64)promoted_slice_ns ? left_ns : promoted_slice_ns;
	how.limit = now; /* they have waited since before */
	return left_ns <= 0 && serve(OVERDUE, cpu, &how);
}

/* A turn out of turn is over. CPUs may overwrite each other's ordinary_ns: one
 * more or less out of turn. */
static void end_promotion(struct task_struct *prev, __s32 cpu)
{
	struct task_ctx *tc = task_ctx(prev);
	__u64 now = bpf_ktime_get_ns();

	if (!tc || !tc->promoted || cpu < 0 || cpu >= ALPS_MAX_CPUS)
		return;
	tc->promoted = 0;
	ordinary_ns = now + (now - turn_ns[cpu]) / (online_cpus ?: 1);
}

/* Far enough behind any place in a queue that nothing is after it. */
static __u64 behind_all(enum kind kind)
{
	return kind == SYSTEM ? system_vtime + (1ULL << 62) : (1ULL << 63) - 1;
}

SEC("struct_ops/alps_dispatch")
void BPF_PROG(alps_dispatch, __s32 cpu, struct task_struct *prev)
{
	struct serving how = { .max_slice_ns = NO_LIMIT };
	struct decision d = {};
	struct task_ctx *tc = NULL;
	bool goes_on = false;
	__u64 max_slice_ns;

	if (prev)
		end_promotion(prev, cpu);
	/* A task whose slice is over but who is still first goes on without
	 * leaving the CPU. */
	if (prev && (prev->scx.flags & SCX_VALUE(scx_ent_flags, SCX_TASK_QUEUED))) {
		tc = task_ctx(prev);
		if (tc && bpf_cpumask_test_cpu(cpu, prev->cpus_ptr)) {
			goes_on = true;
			decide(prev, tc, &d);
			count_runnable(tc, d.key != KEY_SYSTEM);
		}
	}
	if (serve_overdue(cpu, &max_slice_ns))
		return;
	how.limit = goes_on && d.key == KEY_SYSTEM ? tc->vtime : behind_all(SYSTEM);
	if (serve(SYSTEM, cpu, &how))
		return;
	how.max_slice_ns = max_slice_ns;
	how.limit = goes_on ? d.key : behind_all(FUNCTIONS);
	if (!(goes_on && d.key == KEY_SYSTEM) && serve(FUNCTIONS, cpu, &how))
		return;
	if (goes_on) {
		count(ALPS_KEPT);
		prev->scx.slice = d.slice_ns < max_slice_ns ? d.slice_ns : max_slice_ns;
		set_key(cpu, d.key);
		return;
	}
	/* It is nobody's turn, but somebody may wait. */
	how.limit = behind_all(OVERDUE);
	if (!serve(OVERDUE, cpu, &how))
		set_key(cpu, KEY_IDLE);
}

SEC("struct_ops/alps_running")
void BPF_PROG(alps_running, struct task_struct *p)
{
	struct task_ctx *tc = task_ctx(p);
	bool function = tc && tc->key != KEY_SYSTEM;
	__u32 cpu = bpf_get_smp_processor_id();

	set_key(cpu, function && !tc->promoted ? tc->key : KEY_SYSTEM);
	count(function ? ALPS_CLASS_TURNS : ALPS_SYSTEM_TURNS);
	if (function && tc->promoted)
		count(ALPS_PROMOTIONS);
	if (cpu < ALPS_MAX_CPUS)
		turn_ns[cpu] = bpf_ktime_get_ns();
	if (tc && !function && (__s64)(tc->vtime - system_vtime) > 0)
		system_vtime = tc->vtime;
}

SEC("struct_ops/alps_stopping")
void BPF_PROG(alps_stopping, struct task_struct *p, bool runnable)
{
	struct task_ctx *tc = task_ctx(p);

	if (tc)
		account(p, tc);
}

SEC("struct_ops/alps_quiescent")
void BPF_PROG(alps_quiescent, struct task_struct *p, __u64 deq_flags)
{
	struct task_ctx *tc = task_ctx(p);

	if (tc)
		count_runnable(tc, false);
}

/*
 * A task of a higher class has taken the CPU: a real-time one, for as long as it
 * likes. The function that ran there waits at the head of the CPU's own queue,
 * with the rest of its slice, and would go on before better ones. Where that can
 * be done (alps_cpu_release_v2) it is queued anew, and may go on elsewhere.
 */
SEC("struct_ops/alps_cpu_release")
void BPF_PROG(alps_cpu_release, __s32 cpu, struct scx_cpu_release_args *args)
{
	set_key(cpu, KEY_SYSTEM); /* nobody to preempt there */
}

/* For kernels that have the kfunc; the loader picks one of the two. The older
 * scx_bpf_reenqueue_local is not used: with it, tests on 6.16 lost tasks. */
SEC("struct_ops/alps_cpu_release_v2")
void BPF_PROG(alps_cpu_release_v2, __s32 cpu, struct scx_cpu_release_args *args)
{
	set_key(cpu, KEY_SYSTEM);
	scx_bpf_reenqueue_local___v2();
}

/* A CPU that comes or goes needs nothing done, as queues are shared; but without
 * these the kernel would end the scheduler. */
SEC("struct_ops/alps_cpu_online")
void BPF_PROG(alps_cpu_online, __s32 cpu)
{
	__sync_fetch_and_add(&online_cpus, 1);
	set_key(cpu, KEY_IDLE);
}

SEC("struct_ops/alps_cpu_offline")
void BPF_PROG(alps_cpu_offline, __s32 cpu)
{
	__sync_fetch_and_add(&online_cpus, -1);
	set_key(cpu, KEY_SYSTEM); /* nobody to preempt there */
}

SEC("struct_ops/alps_init_task")
__s32 BPF_PROG(alps_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct task_ctx *tc = make_task_ctx(p);

	/* Without it the task is served as the system's until enqueue gets one:
	 * better than refusing a fork, which is what an error would do. */
	if (!tc)
		return 0;
	tc->counted_ns = p->se.sum_exec_runtime;
	tc->vtime = system_vtime;
	return 0;
}

SEC("struct_ops.s/alps_init")
__s32 BPF_PROG(alps_init)
{
	const struct cpumask *online = scx_bpf_get_online_cpumask();
	__s32 err;

	online_cpus = bpf_cpumask_weight(online);
	scx_bpf_put_cpumask(online);
	fair_at_ns = bpf_ktime_get_ns();
	for (__u32 kind = 0; kind < KINDS; kind++) {
		err = scx_bpf_create_dsq(SHARED(kind), -1);
		if (err)
			return err;
		for (__u32 cpu = unknown_zero; cpu < possible_cpus && cpu < ALPS_MAX_CPUS; cpu++) {
			err = scx_bpf_create_dsq(PINNED(kind, cpu), -1);
			if (err)
				return err;
		}
	}
	return 0;
}

SEC("struct_ops/alps_exit")
void BPF_PROG(alps_exit, struct scx_exit_info *info)
{
	__u32 zero = 0;
	struct alps_exit *out = bpf_map_lookup_elem(&left, &zero);

	if (!out)
		return;
	bpf_probe_read_kernel_str(out->reason, sizeof(out->reason), BPF_CORE_READ(info, reason));
	bpf_probe_read_kernel_str(out->msg, sizeof(out->msg), BPF_CORE_READ(info, msg));
	out->code = BPF_CORE_READ(info, exit_code);
	out->kind = BPF_CORE_READ(info, kind);
}

SEC(".struct_ops.link")
struct sched_ext_ops alps = {
	.select_cpu = (void *)alps_select_cpu,
	.enqueue = (void *)alps_enqueue,
	.dispatch = (void *)alps_dispatch,
	.running = (void *)alps_running,
	.stopping = (void *)alps_stopping,
	.quiescent = (void *)alps_quiescent,
	.cpu_release = (void *)alps_cpu_release,
	.cpu_online = (void *)alps_cpu_online,
	.cpu_offline = (void *)alps_cpu_offline,
	.init_task = (void *)alps_init_task,
	.init = (void *)alps_init,
	.exit = (void *)alps_exit,
	.name = "alps",
};
