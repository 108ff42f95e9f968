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
#include "sched_queue.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/*
 * Makes the CPU that runs the latest key, of those that the task may use, look
 * again, if that key is later than the task's and of a worse rank. A task of the
 * same rank has come later than this one, and is let finish its slice: else those
 * of one class that wake each other would do nothing but switch. If there is none, a
 * function on time may have the CPU of a late one of a worse rank (see late_first).
 */
static void preempt_latest(struct task_struct *p, __u64 key, __u64 patience_ns)
{
	struct alps_class *class;
	struct cpu *victims;
	struct bpf_iter_num it;
	__u64 latest = key, worst = patience_ns;
	__s32 victim = -1, late_victim = -1;
	int *number;

	bpf_iter_num_new(&it, 0, cpus_end);
	while ((number = bpf_iter_num_next(&it))) {
		struct cpu *c = cpu_of(*number);

		if (!c)
			break;
		if (c->key > latest && c->patience_ns > patience_ns &&
		    bpf_cpumask_test_cpu(*number, p->cpus_ptr)) {
			latest = c->key;
			victim = *number;
		}
		if (c->side == LATE_SIDE && c->patience_ns > worst &&
		    bpf_cpumask_test_cpu(*number, p->cpus_ptr)) {
			worst = c->patience_ns;
			late_victim = *number;
		}
	}
	bpf_iter_num_destroy(&it);
	if (is_past(key, patience_ns)) {
		if (latest != KEY_IDLE && !late_first(lead_now(), false))
			return;
	} else if (victim < 0 && late_victim >= 0 && key != KEY_SYSTEM && !late_first(lead_now(), true)) {
		victim = late_victim;
	}
	if (victim < 0)
		return;
	victims = cpu_of(victim);
	if (victims)
		victims->leaves = 1;
	/* So that the next one to come does not choose the same CPU. */
	set_running(victim, key, patience_ns);
	if (latest != KEY_IDLE) {
		count(ALPS_PREEMPTIONS);
		class = victims ? policy_entry(victims->class) : NULL;
		if (class)
			__sync_fetch_and_add(&class->stats.preempted, 1);
	}
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

/* An idle CPU that the task may use, or none (negative). */
static inline __s32 pick_idle(struct task_struct *p)
{
	__s32 cpu;

	if (p->nr_cpus_allowed > 1)
		return scx_bpf_pick_idle_cpu(p->cpus_ptr, 0);
	cpu = scx_bpf_task_cpu(p);
	return scx_bpf_test_and_clear_cpu_idle(cpu) ? cpu : -1;
}

SEC("struct_ops/alps_enqueue")
void BPF_PROG(alps_enqueue, struct task_struct *p, __u64 enq_flags)
{
	struct task_ctx *tc = make_task_ctx(p);
	__u64 slice_ns = fair_slice_ns, key = KEY_SYSTEM, patience_ns = 0;
	bool cpu_found = false;
	__u64 now = scx_bpf_now(), place;
	__s32 cpu;

	if (tc) {
		cpu_found = tc->cpu_found;
		tc->cpu_found = 0;
		tc->promoted = 0;
		tc->queued_ns = now;
		tc->woken = tc->slept_ns && (__s64)(now - tc->slept_ns) >= REQUEST_GAP_NS;
		tc->slept_ns = 0;
		if (!tc->arrived_ns) {
			advance_fair(now);
			tc->arrived_ns = fair_ns;
		}
		slice_ns = decide(p, tc);
		key = tc->key;
		patience_ns = tc->patience_ns;
		count_runnable(p, tc, now);
	}
	place = key;
	if (key == KEY_SYSTEM)
		place = tc ? tc->vtime : system_vtime;
	queue(p, tc, key == KEY_SYSTEM ? SYSTEM : FUNCTIONS, slice_ns, place, enq_flags);
	if (cpu_found) {
		set_running(scx_bpf_task_cpu(p), key, patience_ns);
		return;
	}
	cpu = pick_idle(p);
	if (cpu >= 0) {
		set_running(cpu, key, patience_ns);
		scx_bpf_kick_cpu(cpu, SCX_VALUE(scx_kick_flags, SCX_KICK_IDLE));
	} else {
		preempt_latest(p, key, patience_ns);
	}
}

/* A function that a CPU runs and that may go on. */
struct going_on {
	__u64 key; /* behind all: there is none */
	__u64 patience_ns;
	__u64 max_slice_ns; /* for its turn, or that of whoever is served instead */
	bool late;
};

/*
 * Serves the first function, unless the one that the CPU runs is. Bounds how long the
 * turn may be if both late ones and some on time wait.
 */
__noinline bool serve_functions(__s32 cpu, struct going_on *own ARG_NONNULL)
{
	__u64 all = behind_all(FUNCTIONS), of_late, of_others;
	__u64 late_limit = own->late ? own->key : all, limit = own->late ? all : own->key;
	struct serving how = { .max_slice_ns = own->max_slice_ns };
	bool late_is_first;

	if (!own->late && !may_wait(&shared_waiting, LATE)) {
		how.limit = limit;
		return serve(FUNCTIONS, cpu, &how);
	}
	of_late = first_patience(SHARED(LATE), late_limit, own->late ? own->patience_ns : NOBODY);
	of_others = first_patience(SHARED(FUNCTIONS), limit,
				   own->late || own->key == all ? NOBODY : own->patience_ns);
	late_is_first = late_first(lead_now(), of_others < of_late);
	if (of_late != NOBODY && of_others != NOBODY && own->max_slice_ns > LATE_TURN_NS)
		how.max_slice_ns = own->max_slice_ns = LATE_TURN_NS;
	for (__u32 i = 0; i < 2; i++) {
		how.limit = late_is_first ? late_limit : limit;
		if (serve(late_is_first ? LATE : FUNCTIONS, cpu, &how))
			return true;
		if (how.limit != all) /* the CPU's own is the first of them */
			return false;
		late_is_first = !late_is_first;
	}
	return false;
}

static __always_inline void dispatch(__s32 cpu, struct task_struct *prev, bool v2)
{
	struct serving how = { .max_slice_ns = NO_LIMIT };
	struct going_on own = { .key = behind_all(FUNCTIONS) };
	bool queued = prev && (prev->scx.flags & SCX_VALUE(scx_ent_flags, SCX_TASK_QUEUED));
	struct cpu *c = cpu_of(cpu);
	struct task_ctx *tc = NULL;
	bool goes_on = false;
	__u64 max_slice_ns, slice_ns = 0, key = KEY_SYSTEM, now = 0;

	if (c && c->promoted)
		end_promotion(c);
	if (c && c->side != NO_SIDE) {
		now = scx_bpf_now();
		c->lead_ns += time_on_side(c, now);
		c->side = NO_SIDE;
	}
	if (serve_overdue(cpu, now, &max_slice_ns))
		return;
	/* Mostly the CPU is free for whoever is first. */
	if ((!queued || (c && c->leaves)) && max_slice_ns == NO_LIMIT && !shared_waiting.late &&
	    !(c && waits_for(c))) {
		if (serve_first(SYSTEM, cpu, v2) || serve_first(FUNCTIONS, cpu, v2))
			return;
	}
	/* A task whose slice is over but who is still first goes on without
	 * leaving the CPU. */
	if (queued)
		tc = task_ctx(prev);
	if (tc && bpf_cpumask_test_cpu(cpu, prev->cpus_ptr)) {
		goes_on = true;
		slice_ns = decide(prev, tc);
		key = tc->key;
		count_runnable(prev, tc, scx_bpf_now());
	}
	how.limit = goes_on && key == KEY_SYSTEM ? tc->vtime : behind_all(SYSTEM);
	if (serve(SYSTEM, cpu, &how))
		return;
	own.max_slice_ns = max_slice_ns;
	if (goes_on) {
		own.key = key;
		own.patience_ns = tc->patience_ns;
		own.late = is_late(prev, tc);
	}
	if (!(goes_on && key == KEY_SYSTEM) && serve_functions(cpu, &own))
		return;
	if (goes_on) {
		count(ALPS_KEPT);
		prev->scx.slice = slice_ns < own.max_slice_ns ? slice_ns : own.max_slice_ns;
		set_running(cpu, key, tc->patience_ns);
		if (c && key != KEY_SYSTEM) {
			c->side = own.late ? LATE_SIDE : ON_TIME_SIDE;
			c->since_ns = scx_bpf_now();
		}
		return;
	}
	/* It is nobody's turn, but somebody may wait. */
	how.limit = behind_all(OVERDUE);
	if (serve(OVERDUE, cpu, &how))
		return;
	set_running(cpu, KEY_IDLE, KEY_IDLE);
	if (c && !c->looked_again &&
	    (may_wait(&shared_waiting, SYSTEM) || may_wait(&shared_waiting, FUNCTIONS))) {
		/* It may just not be in the queue yet, and nobody may tell. */
		c->looked_again = 1;
		scx_bpf_kick_cpu(cpu, 0);
	}
}

/* The loader takes one of the two. */
SEC("struct_ops/alps_dispatch")
void BPF_PROG(alps_dispatch, __s32 cpu, struct task_struct *prev)
{
	dispatch(cpu, prev, false);
}

/* Linux 7.1 and later. */
SEC("struct_ops/alps_dispatch_v2")
void BPF_PROG(alps_dispatch_v2, __s32 cpu, struct task_struct *prev)
{
	dispatch(cpu, prev, true);
}

SEC("struct_ops/alps_running")
void BPF_PROG(alps_running, struct task_struct *p)
{
	struct task_ctx *tc = task_ctx(p);
	bool function = tc && tc->key != KEY_SYSTEM;
	struct cpu *c = cpu_of(bpf_get_smp_processor_id());
	__u64 now = scx_bpf_now(), wait_ns = 0;

	if (tc)
		end_wait(tc);
	if (tc && tc->queued_ns) {
		wait_ns = now - tc->queued_ns;
		tc->queued_ns = 0;
	}
	if (c) {
		c->turn_ns = c->since_ns = now;
		c->promoted = function && tc->promoted;
		c->leaves = 0;
		c->looked_again = 0;
		c->key = function && !tc->promoted ? tc->key : KEY_SYSTEM;
		c->patience_ns = function && !tc->promoted ? tc->patience_ns : 0;
		c->side = NO_SIDE;
		if (function) {
			c->class = tc->key_hash;
			if (!tc->promoted)
				c->side = is_late(p, tc) ? LATE_SIDE : ON_TIME_SIDE;
		}
	}
	count(function ? ALPS_CLASS_TURNS : ALPS_SYSTEM_TURNS);
	if (function) {
		tc->turns++;
		tc->wait_ns += wait_ns;
		if (tc->promoted) {
			tc->promotions++;
			count(ALPS_PROMOTIONS);
		}
	} else {
		count_more(ALPS_SYSTEM_WAIT_NS, wait_ns);
	}
	if (tc && !function && (__s64)(tc->vtime - system_vtime) > 0)
		system_vtime = tc->vtime;
	if (function && (__s64)(tc->used_ns - function_vtime) > 0)
		function_vtime = tc->used_ns;
}

/* Who leaves its CPU is counted here or, to be queued anew, in enqueue: an operation
 * more for each turn would only cost. */
SEC("struct_ops/alps_quiescent")
void BPF_PROG(alps_quiescent, struct task_struct *p, __u64 deq_flags)
{
	struct task_ctx *tc = task_ctx(p);
	__u64 now = scx_bpf_now();
	struct alps_class *class;
	struct spell *spell;

	if (!tc)
		return;
	account(p, tc);
	/* The kernel may not have brought its CPU time up to date, and account not have
	 * told of its last turn. */
	if ((p->flags & PF_EXITING) && tc->turns && tc->key != KEY_SYSTEM) {
		class = policy_entry(tc->key_hash);
		if (class)
			add_stats(&class->stats, tc, 0);
	}
	end_wait(tc); /* it may be taken out of a queue */
	tc->slept_ns = now;
	if (tc->spell && (p->flags & PF_EXITING)) {
		leave_spell(tc);
	} else if (tc->spell && task_frozen(p)) {
		spell = spell_of(tc->spell);
		if (spell)
			spell->ended = 1;
	}
	count_function(tc, false, now);
	count_active(p, tc, false);
}

/*
 * Up to 6.18, who is pushed aside with a slice left, which only a higher class does, waits
 * at the head of the CPU's own queue, and to queue that anew (below) leaves it out: a BPF
 * program runs on its behalf just then. Without a slice it is queued as all others, and
 * the rest of the slice is known to decide. The loader takes it out for later kernels.
 */
SEC("struct_ops/alps_stopping")
void BPF_PROG(alps_stopping, struct task_struct *p, bool runnable)
{
	if (runnable)
		p->scx.slice = 0;
}

/*
 * A task of a higher class has taken the CPU: a real-time one, for as long as it
 * likes. What waits in the CPU's own queue, mostly the function that ran there with
 * the rest of its slice, would go on before better ones. It is queued anew instead,
 * and may go on elsewhere. The loader takes one of the two.
 */
static inline void release(__s32 cpu)
{
	struct cpu *c = cpu_of(cpu);

	set_running(cpu, KEY_SYSTEM, 0); /* nobody to preempt there */
	if (c)
		c->promoted = c->side = 0; /* what it took does not count any more */
}

SEC("struct_ops/alps_cpu_release")
void BPF_PROG(alps_cpu_release, __s32 cpu, struct scx_cpu_release_args *args)
{
	release(cpu);
	scx_bpf_reenqueue_local();
}

/* Linux 6.19 and later. */
SEC("struct_ops/alps_cpu_release_v2")
void BPF_PROG(alps_cpu_release_v2, __s32 cpu, struct scx_cpu_release_args *args)
{
	release(cpu);
	scx_bpf_reenqueue_local___v2();
}

/* A CPU that comes or goes needs nothing done, as queues are shared; but without
 * these the kernel would end the scheduler. */
SEC("struct_ops/alps_cpu_online")
void BPF_PROG(alps_cpu_online, __s32 cpu)
{
	__sync_fetch_and_add(&online_cpus, 1);
	if (cpu >= 0 && cpu >= cpus_end) /* one CPU comes at a time */
		cpus_end = cpu + 1;
	set_running(cpu, KEY_IDLE, KEY_IDLE);
}

SEC("struct_ops/alps_cpu_offline")
void BPF_PROG(alps_cpu_offline, __s32 cpu)
{
	struct cpu *c = cpu_of(cpu);

	__sync_fetch_and_add(&online_cpus, -1);
	set_running(cpu, KEY_SYSTEM, 0); /* nobody to preempt there */
	if (c)
		c->side = NO_SIDE;
}

SEC("struct_ops/alps_init_task")
__s32 BPF_PROG(alps_init_task, struct task_struct *p, struct scx_init_task_args *args)
{
	struct task_ctx *tc;

	/* Up to 6.18 a CPU makes one storage at a time: were this one preempted
	 * in the middle, and kept off its CPU by a real-time task, no other could
	 * be made there meanwhile. */
	bpf_preempt_disable();
	tc = make_task_ctx(p);
	bpf_preempt_enable();
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
	struct bpf_iter_num it;
	int *number;
	__s32 err;

	online_cpus = bpf_cpumask_weight(online);
	bpf_iter_num_new(&it, 0, possible_cpus);
	while ((number = bpf_iter_num_next(&it))) {
		if (bpf_cpumask_test_cpu(*number, online))
			cpus_end = *number + 1;
	}
	bpf_iter_num_destroy(&it);
	scx_bpf_put_cpumask(online);
	fair_at_ns = scx_bpf_now();
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
