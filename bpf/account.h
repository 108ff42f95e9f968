/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * What the kinds of invocations have in common: how a thread's sums are read and
 * a record is made and sent. One file includes it for each kind, with a table of
 * its own.
 *
 * The kernel itself keeps exact sums for each thread (se.sum_exec_runtime,
 * sched_info.run_delay, nvcsw, nivcsw).
 */
#ifndef ALPS_ACCOUNT_H
#define ALPS_ACCOUNT_H

#include "kernel.h"
#include "collect.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* The clock of a CPU's run queue and CLOCK_MONOTONIC, read together. */
struct clock_pair {
	u64 monotonic_ns;
	u64 rq_ns;
	u64 pad[6]; /* each CPU writes a cache line of its own */
};

struct record {
	struct head head;
	char path[COLLECT_PATH_BYTES + COLLECT_NAME_BYTES];
};

/* The sizes of these two are set by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} ended SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct clock_pair);
} clocks SEC(".maps");

/* How many programs beside the iterator and that of context switches send records. */
#ifndef EVENT_PROGRAMS
#define EVENT_PROGRAMS 1
#endif

/*
 * Too big for the stack. Each program has one of its own, as the iterator can be
 * preempted by the others, and on some kernels these by each other.
 */
enum { SCRATCH_SWITCH, SCRATCH_ITERATOR, SCRATCH_EVENT, SCRATCHES = SCRATCH_EVENT + EVENT_PROGRAMS };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SCRATCHES);
	__type(key, u32);
	__type(value, struct record);
} scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LOSSES);
	__type(key, enum loss);
	__type(value, u64);
} lost SEC(".maps");

static __always_inline void count_lost(enum loss cause)
{
	u64 *count = bpf_map_lookup_elem(&lost, &cause);

	if (count)
		__sync_fetch_and_add(count, 1);
}

/*
 * read_path writes the names of a cgroup into rec, and sets path_bytes. The
 * cgroup may be removed already; its names live as long as a task, even a dead
 * one, points to it.
 */
static __always_inline void read_path(struct cgroup *cgroup, struct record *rec)
{
	struct kernfs_node *kn = cgroup->kn;
	u32 len = 0;

	rec->head.path_bytes = COLLECT_PATH_TOO_LONG;
	for (int depth = 0; depth <= COLLECT_PATH_DEPTH; depth++) {
		struct kernfs_node *parent = kernfs_parent(kn);
		long n;
		u32 at;

		if (!parent) {
			rec->head.path_bytes = len;
			return;
		}
		if (len >= COLLECT_PATH_BYTES)
			return;
		/* Says nothing new, but in a form that no compiler can move
		 * away from where the verifier of 6.1 needs it. */
		barrier_var(len);
		at = len & (COLLECT_PATH_BYTES - 1);
		n = bpf_probe_read_kernel_str(rec->path + at, COLLECT_NAME_BYTES, BPF_CORE_READ(kn, name));
		if (n <= 0 || n > COLLECT_NAME_BYTES)
			return;
		len += n;
		kn = parent;
	}
}

/* record_bytes is how much of rec is in use, in a form the verifier follows. */
static __always_inline u32 record_bytes(struct record *rec)
{
	s32 path = rec->head.path_bytes;

	if (path < 0)
		path = 0;
	if (path > (s32)sizeof(rec->path))
		path = sizeof(rec->path);
	return sizeof(rec->head) + path;
}

/* send hands a record to user space, which looks in from time to time: waking it
 * up would cost the functions a context switch for each end. */
static __always_inline void send(struct record *rec)
{
	if (bpf_ringbuf_output(&ended, rec, record_bytes(rec), BPF_RB_NO_WAKEUP))
		count_lost(RING_FULL);
}

/* read_clocks pairs the clocks of this CPU, where a task begins to run. */
static __always_inline void read_clocks(struct task_struct *next, u64 now)
{
	struct rq *rq = task_rq(next);
	struct clock_pair *pair;
	u32 cpu;

	if (!rq)
		return;
	cpu = rq_cpu(rq);
	pair = bpf_map_lookup_elem(&clocks, &cpu);
	if (!pair)
		return;
	pair->monotonic_ns = now;
	pair->rq_ns = rq->clock;
}

/*
 * read_use reads a thread's sums as they are now, with what the kernel has not
 * booked yet: its own grow at ticks and switches, so those of a thread that runs
 * or waits right now are up to 10 ms old. The run queue's own clock stands still
 * between ticks as well; it is carried on by CLOCK_MONOTONIC from where both
 * were last read together.
 */
static __always_inline void read_use(struct task_struct *task, u64 now, struct use *use)
{
	u64 queued = task->sched_info.last_queued;
	struct rq *rq = task_rq(task);
	struct clock_pair *pair;
	s64 rq_now, unbooked;
	u32 cpu;

	use->cpu_ns = task->se.sum_exec_runtime;
	use->wait_ns = task->sched_info.run_delay;
	use->sleeps = task->nvcsw;
	use->switches = task->nvcsw + task->nivcsw;
	if (!rq)
		return;
	cpu = rq_cpu(rq);
	pair = bpf_map_lookup_elem(&clocks, &cpu);
	if (!pair || !pair->monotonic_ns)
		return;
	rq_now = pair->rq_ns + (now - pair->monotonic_ns);
	if (task_on_cpu(task)) {
		/* clock_task leaves out interrupts and stolen time, and so
		 * does exec_start; both were read at the time of clock. */
		unbooked = rq_now - (s64)rq->clock + (s64)(rq->clock_task - task->se.exec_start);
		/* A tick in between has booked it. */
		if (unbooked > 0 && task->se.sum_exec_runtime == use->cpu_ns)
			use->cpu_ns += unbooked;
	} else if (queued && rq_now > (s64)queued) {
		use->wait_ns += rq_now - queued;
	}
}

#endif
