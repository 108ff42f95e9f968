/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/*
 * What share of the CPUs a system task is due (sched.bpf.c): its nice value counts
 * within its cgroup, and the cgroup's cpu.weight beside its siblings that have
 * something to run, up to the root. The weights are those that the kernel's fair
 * scheduler goes by.
 */
#ifndef ALPS_SCHED_GROUP_H
#define ALPS_SCHED_GROUP_H

#include "sched_state.h"

#define SHARE_ONE (1ULL << 20)
#define GROUPS_MAX 65536     /* cgroups that are told apart; further ones count as their parents */
#define GROUP_DEPTH 16       /* levels of cgroups that count */
#define GROUP_WEIGHT_ONE 100 /* weight of nice 0, and of a cgroup at cpu.weight 100 */

/* What runs or waits directly in a cgroup. */
struct group {
	__u64 active; /* weights of its system tasks, and of its cgroups that have some */
	__u64 up;     /* what of it is in the parent's active; 0: nothing */
};

/* By the cgroup's id in the cpu controller, which the kernel keeps small. A cgroup
 * that goes leaves zeros. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, GROUPS_MAX);
	__type(key, __u32);
	__type(value, struct group);
} groups SEC(".maps");

/* The group of a cgroup. An autogroup is none: it has the id 0. */
static inline struct group *group_of(struct task_group *tg)
{
	__u32 id = KERNEL_CAST(struct task_group, tg)->css.id;

	return id ? bpf_map_lookup_elem(&groups, &id) : NULL;
}

static inline __u64 group_weight(struct task_group *tg)
{
	return (KERNEL_CAST(struct task_group, tg)->shares * GROUP_WEIGHT_ONE >> 20) ?: 1;
}

static inline struct task_group *group_parent(struct task_group *tg)
{
	return KERNEL_CAST(struct task_group, tg)->parent;
}

/*
 * Adds a weight to what is active in a task's cgroup, or in the nearest one above it
 * that has a group. One that becomes active is so for its parent too, and so on; likewise
 * when nothing is active any more. CPUs that do both at once may leave a cgroup that
 * is active out of its parent: the next one that is added there sees that.
 */
__noinline int add_active(const struct task_ctx *tc ARG_NONNULL, __s64 weight)
{
	struct task_group *tg = (struct task_group *)tc->task_group;
	struct task_group *parent;
	struct group *group;
	__u64 active;

	for (__u32 i = unknown_zero; i < GROUP_DEPTH && tg && weight; i++) {
		group = group_of(tg);
		parent = group_parent(tg);
		if (group) {
			active = __sync_fetch_and_add(&group->active, weight) + weight;
			if (!parent)
				return 0;
			if (active && !group->up) {
				weight = group_weight(tg);
				weight -= __sync_lock_test_and_set(&group->up, weight);
			} else if (!active) {
				weight = -__sync_lock_test_and_set(&group->up, 0);
			} else {
				return 0;
			}
		}
		tg = parent;
	}
	return 0;
}

static void change_active(struct task_struct *p, struct task_ctx *tc, bool yes)
{
	__u32 weight;

	if (yes) {
		if (!bpf_core_field_exists(p->sched_task_group))
			return;
		weight = p->scx.weight ?: 1;
		tc->task_group = (__u64)p->sched_task_group;
		tc->active = weight;
		add_active(tc, weight);
	} else {
		add_active(tc, -(__s64)tc->active);
		tc->active = 0;
	}
}

/* Counts a system task, or not, among what is active in its cgroup from now on. */
static __always_inline void count_active(struct task_struct *p, struct task_ctx *tc, bool yes)
{
	if (!!tc->active != yes)
		change_active(p, tc, yes);
}

/* The share of all CPU time that a task is due, at least 1; SHARE_ONE is all. */
static __u64 share_of(struct task_struct *p, struct task_ctx *tc)
{
	struct task_group *tg = (struct task_group *)tc->task_group;
	__u64 share = SHARE_ONE, weight = tc->active, active;
	struct group *group;

	if (!weight) /* it does not run, or its cgroup is not known */
		return SHARE_ONE * (p->scx.weight ?: 1) / GROUP_WEIGHT_ONE;
	for (__u32 i = unknown_zero; i < GROUP_DEPTH && tg; i++) {
		group = group_of(tg);
		if (group) {
			active = group->active;
			if (active > weight)
				share = share * weight / active;
			weight = group_weight(tg);
		}
		tg = group_parent(tg);
	}
	return share ?: 1;
}

#endif
