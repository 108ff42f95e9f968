//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * The kernel side of alps-collect where an invocation is a process.
 *
 * Nothing is added up at a context switch: a thread's sums are taken once, at
 * its end, and those of threads that live are read when user space asks, by the
 * task iterator.
 *
 * A process is known by its signal_struct, which all its threads share from
 * fork to the last switch of the last of them, whoever execs and whether or
 * not the leader exited first. It cannot be reused before, as a pid can.
 */
#include "account.h"

/* Its size is set by user space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct process);
} processes SEC(".maps");

/* Threads that were pushed off the CPU between their exit and last switch. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, u8);
} pushed_off SEC(".maps");

static __always_inline struct process *process_of(struct task_struct *task)
{
	u64 key = (u64)task->signal;

	return bpf_map_lookup_elem(&processes, &key);
}

/* Threads that the kernel starts in a user process, for its own use. */
static __always_inline bool is_kernel_made(struct task_struct *task)
{
	return task->pid != task->tgid && (task->flags & (PF_IO_WORKER | PF_USER_WORKER));
}

static __always_inline void read_process(struct process *proc, struct record *rec)
{
	rec->head = (struct head){
		.id = proc->tgid,
		.start_ns = proc->start_ns,
		.cpu_ns = proc->cpu_ns,
		.wait_ns = proc->wait_ns,
		.life_ns = proc->life_ns,
		.switches = proc->switches,
		.sleeps = proc->sleeps,
		.tgid = proc->tgid,
		.threads = proc->threads,
	};
	__builtin_memcpy(rec->head.comm, proc->comm, sizeof(proc->comm));
}

/* send_end hands a process whose last thread has ended to user space. */
static __always_inline void send_end(struct task_struct *last, struct process *proc, u64 now)
{
	u32 slot = SCRATCH_SWITCH;
	struct record *rec = bpf_map_lookup_elem(&scratch, &slot);

	if (!rec)
		return;
	read_process(proc, rec);
	rec->head.end_ns = now;
	read_path(last->cgroups->dfl_cgrp, rec);
	send(rec);
}

/*
 * follow_process enters a new process into the table. On some kernels the event of
 * a fork may find the program already running on the CPU, as a program is preempted
 * like its task there (7.x); then the kernel leaves it out. No switch is left out,
 * so the first switch to a process makes good for it, and threads are counted there
 * and nowhere else.
 */
static __always_inline bool follow_process(struct task_struct *leader)
{
	u64 key = (u64)leader->signal;
	struct process *earlier = process_of(leader);
	struct process fresh = {
		.start_ns = leader->start_time,
		.exec_id = leader->self_exec_id,
		.tgid = leader->tgid,
		.threads = 1,
	};

	if (earlier && earlier->invoked)
		count_lost(END_NOT_SEEN);
	bpf_probe_read_kernel_str(fresh.comm, sizeof(fresh.comm), leader->comm);
	return !bpf_map_update_elem(&processes, &key, &fresh, BPF_ANY);
}

/*
 * find_invoked makes good for events of exec and renaming that were left out: what
 * they tell can still be seen at the process's first thread.
 */
static __always_inline void find_invoked(struct task_struct *task, struct process *proc)
{
	struct task_struct *leader = task->group_leader;
	union {
		char text[COLLECT_COMM_LEN];
		u64 words[2];
	} comm = {};
	u64 *old = (u64 *)proc->comm;

	bpf_probe_read_kernel_str(comm.text, sizeof(comm.text), leader->comm);
	if (old[0] != comm.words[0] || old[1] != comm.words[1] || leader->self_exec_id != proc->exec_id) {
		old[0] = comm.words[0];
		old[1] = comm.words[1];
		proc->invoked = 1;
	}
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
	bool dead = task_state(task) & TASK_DEAD;
	u64 key = (u64)task;
	u8 yes = 1;

	if (dead) {
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
	if (!is_kernel_made(task)) {
		__sync_fetch_and_add(&proc->wait_ns, task->sched_info.run_delay);
		__sync_fetch_and_add(&proc->life_ns, now - task->start_time);
		__sync_fetch_and_add(&proc->switches, task->nvcsw + task->nivcsw);
		/* To leave for good is no sleep. */
		__sync_fetch_and_add(&proc->sleeps, task->nvcsw - dead);
	}
	/* Below 0 is less than none: of a process on a machine with too much to do, one
	 * more end than first switches has been seen. */
	if ((s32)__sync_fetch_and_add(&proc->threads, -1) > 1)
		return;
	/* A thread that has not run yet is not counted here, but is by the kernel. It may
	 * have run and ended by now, and is the last as well then. */
	if (task->signal->live.counter > 0 || __sync_lock_test_and_set(&proc->over, 1))
		return;

	find_invoked(task, proc);
	/* Send first: one who looks at both then sees it in at least one. */
	if (proc->invoked)
		send_end(task, proc, now);
	key = (u64)task->signal;
	bpf_map_delete_elem(&processes, &key);
}

/* see_first_switch is called for the first switch to a thread. */
static __always_inline void see_first_switch(struct task_struct *task)
{
	struct process *proc;

	if (task->flags & PF_KTHREAD)
		return;
	proc = process_of(task);
	if (task->pid != task->tgid) {
		if (proc)
			__sync_fetch_and_add(&proc->threads, 1);
	} else if (!proc || proc->start_ns != task->start_time) {
		if (!follow_process(task))
			count_lost(TABLE_FULL);
	}
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 now = bpf_ktime_get_ns();

	read_clocks(next, now);
	if (prev->exit_state)
		end_thread(prev, now);
	if (next->nvcsw + next->nivcsw == 0)
		see_first_switch(next);
	return 0;
}

/* If there is no room, it is tried again at the first switch. */
SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	if (child->pid == child->tgid && !(child->flags & PF_KTHREAD))
		follow_process(child);
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

/* Writes a record for each living thread of an invocation. */
SEC("iter/task")
int on_living(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u32 slot = SCRATCH_ITERATOR;
	struct process *proc;
	struct record *rec;
	struct use use;
	u64 now;

	if (!task)
		return 0;
	proc = process_of(task);
	if (!proc)
		return 0;
	if (!proc->invoked)
		find_invoked(task, proc);
	if (!proc->invoked)
		return 0;
	/* Its sums are in the process's, or will be when it leaves the CPU. */
	if (task->exit_state)
		return 0;
	rec = bpf_map_lookup_elem(&scratch, &slot);
	if (!rec)
		return 0;
	now = bpf_ktime_get_ns();
	read_process(proc, rec);
	read_use(task, now, &use);
	rec->head.thread_cpu_ns = use.cpu_ns;
	rec->head.thread_wait_ns = use.wait_ns;
	rec->head.thread_life_ns = now - task->start_time;
	rec->head.thread_switches = use.switches;
	rec->head.thread_sleeps = use.sleeps;
	read_path(task->cgroups->dfl_cgrp, rec);
	bpf_seq_write(ctx->meta->seq, rec, record_bytes(rec));
	return 0;
}
