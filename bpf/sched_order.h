/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* When a task's turn is, and how long it is (sched.bpf.c): CPU time, fair time, deadlines. */
#ifndef ALPS_SCHED_ORDER_H
#define ALPS_SCHED_ORDER_H

#include "sched_class.h"

/* Counts the CPU time that the task has used since the last call, and returns
 * what its process has used in all. */
static __u64 account(struct task_struct *p, struct task_ctx *tc)
{
	struct task_struct *leader = p->group_leader;
	__u64 used = p->se.sum_exec_runtime - tc->counted_ns;
	struct task_ctx *process = NULL;
	struct alps_class *class;

	tc->counted_ns += used;
	if (tc->key == KEY_SYSTEM) {
		tc->vtime += used * 100 / (p->scx.weight ?: 1);
		count_more(ALPS_SYSTEM_CPU_NS, used);
	} else if (used) {
		class = policy_entry(tc->key_hash);
		if (class)
			__sync_fetch_and_add(&class->stats.cpu_ns, used);
		count_more(ALPS_CLASS_CPU_NS, used);
	}
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
	__u64 attained_ns = account(p, tc); /* of the class that it was of */
	struct alps_class *class = class_of(p, tc);
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
	if (tc->key != KEY_SYSTEM) {
		count(ALPS_SLICES_USED_UP);
		__sync_fetch_and_add(&class->stats.slices_used_up, 1);
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

#endif
