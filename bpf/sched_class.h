/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* Which class of the policy a task is of (sched.bpf.c). */
#ifndef ALPS_SCHED_CLASS_H
#define ALPS_SCHED_CLASS_H

#include "sched_state.h"

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
	for (__u32 w = unknown_zero; w < ALPS_NAME_LEN / 8; w++) {
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

/* Whether the name is as it was: byte by byte, also after the final zero. */
static inline bool same_comm(struct task_struct *p, struct task_ctx *tc)
{
	return *(__u64 *)&p->comm[0] == tc->raw_comm[0] && *(__u64 *)&p->comm[8] == tc->raw_comm[1];
}

/* The bytes after the final zero of a task's name are not always zero. */
static void read_comm(struct task_struct *p, __u64 comm[2])
{
	comm[0] = comm[1] = 0;
	bpf_probe_read_kernel_str(comm, 16, p->comm);
}

/* Looks the key up that fits a task; false where the policy is not to be found. */
__noinline bool resolve(struct task_struct *p ARG_TRUSTED, struct task_ctx *tc ARG_NONNULL)
{
	struct cgroup *cgroup = p->cgroups->dfl_cgrp;
	struct alps_class *class;
	__u64 comm[2], by_comm;

	count(ALPS_RESOLVED);
	tc->cgroup_id = cgroup->kn->id;
	tc->raw_comm[0] = *(__u64 *)&p->comm[0];
	tc->raw_comm[1] = *(__u64 *)&p->comm[8];
	read_comm(p, comm);
	tc->key_hash = find_by_cgroup(cgroup);
	class = policy_entry(tc->key_hash);
	if (!class || (class->flags & ALPS_FALLBACK) || tc->key_hash == ALPS_NO_CLASS) {
		by_comm = find_by_comm(comm);
		if (by_comm != ALPS_NO_CLASS) {
			tc->key_hash = by_comm;
			class = policy_entry(by_comm);
		}
	}
	if (!class)
		return false;
	tc->generation = class->generation;
	return true;
}

/* The class of a task, NULL for a system task. What was found is kept for as
 * long as the policy, the cgroup and (where it counts) the name are the same. */
static struct alps_class *class_of(struct task_struct *p, struct task_ctx *tc)
{
	struct alps_class *class = policy_entry(tc->key_hash);

	if (!class || class->generation != tc->generation || p->cgroups->dfl_cgrp->kn->id != tc->cgroup_id ||
	    !same_comm(p, tc)) {
		if (!resolve(p, tc))
			return NULL;
		class = policy_entry(tc->key_hash);
		if (!class)
			return NULL;
	}
	/* Of an expired policy all are system tasks: served fairly. */
	if (class->expires_ns && bpf_ktime_get_ns() >= class->expires_ns)
		return NULL;
	return class->steps_len ? class : NULL;
}

#endif
