/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What an invocation is that is no process (sched.bpf.c), when it arrived and how
 * much CPU time it has used. The policy says for each key which kind it is of.
 */
#ifndef ALPS_SCHED_INVOCATION_H
#define ALPS_SCHED_INVOCATION_H

#include "sched_class.h"

/* A shorter sleep is a part of the request. */
#define REQUEST_GAP_NS 1000000

/* Brings fair time up to date; it is in sched_order.h. */
static void advance_fair(__u64 now);

static inline struct spell *spell_of(__u64 cgroup_id)
{
	return cgroup_id ? bpf_map_lookup_elem(&spells, &cgroup_id) : NULL;
}

/* A task is no longer a part of its cgroup's spell, which ends with the last. */
static void leave_spell(struct task_ctx *tc)
{
	struct spell *spell = spell_of(tc->spell);

	tc->spell = 0;
	if (spell && __sync_fetch_and_add(&spell->tasks, -1) == 1)
		spell->ended = 1;
}

/* What the burst of a thread has used. It begins when the thread wakes up. */
static __u64 attained_by_request(struct task_ctx *tc)
{
	if (tc->woken) {
		tc->woken = 0;
		tc->burst_ns = tc->slice_end_ns = tc->counted_ns;
		advance_fair(scx_bpf_now());
		tc->arrived_ns = fair_ns;
	}
	return tc->counted_ns - tc->burst_ns;
}

/* What the spell of the task's cgroup has used; 0 where there is no room for it. */
static __u64 attained_by_cgroup(struct task_ctx *tc)
{
	struct spell fresh = { .ended = 1 }, *spell;

	if (tc->spell != tc->cgroup_id) {
		if (tc->spell)
			leave_spell(tc);
		bpf_map_update_elem(&spells, &tc->cgroup_id, &fresh, BPF_NOEXIST); /* it may be there */
		spell = spell_of(tc->cgroup_id);
		if (!spell) {
			count(ALPS_LOST);
			return 0;
		}
		tc->spell = tc->cgroup_id;
		__sync_fetch_and_add(&spell->tasks, 1);
	} else {
		spell = spell_of(tc->cgroup_id);
		if (!spell) { /* it had to give way */
			tc->spell = 0;
			return 0;
		}
	}
	if (spell->ended) {
		spell->ended = 0;
		spell->attained_ns = 0;
		advance_fair(scx_bpf_now());
		spell->arrived_ns = fair_ns;
	}
	if (tc->arrived_ns != spell->arrived_ns) {
		tc->arrived_ns = spell->arrived_ns;
		tc->slice_end_ns = tc->counted_ns;
	}
	return spell->attained_ns;
}

#endif
