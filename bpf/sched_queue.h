/* SPDX-License-Identifier: (GPL-2.0-only OR MIT) */
/* The queues of the scheduler (sched.bpf.c), and who is served from which. */
#ifndef ALPS_SCHED_QUEUE_H
#define ALPS_SCHED_QUEUE_H

#include "sched_order.h"

/*
 * The queues. Each kind has one for all CPUs, and one more for each CPU with the
 * tasks that may run nowhere else: were they in the first, all other CPUs would
 * have to look past them.
 */
enum kind {
	SYSTEM,    /* by virtual time */
	FUNCTIONS, /* by virtual deadline */
	OVERDUE,   /* functions that have waited too long, by since when */
	LATE,      /* functions that are past their deadlines, by these; those of one CPU are in
		    * its FUNCTIONS all the same */
	KINDS,
};

#define SHARED(kind) ((__u64)(kind))
#define PINNED(kind, cpu) ((__u64)(kind) | ((__u64)(cpu) + 1) << 8)

/* How many waiting tasks one decision looks at for one that may run here. */
#define PEEK_MAX 256
/* How many tasks of a queue the starvation bound looks at, and how often while
 * max_wait_ns goes by. */
#define OVERDUE_SCAN_MAX 4096
#define OVERDUE_SCANS 8
/* What a turn out of turn and an ordinary one after it take, where each lasts
 * until the next of 250 ticks a second. */
#define OVERDUE_ROUND_NS 8000000

/* How many late tasks one look moves, and how often there is one. */
#define LATE_SCAN_MAX 256
#define LATE_SCAN_NS 1000000
/* docs/decisions/0010 has the reasons; internal/sim has the same. */
#define LATE_TURN_NS 8000000
#define LATE_LEAD_NS 16000000LL
#define LATE_LEAD_MAX_NS (LATE_LEAD_NS + LATE_TURN_NS)

/*
 * How many tasks wait in the queues for all CPUs, and in struct cpu those in the CPU's
 * own: from before they are queued until they run, or leave. To ask the kernel takes a
 * search for the queue, and would not do: it queues a task when enqueue has returned.
 */
struct waiting shared_waiting;

#define WAITS_IN(kind, own_cpu) (1 + (kind) + 2 * (own_cpu)) /* own_cpu: the CPU + 1, 0: shared */

static inline struct waiting *waiting_in(__u32 waits_in)
{
	__u32 own_cpu = (waits_in - 1) / 2;
	struct cpu *c = own_cpu ? cpu_of(own_cpu - 1) : NULL;

	return c ? &c->own : &shared_waiting;
}

static inline void count_waiting(__u32 waits_in, __s32 more)
{
	__sync_fetch_and_add(&waiting_in(waits_in)->tasks[(waits_in - 1) % 2], more);
}

/* A task waits no more. */
static inline void end_wait(struct task_ctx *tc)
{
	if (tc->waits_in)
		count_waiting(tc->waits_in, -1);
	tc->waits_in = 0;
}

/* Whether something may wait in the queues of a kind. */
static inline bool may_wait(struct waiting *waiting, enum kind kind)
{
	if (kind == OVERDUE)
		return *(volatile __u32 *)&waiting->overdue;
	if (kind == LATE)
		return *(volatile __u32 *)&waiting->late;
	return *(volatile __u32 *)&waiting->tasks[kind];
}

/* Whether something may wait in the CPU's own queues. */
static inline bool waits_for(struct cpu *c)
{
	return c->own.tasks[SYSTEM] | c->own.tasks[FUNCTIONS];
}

/* Says that nothing is in a queue of those who are overdue or late if so it is. Set after
 * a task was moved there, and cleared before a look, it may say so for nothing, but
 * never the other way round. */
static void check_empty(__u32 *some, __u64 dsq)
{
	__sync_lock_test_and_set(some, 0);
	if (scx_bpf_dsq_nr_queued(dsq))
		*some = 1;
}

/* The CPU to whose queues a task belongs, NULL if it may run on several. Where there
 * is but one CPU at all, one set of queues does. */
static struct cpu *pinned_to(struct task_struct *p, __u32 *cpu)
{
	if (p->nr_cpus_allowed > 1 || possible_cpus == 1)
		return NULL;
	*cpu = bpf_cpumask_first(p->cpus_ptr);
	return *cpu < possible_cpus ? cpu_of(*cpu) : NULL;
}

/* Puts a task into a queue of a kind. */
static __always_inline void queue(struct task_struct *p, struct task_ctx *tc, enum kind kind, __u64 slice_ns,
				  __u64 place, __u64 enq_flags)
{
	__u32 cpu = 0, waits_in;
	struct cpu *c = pinned_to(p, &cpu);

	waits_in = WAITS_IN(kind, c ? cpu + 1 : 0);
	if (!tc) {
		count_waiting(waits_in, 1); /* for good, as nobody is going to know */
	} else if (tc->waits_in != waits_in) {
		end_wait(tc);
		tc->waits_in = waits_in;
		count_waiting(waits_in, 1);
	}
	scx_bpf_dsq_insert_vtime(p, c ? PINNED(kind, cpu) : SHARED(kind), slice_ns, place, enq_flags);
}

/* How a task is served. */
struct serving {
	__u64 limit;        /* only if its place in the queue is before */
	__u64 max_slice_ns; /* for this turn; what is left of its slice stays its own */
	bool promote;       /* out of turn */
};

/* Moves the first task of a queue that may run on the CPU there. */
__noinline bool serve_queue(__u64 dsq, __s32 cpu, const struct serving *how ARG_NONNULL)
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
			if (tc && !how->promote)
				set_running(cpu, tc->key, tc->patience_ns);
			else
				set_running(cpu, KEY_SYSTEM, 0);
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

/* Serves the first task of a kind that may run on the CPU, task by task. */
static bool serve(enum kind kind, __s32 cpu, const struct serving *how)
{
	struct serving before_pinned = *how;
	struct cpu *c = cpu_of(cpu);
	bool served;

	if (c && may_wait(&c->own, kind)) {
		before_pinned.limit = first_place(PINNED(kind, cpu), how->limit);
		if (may_wait(&shared_waiting, kind) && serve_queue(SHARED(kind), cpu, &before_pinned))
			return true;
		served = serve_queue(PINNED(kind, cpu), cpu, how);
		if (!served && kind == OVERDUE)
			check_empty(&c->own.overdue, PINNED(kind, cpu));
		return served;
	}
	if (!may_wait(&shared_waiting, kind))
		return false;
	served = serve_queue(SHARED(kind), cpu, how);
	if (!served && kind == OVERDUE)
		check_empty(&shared_waiting.overdue, SHARED(kind));
	if (!served && kind == LATE)
		check_empty(&shared_waiting.late, SHARED(kind));
	return served;
}

/*
 * The same for what is most often asked for: the first, whatever its place and
 * slice. The kernel does that at a go. What the CPU is about to run is then known
 * when it runs; meanwhile it counts as running what it ran before.
 */
static __always_inline bool serve_first(enum kind kind, __s32 cpu, bool v2)
{
	if (!may_wait(&shared_waiting, kind))
		return false;
	return v2 ? scx_bpf_dsq_move_to_local___v2(SHARED(kind), 0) : scx_bpf_dsq_move_to_local(SHARED(kind));
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

/* Whether to look through a queue again, which is then this CPU's to do. */
static inline bool is_time_to_scan(__u64 *scanned_ns, __u64 every_ns, __u64 now)
{
	__u64 last = *scanned_ns;

	return (__s64)(now - last) >= (__s64)every_ns &&
	       __sync_val_compare_and_swap(scanned_ns, last, now) == last;
}

/* Moves the functions of a queue that are overdue to the queue of those. */
static void find_overdue(__u64 from, __u64 to, struct waiting *waiting, __u64 now)
{
	__u64 after_ns = overdue_after_ns();
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;
	struct task_ctx *tc;

	bpf_iter_scx_dsq_new(&it, from, 0);
	for (__u32 i = unknown_zero; i < OVERDUE_SCAN_MAX; i++) {
		p = bpf_iter_scx_dsq_next(&it);
		if (!p)
			break;
		tc = task_ctx(p);
		if (!tc || (__s64)(now - tc->queued_ns) < (__s64)after_ns)
			continue;
		scx_bpf_dsq_move_set_vtime(&it, tc->queued_ns);
		if (scx_bpf_dsq_move_vtime(&it, p, to, 0))
			waiting->overdue = 1;
	}
	bpf_iter_scx_dsq_destroy(&it);
}

/* Whether a function is past its deadline. By the paper's rules none is. */
static inline bool is_past(__u64 key, __u64 patience_ns)
{
	return patience_ns > PAPER_PATIENCE && key < fair_ns;
}

/* Whether a function waits, if it does, or runs among the late ones. */
static inline bool is_late(struct task_struct *p, struct task_ctx *tc)
{
	__u32 cpu;

	return is_past(tc->key, tc->patience_ns) && !pinned_to(p, &cpu);
}

/* Moves the functions that are past their deadlines, which are the first of all, to the
 * queue of those. */
static void find_late(__u64 now)
{
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;
	struct task_ctx *tc;

	advance_fair(now);
	bpf_iter_scx_dsq_new(&it, SHARED(FUNCTIONS), 0);
	for (__u32 i = unknown_zero; i < LATE_SCAN_MAX; i++) {
		p = bpf_iter_scx_dsq_next(&it);
		tc = p ? task_ctx(p) : NULL;
		if (!tc || !is_late(p, tc))
			break;
		if (scx_bpf_dsq_move_vtime(&it, p, SHARED(LATE), 0))
			shared_waiting.late = 1;
	}
	bpf_iter_scx_dsq_destroy(&it);
}

/* For how long a CPU has been on a side, as what it adds to the lead of those on time. */
static inline __s64 time_on_side(struct cpu *c, __u64 now)
{
	__s64 ns = now - c->since_ns;

	if (c->side == NO_SIDE || ns < 0) /* another CPU's clock may be a little ahead */
		return 0;
	return c->side == LATE_SIDE ? -ns : ns;
}

/*
 * Functions that are late have half of the time, those on time the other half, if some
 * of both wait: so late ones, which are mostly long, do not go before all short ones
 * until they end. Turn about, LATE_TURN_NS each; but a function of a better rank than the
 * first of the late ones need not wait for that as long as those on time have not had
 * LATE_LEAD_NS more.
 */
static bool late_first(__s64 lead, bool better)
{
	return lead > (better ? LATE_LEAD_NS : 0);
}

/* By how much CPU time those on time have had more by now; neither side saves up for
 * later. */
static __s64 lead_now(void)
{
	__s64 lead = lead_ns, before = lead;
	__u64 now = scx_bpf_now();
	struct bpf_iter_num it;
	struct cpu *c;
	int *number;

	bpf_iter_num_new(&it, 0, cpus_end);
	while ((number = bpf_iter_num_next(&it))) {
		c = cpu_of(*number);
		if (c)
			lead += c->lead_ns + time_on_side(c, now);
	}
	bpf_iter_num_destroy(&it);
	if (lead > LATE_LEAD_MAX_NS)
		lead_ns = before - (lead - LATE_LEAD_MAX_NS);
	else if (lead < -LATE_LEAD_MAX_NS)
		lead_ns = before - (lead + LATE_LEAD_MAX_NS);
	return lead;
}

#define NOBODY ~0ULL

/* The patience of the first task of a queue, or else of whoever has a place that is
 * before. */
static __u64 first_patience(__u64 dsq, __u64 place, __u64 patience_ns)
{
	struct bpf_iter_scx_dsq it;
	struct task_struct *p;
	struct task_ctx *tc;

	bpf_iter_scx_dsq_new(&it, dsq, 0);
	p = bpf_iter_scx_dsq_next(&it);
	tc = p ? task_ctx(p) : NULL;
	if (tc && (__s64)(p->scx.dsq_vtime - place) < 0)
		patience_ns = tc->patience_ns;
	bpf_iter_scx_dsq_destroy(&it);
	return patience_ns;
}

#define NO_LIMIT ~0ULL

/*
 * The starvation bound: functions that have waited too long get short turns out
 * of turn, also before system tasks, and those first who have waited longest.
 * After each as much time again is for those whose turn it is, so that a crowd
 * does not make a round robin of it. Returns whether one is served, and else how
 * long an ordinary turn may be. Who is late is looked for here, too, where the clock is
 * read anyway, if the caller has not (now is 0 then).
 */
static bool serve_overdue(__s32 cpu, __u64 now, __u64 *max_slice_ns)
{
	struct serving how = { .max_slice_ns = promoted_slice_ns, .promote = true };
	struct cpu *c = cpu_of(cpu);
	bool shared = may_wait(&shared_waiting, FUNCTIONS), own = c && may_wait(&c->own, FUNCTIONS);
	__s64 left_ns;

	*max_slice_ns = NO_LIMIT;
	if (!(shared || own))
		return false;
	if (!now)
		now = scx_bpf_now();
	if (shared && is_time_to_scan(&late_scanned_ns, LATE_SCAN_NS, now))
		find_late(now);
	if (!max_wait_ns)
		return false;
	if (shared && is_time_to_scan(&scanned_ns, max_wait_ns / OVERDUE_SCANS, now)) {
		find_overdue(SHARED(FUNCTIONS), SHARED(OVERDUE), &shared_waiting, now);
		if (shared_waiting.late)
			find_overdue(SHARED(LATE), SHARED(OVERDUE), &shared_waiting, now);
	}
	if (own && is_time_to_scan(&c->scanned_ns, max_wait_ns / OVERDUE_SCANS, now))
		find_overdue(PINNED(FUNCTIONS, cpu), PINNED(OVERDUE, cpu), &c->own, now);
	if (!shared_waiting.overdue && !(c && c->own.overdue))
		return false;
	left_ns = ordinary_ns - now;
	*max_slice_ns = left_ns > (__s64)promoted_slice_ns ? left_ns : promoted_slice_ns;
	how.limit = now; /* they have waited since before */
	return left_ns <= 0 && serve(OVERDUE, cpu, &how);
}

/* A turn out of turn is over. CPUs may overwrite each other's ordinary_ns: one
 * more or less out of turn. */
static void end_promotion(struct cpu *c)
{
	__u64 now = scx_bpf_now();

	c->promoted = 0;
	ordinary_ns = now + (now - c->turn_ns) / (online_cpus ?: 1);
}

/* Far enough behind any place in a queue that nothing is after it. */
static __u64 behind_all(enum kind kind)
{
	return kind == SYSTEM ? system_vtime + (1ULL << 62) : (1ULL << 63) - 1;
}

#endif
