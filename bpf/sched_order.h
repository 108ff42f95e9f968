/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* When a task's turn is, and how long it is (sched.bpf.c): CPU time, fair time, deadlines. */
#ifndef ALPS_SCHED_ORDER_H
#define ALPS_SCHED_ORDER_H

#include "sched_class.h"
#include "sched_group.h"
#include "sched_invocation.h"

/* Adds to a class's figures what a task of it has to tell since the last time. */
static void add_stats(struct alps_class_stats *stats, struct task_ctx *tc, __u64 cpu_ns)
{
	__sync_fetch_and_add(&stats->cpu_ns, cpu_ns);
	if (!tc->turns)
		return;
	__sync_fetch_and_add(&stats->turns, tc->turns);
	__sync_fetch_and_add(&stats->wait_ns, tc->wait_ns);
	if (tc->promotions)
		__sync_fetch_and_add(&stats->promotions, tc->promotions);
	tc->turns = tc->promotions = 0;
	tc->wait_ns = 0;
}

/* Counts the CPU time that the task has used since the last call, and returns
 * what its process has used in all. */
static __always_inline __u64 account(struct task_struct *p, struct task_ctx *tc)
{
	struct task_struct *leader = p->group_leader;
	__u64 used = p->se.sum_exec_runtime - tc->counted_ns;
	struct task_ctx *process = NULL;
	struct alps_class *class;
	struct spell *spell;

	if (leader != p)
		process = bpf_task_storage_get(&tasks, leader, 0, 0);
	if (!process) /* a leader, or a thread that has outlived it */
		process = tc;
	if (!used) /* it wakes up, mostly */
		return process->attained_ns;
	tc->counted_ns += used;
	if (tc->key == KEY_SYSTEM) {
		tc->vtime += used * SHARE_ONE / share_of(p, tc);
		count_more(ALPS_SYSTEM_CPU_NS, used);
	} else {
		tc->used_ns += used;
		class = policy_entry(tc->key_hash);
		if (class)
			add_stats(&class->stats, tc, used);
		count_more(ALPS_CLASS_CPU_NS, used);
	}
	if (tc->spell) {
		spell = spell_of(tc->spell);
		if (spell)
			__sync_fetch_and_add(&spell->attained_ns, used);
	}
	__sync_fetch_and_add(&process->attained_ns, used);
	return process->attained_ns;
}

static void advance_fair(__u64 now)
{
	__u64 at = fair_at_ns, n = runnable_functions;
	__u64 ns = now - at;

	if ((__s64)ns <= 0 || __sync_val_compare_and_swap(&fair_at_ns, at, now) != at)
		return;
	if (n > online_cpus)
		ns = ns * online_cpus / n;
	__sync_fetch_and_add(&fair_ns, ns);
}

/* Counts a task, or not, among the runnable functions from now on. */
static __always_inline void count_function(struct task_ctx *tc, bool yes, __u64 now)
{
	if (tc->counted == yes)
		return;
	/* With as many CPUs before and after, its speed stays the same. */
	if (runnable_functions + yes > online_cpus)
		advance_fair(now);
	tc->counted = yes;
	__sync_fetch_and_add(&runnable_functions, yes ? 1 : -1);
}

/* Counts a task that runs or waits among those of its kind. */
static __always_inline void count_runnable(struct task_struct *p, struct task_ctx *tc, __u64 now)
{
	count_function(tc, tc->key != KEY_SYSTEM, now);
	count_active(p, tc, tc->key == KEY_SYSTEM);
}

/* Virtual time in a key, in units so large that it takes months to reach the rank. */
#define PAPER_UNIT_SHIFT 14
/* The same for all: none is of a worse rank than another. */
#define PAPER_PATIENCE 1

/*
 * The paper's rules (ATC'24), for comparison: ranks are strict, within a rank the
 * least virtual time is first, and no function preempts another. The rank is that of
 * the class, whatever the task has used: of several steps the first counts.
 */
static __u64 decide_by_paper(struct task_ctx *tc, const struct alps_step *step)
{
	__u64 slice_ns = step->slice_ns ?: fair_slice_ns;

	if ((__s64)(tc->used_ns - (function_vtime - fair_slice_ns)) < 0)
		tc->used_ns = function_vtime - fair_slice_ns;
	tc->patience_ns = PAPER_PATIENCE;
	tc->key = step->rank * ALPS_RANK_NS + (tc->used_ns >> PAPER_UNIT_SHIFT) % ALPS_RANK_NS;
	tc->slice_end_ns = tc->counted_ns + slice_ns;
	return slice_ns;
}

/* Gives the task its place in the order, its key, and returns its slice. */
__noinline __u64 decide(struct task_struct *p ARG_TRUSTED, struct task_ctx *tc ARG_NONNULL)
{
	__u64 attained_ns = account(p, tc); /* of the class that it was of */
	struct alps_class *class = class_of(p, tc);
	struct alps_step *step, *next;
	__u64 until_ns = ~0ULL;
	__u64 slice_ns, need_ns;

	if (!class) {
		/* Sleeping earns no more than a slice of credit. */
		if ((__s64)(tc->vtime - (system_vtime - fair_slice_ns)) < 0)
			tc->vtime = system_vtime - fair_slice_ns;
		tc->key = KEY_SYSTEM;
		tc->patience_ns = 0;
		return fair_slice_ns;
	}
	if (class->flags & ALPS_REQUEST)
		attained_ns = attained_by_request(tc);
	else if (class->flags & ALPS_CGROUP)
		attained_ns = attained_by_cgroup(tc);
	/* Who is pushed aside within a slice keeps the rest of it, and its place. */
	if (tc->key != KEY_SYSTEM) {
		if ((__s64)(tc->slice_end_ns - tc->counted_ns) > 0)
			return tc->slice_end_ns - tc->counted_ns;
		count(ALPS_SLICES_USED_UP);
		__sync_fetch_and_add(&class->stats.slices_used_up, 1);
	}
	step = &class->steps[0];
	if (class->flags & ALPS_PAPER)
		return decide_by_paper(tc, step);
	for (__u32 i = 1 + unknown_zero; i < ALPS_MAX_STEPS && i < class->steps_len; i++) {
		barrier_var(i); /* else the index becomes a pointer that the verifier loses */
		next = &class->steps[i % ALPS_MAX_STEPS];
		if (attained_ns < next->from_ns) {
			until_ns = next->from_ns;
			break;
		}
		step = next;
	}
	slice_ns = step->slice_ns ?: fair_slice_ns;
	if (slice_ns > until_ns - attained_ns)
		slice_ns = until_ns - attained_ns;
	/* Who has used twice what its class does is no longer taken for one of
	 * it, but for one that needs half as much as it has used. (Not all of it:
	 * demands vary, and most that have passed the mean are nearly done.) A
	 * class with several steps says itself what is to be thought of it. */
	need_ns = step->need_ns;
	if (attained_ns > ALPS_RANK_NS) /* the product in alps_patience_ns stays below 2^50 */
		attained_ns = ALPS_RANK_NS;
	if (class->steps_len == 1 && need_ns < attained_ns / 2)
		need_ns = attained_ns / 2;
	tc->patience_ns = alps_patience_ns(step, need_ns, online_cpus ?: 1);
	tc->key = tc->arrived_ns + tc->patience_ns;
	tc->slice_end_ns = tc->counted_ns + slice_ns;
	return slice_ns;
}

#endif
