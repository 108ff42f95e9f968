//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * alps-collect's kernel side: the CPU time, waits and ends of invocations.
 *
 * The kernel itself keeps exact sums for each thread (se.sum_exec_runtime,
 * sched_info.run_delay). So nothing is added up at a context switch: a
 * thread's sums are taken once, at its end, and those of threads that live are
 * read when user space asks, by the task iterator.
 *
 * A process is known by its signal_struct, which all its threads share from
 * fork to the last switch of the last of them, whoever execs and whether or
 * not the leader exited first. It cannot be reused before, as a pid can.
 */
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

/* The sizes of the first three are set by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct process);
} processes SEC(".maps");

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

/* Threads that were pushed off the CPU between their exit and last switch. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, u8);
} pushed_off SEC(".maps");

/* Too big for the stack. The iterator can be preempted by a thread's end. */
enum { SCRATCH_END, SCRATCH_ITERATOR, SCRATCHES };

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

static __always_inline struct process *process_of(struct task_struct *task)
{
	u64 key = (u64)task->signal;

	return bpf_map_lookup_elem(&processes, &key);
}

/*
 * Threads that the kernel starts in a user process are not announced by
 * sched_process_fork, so they are not counted in process.threads.
 */
static __always_inline bool is_kernel_made(struct task_struct *task)
{
	return task->pid != task->tgid && (task->flags & (PF_IO_WORKER | PF_USER_WORKER));
}

/*
 * read_path writes the names of a task's cgroup into rec, and sets path_bytes.
 * The cgroup may be removed already; its names live as long as a task, even a
 * dead one, points to it.
 */
static __always_inline void read_path(struct task_struct *task, struct record *rec)
{
	struct kernfs_node *kn = task->cgroups->dfl_cgrp->kn;
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

static __always_inline void read_process(struct process *proc, struct record *rec)
{
	rec->head = (struct head){
		.start_ns = proc->start_ns,
		.cpu_ns = proc->cpu_ns,
		.wait_ns = proc->wait_ns,
		.life_ns = proc->life_ns,
		.tgid = proc->tgid,
		.threads = proc->threads,
	};
	__builtin_memcpy(rec->head.comm, proc->comm, sizeof(proc->comm));
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

/* send_end hands a process whose last thread has ended to user space. */
static __always_inline void send_end(struct task_struct *last, struct process *proc, u64 now)
{
	u32 slot = SCRATCH_END;
	struct record *rec = bpf_map_lookup_elem(&scratch, &slot);

	if (!rec)
		return;
	read_process(proc, rec);
	rec->head.end_ns = now;
	read_path(last, rec);
	/* User space looks in from time to time; waking it up would cost the
	 * functions a context switch for each end. */
	if (bpf_ringbuf_output(&ended, rec, record_bytes(rec), BPF_RB_NO_WAKEUP))
		count_lost(RING_FULL);
}

/*
 * end_thread adds the sums of a thread to those of its process. It is called
 * for each switch away from a thread whose parent may know that it has exited.
 * The first of them is its end: what is left to do takes some us, but the
 * parent often pushes it off the CPU just there, and a scheduler that puts
 * functions behind others may not let it finish for long.
 */
static __always_inline void end_thread(struct task_struct *task, u64 now)
{
	struct process *proc = process_of(task);
	u64 key = (u64)task;
	u8 yes = 1;

	if (task_state(task) & TASK_DEAD) {
		if (!bpf_map_delete_elem(&pushed_off, &key))
			return; /* it has been counted */
		if (!proc)
			return;
	} else {
		/* Counted already, or no room: then its last switch counts. */
		if (!proc || bpf_map_update_elem(&pushed_off, &key, &yes, BPF_NOEXIST))
			return;
	}
	__sync_fetch_and_add(&proc->cpu_ns, task->se.sum_exec_runtime);
	if (is_kernel_made(task))
		return;
	__sync_fetch_and_add(&proc->wait_ns, task->sched_info.run_delay);
	__sync_fetch_and_add(&proc->life_ns, now - task->start_time);
	if (__sync_fetch_and_add(&proc->threads, -1) != 1)
		return;

	/* Send first: one who looks at both then sees it in at least one. */
	if (proc->invoked)
		send_end(task, proc, now);
	key = (u64)task->signal;
	bpf_map_delete_elem(&processes, &key);
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

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 now = bpf_ktime_get_ns();

	read_clocks(next, now);
	if (prev->exit_state)
		end_thread(prev, now);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	u64 key = (u64)child->signal;
	struct process *proc = bpf_map_lookup_elem(&processes, &key);
	struct process fresh = {};

	if (child->flags & PF_KTHREAD)
		return 0;
	if (child->pid != child->tgid) {
		if (proc)
			__sync_fetch_and_add(&proc->threads, 1);
		return 0;
	}
	if (proc && proc->invoked)
		count_lost(END_NOT_SEEN);
	fresh.start_ns = child->start_time;
	fresh.tgid = child->tgid;
	fresh.threads = 1;
	bpf_probe_read_kernel_str(fresh.comm, sizeof(fresh.comm), child->comm);
	if (bpf_map_update_elem(&processes, &key, &fresh, BPF_ANY))
		count_lost(TABLE_FULL);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task)
{
	struct process *proc = process_of(task);

	if (proc)
		proc->invoked = 1;
	return 0;
}

/* Comes for exec too, where the name may stay as it was. */
SEC("tp_btf/task_rename")
int BPF_PROG(on_rename, struct task_struct *task, const char *name)
{
	union {
		char text[COLLECT_COMM_LEN];
		u64 words[2];
	} comm = {};
	struct process *proc;
	u64 *old;

	if (task->pid != task->tgid)
		return 0;
	proc = process_of(task);
	if (!proc)
		return 0;
	bpf_probe_read_kernel_str(comm.text, sizeof(comm.text), name);
	old = (u64 *)proc->comm;
	if (old[0] == comm.words[0] && old[1] == comm.words[1])
		return 0;
	old[0] = comm.words[0];
	old[1] = comm.words[1];
	proc->invoked = 1;
	return 0;
}

/*
 * add_unbooked adds what the kernel's sums do not have yet: they grow at ticks
 * and switches, so those of a thread that runs or waits right now are up to
 * 10 ms old. The run queue's own clock stands still between ticks as well; it
 * is carried on by CLOCK_MONOTONIC from where both were last read together.
 */
static __always_inline void add_unbooked(struct task_struct *task, u64 now, struct record *rec)
{
	u64 queued = task->sched_info.last_queued;
	struct rq *rq = task_rq(task);
	struct clock_pair *pair;
	s64 rq_now, unbooked;
	u32 cpu;

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
		if (unbooked > 0 && task->se.sum_exec_runtime == rec->head.thread_cpu_ns)
			rec->head.thread_cpu_ns += unbooked;
	} else if (queued && rq_now > (s64)queued) {
		rec->head.thread_wait_ns += rq_now - queued;
	}
}

/* Writes a record for each living thread of an invocation. */
SEC("iter/task")
int on_living(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u32 slot = SCRATCH_ITERATOR;
	struct process *proc;
	struct record *rec;
	u64 now;

	if (!task)
		return 0;
	proc = process_of(task);
	if (!proc || !proc->invoked)
		return 0;
	/* Its sums are in the process's, or will be when it leaves the CPU. */
	if (task->exit_state)
		return 0;
	rec = bpf_map_lookup_elem(&scratch, &slot);
	if (!rec)
		return 0;
	now = bpf_ktime_get_ns();
	read_process(proc, rec);
	rec->head.thread_cpu_ns = task->se.sum_exec_runtime;
	rec->head.thread_wait_ns = task->sched_info.run_delay;
	rec->head.thread_life_ns = now - task->start_time;
	add_unbooked(task, now, rec);
	read_path(task, rec);
	bpf_seq_write(ctx->meta->seq, rec, record_bytes(rec));
	return 0;
}
