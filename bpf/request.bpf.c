//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * The kernel side of alps-collect where an invocation is a request to a process
 * that serves many: the burst of a thread between two waits for one.
 *
 * User space says which system calls are waits. Of all others, only the number is
 * looked at. A thread's sums are read at both ends of a burst, so nothing is added
 * up in between.
 *
 * When a wait begins, it is not known yet whether the burst is over: the wait may
 * turn out to be none, or so short that both its sides are one request. So a burst
 * is sent when the wait is over, or when user space looks and it has been waiting
 * for long enough.
 */
#include "account.h"

/* Set by user space: bursts of less CPU time are no requests, and those with a
 * shorter wait between them are one. */
const volatile u64 min_request_ns = 0;
const volatile u64 merge_request_ns = 0;

/* Its size is set by user space. Threads that have waited, by task_struct. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct burst);
} bursts SEC(".maps");

/* What each system call is. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WAITS);
	__type(key, u32);
	__type(value, enum wait);
} waits SEC(".maps");

/* How many bursts were too short to be requests. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} too_short SEC(".maps");

/*
 * The state of a burst. User space and the thread itself may both find that it is
 * over; who changes WAITS to TOLD or RUNS has it. The count of changes is there so
 * that what was read before belongs to the state that is changed.
 */
enum burst_state {
	RUNS,
	WAITS_NOW,
	TOLD, /* it waits, and its burst was sent */
	STATES,
};

static __always_inline u64 next_state(u64 old, enum burst_state state)
{
	return (old / STATES + 1) * STATES + state;
}

static __always_inline enum wait wait_class(long syscall)
{
	u32 number = syscall;
	enum wait *class = bpf_map_lookup_elem(&waits, &number);

	return class ? *class : WAIT_NONE;
}

/* burst_of returns NULL also where the entry is that of a thread whose end was not
 * seen. */
static __always_inline struct burst *burst_of(struct task_struct *task)
{
	u64 key = (u64)task;
	struct burst *burst = bpf_map_lookup_elem(&bursts, &key);

	if (burst && burst->thread_start_ns == task->start_time)
		return burst;
	return NULL;
}

/* burst_cpu_ns is what a burst has used by its end. Both its sums are reckoned, so
 * of a short one the later may be the smaller. */
static __always_inline u64 burst_cpu_ns(const struct burst *burst, const struct use *end)
{
	s64 used = end->cpu_ns - burst->begin.cpu_ns;

	return used > 0 ? used : 0;
}

static __always_inline void read_burst(const struct burst *burst, struct task_struct *task,
				       const struct use *end, struct record *rec)
{
	rec->head = (struct head){
		.id = burst->tid,
		.start_ns = burst->start_ns,
		.cpu_ns = burst_cpu_ns(burst, end),
		.wait_ns = end->wait_ns - burst->begin.wait_ns,
		.switches = end->switches - burst->begin.switches,
		.sleeps = end->sleeps - burst->begin.sleeps,
		.process_start_ns = task->group_leader->start_time,
		.tgid = task->tgid,
	};
	bpf_probe_read_kernel_str(rec->head.comm, sizeof(rec->head.comm), task->group_leader->comm);
	read_path(task->cgroups->dfl_cgrp, rec);
}

/* send_burst sends a burst that is over, if it was long enough. */
static __always_inline void send_burst(const struct burst *burst, struct task_struct *task,
				       const struct use *end, u64 end_ns, u32 slot)
{
	struct record *rec = bpf_map_lookup_elem(&scratch, &slot);
	u32 zero = 0;
	u64 *count;

	if (!rec)
		return;
	if (burst_cpu_ns(burst, end) < min_request_ns) {
		count = bpf_map_lookup_elem(&too_short, &zero);
		if (count)
			++*count;
		return;
	}
	read_burst(burst, task, end, rec);
	rec->head.end_ns = end_ns;
	rec->head.life_ns = end_ns - burst->start_ns;
	send(rec);
}

/* follow_thread has the burst of a thread begin for the first time. */
static __always_inline void follow_thread(struct task_struct *task, u64 now)
{
	struct burst fresh = {
		.thread_start_ns = task->start_time,
		.start_ns = now,
		.tid = task->pid,
	};
	u64 key = (u64)task;

	read_use(task, now, &fresh.begin);
	if (bpf_map_update_elem(&bursts, &key, &fresh, BPF_ANY))
		count_lost(TABLE_FULL);
}

/* waits_on_socket tells whether the file of a system call is a socket. */
static __always_inline bool waits_on_socket(struct task_struct *task, struct pt_regs *regs)
{
	struct fdtable *fdt = BPF_CORE_READ(task, files, fdt);
	struct file **fds = BPF_CORE_READ(fdt, fd);
	u32 fd = first_argument(regs);
	struct file *file = NULL;

	if (fd >= BPF_CORE_READ(fdt, max_fds))
		return false;
	bpf_probe_read_kernel(&file, sizeof(file), fds + fd);
	return file && (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK;
}

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long syscall)
{
	enum wait class = wait_class(syscall);
	struct task_struct *task;
	struct burst *burst;
	u64 now;

	if (class == WAIT_NONE)
		return 0;
	task = bpf_get_current_task_btf();
	burst = burst_of(task);
	if (!burst || (class == WAIT_READ && !waits_on_socket(task, regs)))
		return 0;
	now = bpf_ktime_get_ns();
	burst->wait_ns = now;
	read_use(task, now, &burst->end);
	barrier();
	burst->state = next_state(burst->state, WAITS_NOW);
	return 0;
}

/*
 * is_wait tells whether a system call that is over was a wait for a request. To
 * look for events is one even if there were some, as under load there are always
 * some. To read what has come already is none: most is read piece by piece.
 */
static __always_inline bool is_wait(enum wait class, bool slept, long result)
{
	switch (class) {
	case WAIT_CONNECTION:
		return slept || result >= 0;
	case WAIT_EVENTS:
		return true;
	default:
		return slept;
	}
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
	enum wait class = wait_class(syscall_number(regs));
	struct task_struct *task;
	struct burst *burst;
	u64 now, old, queued;
	struct use used;
	bool slept;

	if (class == WAIT_NONE)
		return 0;
	task = bpf_get_current_task_btf();
	now = bpf_ktime_get_ns();
	burst = burst_of(task);
	if (!burst) {
		if (class != WAIT_READ || waits_on_socket(task, regs))
			follow_thread(task, now);
		return 0;
	}
	old = burst->state;
	if (old % STATES == RUNS)
		return 0; /* no wait, or begun before this was attached */
	read_use(task, now, &used);
	slept = used.sleeps != burst->end.sleeps;
	if (!is_wait(class, slept, result) ||
	    (now - burst->wait_ns < merge_request_ns && !(class == WAIT_CONNECTION && result >= 0))) {
		/* It goes on, unless it was told that it does not. */
		if (old % STATES == WAITS_NOW &&
		    __sync_val_compare_and_swap(&burst->state, old, next_state(old, RUNS)) == old)
			return 0;
		old = burst->state;
	}
	if (old % STATES == WAITS_NOW &&
	    __sync_val_compare_and_swap(&burst->state, old, next_state(old, TOLD)) == old)
		send_burst(burst, task, &burst->end, burst->wait_ns, SCRATCH_EVENT);

	/* The request came when the thread was woken up for it, and waited for a
	 * CPU since. */
	queued = slept ? used.wait_ns - burst->end.wait_ns : 0;
	if (queued > now - burst->wait_ns)
		queued = now - burst->wait_ns;
	burst->start_ns = now - queued;
	burst->begin = used;
	burst->begin.wait_ns -= queued;
	barrier();
	burst->state = next_state(burst->state, RUNS);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 now = bpf_ktime_get_ns(), key = (u64)prev, old;
	struct burst *burst;
	struct use used;

	read_clocks(next, now);
	/* Its parent may know of its end by now. */
	if (!prev->exit_state)
		return 0;
	burst = bpf_map_lookup_elem(&bursts, &key);
	if (!burst)
		return 0;
	old = burst->state;
	if (burst->thread_start_ns == prev->start_time && old % STATES != TOLD &&
	    __sync_val_compare_and_swap(&burst->state, old, next_state(old, TOLD)) == old) {
		if (old % STATES == WAITS_NOW) {
			send_burst(burst, prev, &burst->end, burst->wait_ns, SCRATCH_SWITCH);
		} else {
			read_use(prev, now, &used);
			/* All is booked, and to leave for good is no sleep. */
			used.cpu_ns = prev->se.sum_exec_runtime;
			used.sleeps -= !!(task_state(prev) & TASK_DEAD);
			send_burst(burst, prev, &used, now, SCRATCH_SWITCH);
		}
	}
	bpf_map_delete_elem(&bursts, &key);
	return 0;
}

/* Writes a record for each burst that is not over, and sends those that are. */
SEC("iter/task")
int on_living(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u32 slot = SCRATCH_ITERATOR;
	struct burst *burst, copy;
	struct record *rec;
	struct use used;
	u64 now, state;

	if (!task)
		return 0;
	burst = burst_of(task);
	if (!burst)
		return 0;
	state = burst->state;
	barrier();
	copy = *burst;
	barrier();
	now = bpf_ktime_get_ns();
	/* What was copied may be of two states. Then it is in the next window. */
	if (state != burst->state || state % STATES == TOLD)
		return 0;
	if (state % STATES == WAITS_NOW) {
		/* Not if it is about to return. */
		if (task_state(task) && now - copy.wait_ns >= merge_request_ns &&
		    __sync_val_compare_and_swap(&burst->state, state, next_state(state, TOLD)) == state) {
			/* Through the ring buffer: what is written here may have
			 * to be written again, if it does not fit. */
			send_burst(&copy, task, &copy.end, copy.wait_ns, slot);
			return 0;
		}
		used = copy.end;
	} else {
		read_use(task, now, &used);
	}
	if (burst_cpu_ns(&copy, &used) < min_request_ns)
		return 0; /* none yet */
	rec = bpf_map_lookup_elem(&scratch, &slot);
	if (!rec)
		return 0;
	read_burst(&copy, task, &used, rec);
	rec->head.life_ns = now - copy.start_ns;
	bpf_seq_write(ctx->meta->seq, rec, record_bytes(rec));
	return 0;
}
