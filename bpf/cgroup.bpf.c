//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * The kernel side of alps-collect where an invocation is a spell of a cgroup: from
 * when it is unfrozen, or gets its first process, to when it is frozen or empty.
 * Only processes in the cgroup itself count, not those in cgroups below it, which
 * have spells of their own.
 *
 * The threads of a cgroup live on from spell to spell, and others come and go
 * within one. So each stint of a thread on a CPU is added up when it is over.
 */
#include "account.h"

/* What a CPU does, and what its thread had used when it began to. */
struct stint {
	u64 task;
	u64 since_ns;
	struct use before;
	u64 pad[2]; /* each CPU writes a cache line of its own */
};

/* The sizes of these two are set by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct spell);
} spells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct stint);
} stints SEC(".maps");

static __always_inline struct spell *spell_of(struct task_struct *task)
{
	u64 id = task->cgroups->dfl_cgrp->kn->id;

	return bpf_map_lookup_elem(&spells, &id);
}

/* stint_on is what the CPU of a run queue does. */
static __always_inline struct stint *stint_on(struct rq *rq)
{
	u32 cpu;

	if (!rq)
		return NULL;
	cpu = rq_cpu(rq);
	return bpf_map_lookup_elem(&stints, &cpu);
}

/*
 * of_spell is what a thread has used in its stint up to now, as far as it was in
 * the spell. Before a stint it waited for it.
 */
static __always_inline struct use of_spell(const struct spell *spell, const struct stint *stint,
					   const struct use *now_used, u64 now)
{
	struct use used = {
		.cpu_ns = now_used->cpu_ns - stint->before.cpu_ns,
		.wait_ns = now_used->wait_ns - stint->before.wait_ns,
		.switches = now_used->switches - stint->before.switches,
		.sleeps = now_used->sleeps - stint->before.sleeps,
	};
	u64 begin = stint->since_ns;

	if (begin < spell->start_ns) {
		begin = spell->start_ns;
		used.wait_ns = 0;
		/* The two clocks are read some us apart, so this is not for
		 * stints that lie within. */
		if (used.cpu_ns > now - begin)
			used.cpu_ns = now - begin;
	}
	if (used.wait_ns > begin - spell->start_ns)
		used.wait_ns = begin - spell->start_ns;
	return used;
}

static __always_inline void add_use(struct spell *spell, const struct use *used)
{
	__sync_fetch_and_add(&spell->used.cpu_ns, used->cpu_ns);
	__sync_fetch_and_add(&spell->used.wait_ns, used->wait_ns);
	__sync_fetch_and_add(&spell->used.switches, used->switches);
	__sync_fetch_and_add(&spell->used.sleeps, used->sleeps);
}

/* end_stint adds up the stint that is over with this switch. */
static __always_inline void end_stint(struct task_struct *prev, struct stint *stint, u64 now)
{
	struct spell *spell;
	struct use used;

	if (stint->task != (u64)prev || prev->flags & PF_KTHREAD)
		return;
	spell = spell_of(prev);
	if (!spell)
		return;
	/* The kernel has booked all of it by now. */
	used.cpu_ns = prev->se.sum_exec_runtime;
	used.wait_ns = prev->sched_info.run_delay;
	used.sleeps = prev->nvcsw;
	used.switches = prev->nvcsw + prev->nivcsw;
	/* To leave for good is no sleep. */
	if (task_state(prev) & TASK_DEAD)
		used.sleeps = stint->before.sleeps;
	used = of_spell(spell, stint, &used, now);
	add_use(spell, &used);
	spell->tgid = prev->tgid;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 now = bpf_ktime_get_ns();
	struct stint *stint;

	read_clocks(next, now);
	stint = stint_on(task_rq(next));
	if (!stint)
		return 0;
	end_stint(prev, stint, now);
	stint->task = (u64)next;
	stint->since_ns = now;
	stint->before.cpu_ns = next->se.sum_exec_runtime;
	/* What it waited for this stint is booked after the switch. */
	stint->before.wait_ns = next->sched_info.run_delay;
	stint->before.sleeps = next->nvcsw;
	stint->before.switches = next->nvcsw + next->nivcsw;
	return 0;
}

static __always_inline void read_spell(u64 id, struct spell *spell, u64 end, struct record *rec)
{
	rec->head = (struct head){
		.id = id,
		.start_ns = spell->start_ns,
		.end_ns = end,
		.cpu_ns = spell->used.cpu_ns,
		.wait_ns = spell->used.wait_ns,
		.switches = spell->used.switches,
		.sleeps = spell->used.sleeps,
		.tgid = spell->tgid,
	};
}

/*
 * end_spell ends the spell of a cgroup. The last thread to be frozen or to exit
 * is in its last stint then, which is not over.
 */
static __always_inline void end_spell(struct cgroup *cgroup, u64 end)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 now = bpf_ktime_get_ns(), id = cgroup->kn->id;
	struct spell *spell = bpf_map_lookup_elem(&spells, &id);
	struct stint *stint = stint_on(task_rq(task));
	u32 slot = SCRATCH_EVENT;
	struct record *rec;
	struct use used;

	if (!spell)
		return;
	if (stint && stint->task == (u64)task && task->cgroups->dfl_cgrp->kn->id == id) {
		read_use(task, now, &used);
		used = of_spell(spell, stint, &used, now);
		add_use(spell, &used);
		spell->tgid = task->tgid;
	}
	rec = bpf_map_lookup_elem(&scratch, &slot);
	if (!rec)
		return;
	read_spell(id, spell, end ? end : now, rec);
	rec->head.life_ns = rec->head.end_ns - rec->head.start_ns;
	read_path(cgroup, rec);
	send(rec);
	bpf_map_delete_elem(&spells, &id);
}

static __always_inline void begin_spell(struct cgroup *cgroup)
{
	struct spell fresh = { .start_ns = bpf_ktime_get_ns() };
	u64 id = cgroup->kn->id;

	if (!cgroup_has_processes(cgroup))
		return;
	if (bpf_map_update_elem(&spells, &id, &fresh, BPF_ANY))
		count_lost(TABLE_FULL);
}

SEC("tp_btf/cgroup_notify_populated")
int BPF_PROG(on_populated, struct cgroup *cgroup, const char *path, int populated)
{
	if (!populated)
		end_spell(cgroup, 0);
	else if (!cgroup_is_to_freeze(cgroup))
		begin_spell(cgroup);
	return 0;
}

/* Told to freeze; the last of its threads may be frozen much later. */
SEC("tp_btf/cgroup_freeze")
int BPF_PROG(on_freeze, struct cgroup *cgroup, const char *path)
{
	u64 id = cgroup->kn->id;
	struct spell *spell = bpf_map_lookup_elem(&spells, &id);

	if (spell)
		spell->freeze_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/cgroup_notify_frozen")
int BPF_PROG(on_frozen, struct cgroup *cgroup, const char *path, int frozen)
{
	if (frozen)
		end_spell(cgroup, 0);
	return 0;
}

SEC("tp_btf/cgroup_unfreeze")
int BPF_PROG(on_unfreeze, struct cgroup *cgroup, const char *path)
{
	u64 id = cgroup->kn->id;
	struct spell *spell = bpf_map_lookup_elem(&spells, &id);

	/* Unfrozen before all of its threads were frozen: the next invocation
	 * all the same. */
	if (spell)
		end_spell(cgroup, spell->freeze_ns);
	begin_spell(cgroup);
	return 0;
}

/* Writes a record for each thread in a cgroup that has a spell. */
SEC("iter/task")
int on_living(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u32 slot = SCRATCH_ITERATOR;
	u64 now;
	struct spell *spell;
	struct stint *stint;
	struct record *rec;
	struct use used;

	if (!task || task->flags & PF_KTHREAD)
		return 0;
	spell = spell_of(task);
	if (!spell)
		return 0;
	rec = bpf_map_lookup_elem(&scratch, &slot);
	if (!rec)
		return 0;
	now = bpf_ktime_get_ns();
	read_spell(task->cgroups->dfl_cgrp->kn->id, spell, 0, rec);
	rec->head.tgid = task->tgid;
	rec->head.thread_life_ns = now - spell->start_ns;
	stint = stint_on(task_rq(task));
	read_use(task, now, &used);
	if (stint && stint->task == (u64)task) {
		used = of_spell(spell, stint, &used, now);
		rec->head.thread_cpu_ns = used.cpu_ns;
		rec->head.thread_wait_ns = used.wait_ns;
	} else if (task->sched_info.last_queued && !task_on_cpu(task)) {
		/* It waits for its next stint. */
		used.wait_ns -= task->sched_info.run_delay;
		if (used.wait_ns > now - spell->start_ns)
			used.wait_ns = now - spell->start_ns;
		rec->head.thread_wait_ns = used.wait_ns;
	}
	read_path(task->cgroups->dfl_cgrp, rec);
	bpf_seq_write(ctx->meta->seq, rec, record_bytes(rec));
	return 0;
}
