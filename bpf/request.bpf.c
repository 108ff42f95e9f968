//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * The kernel side of alps-collect where an invocation is a request to a process
 * that serves many: the burst of a thread between two waits for one.
 *
 * User space says which system calls are waits. That a thread sleeps in one is seen
 * where it leaves its CPU, so nothing is asked of calls that do not sleep, save of the
 * few that are waits all the same. A thread's sums are read at both ends of a burst,
 * so nothing is added up in between.
 *
 * When a wait begins, it is not known yet whether the burst is over: the wait may be
 * so short that both its sides are one request. So a burst is sent when the wait is
 * over, or when user space looks and it has been waiting for long enough.
 */
#define EVENT_PROGRAMS 5 /* of ON_RETURN */
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

/* follow_thread takes a thread into the table, as one that waits or runs from now on. */
static __always_inline void follow_thread(struct task_struct *task, u64 now, enum burst_state state,
					  bool unseen)
{
	struct burst fresh = {
		.state = state,
		.thread_start_ns = task->start_time,
		.start_ns = now,
		.wait_ns = now,
		.tid = task->pid,
		.unseen = unseen,
	};
	u64 key = (u64)task;

	read_use(task, now, &fresh.begin);
	fresh.end = fresh.begin;
	if (bpf_map_update_elem(&bursts, &key, &fresh, BPF_ANY))
		count_lost(TABLE_FULL);
}

/* is_socket tells whether the file of the system call that a thread is in is a socket. */
static __always_inline bool is_socket(struct task_struct *task, struct pt_regs *regs)
{
	struct fdtable *fdt = task->files->fdt;
	u32 fd = first_argument(regs);
	struct file *file = NULL;

	if (fd >= fdt->max_fds)
		return false;
	bpf_probe_read_kernel(&file, sizeof(file), fdt->fd + fd);
	return file && (BPF_CORE_READ(file, f_inode, i_mode) & S_IFMT) == S_IFSOCK;
}

/*
 * sleeps_for_request tells whether a thread that sleeps does so in a system call
 * that waits for a request. A page fault or a lock there is no such sleep, nor is
 * that of a frozen cgroup.
 */
static __always_inline bool sleeps_for_request(struct task_struct *task)
{
	struct pt_regs *regs;
	enum wait class;

	if (!(task_state(task) & (TASK_INTERRUPTIBLE | TASK_WAKING)) || is_kernels(task) || task_frozen(task))
		return false;
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
	class = wait_class(syscall_number(regs));
	return class != WAIT_NONE && (class != WAIT_READ || is_socket(task, regs));
}

/* begin_wait is called when a thread leaves its CPU to sleep for a request. */
static __always_inline void begin_wait(struct task_struct *task, u64 now)
{
	struct burst *burst = burst_of(task);

	if (!burst) {
		follow_thread(task, now, TOLD, false);
		return;
	}
	if (burst->state % STATES != RUNS)
		return; /* it sleeps again */
	burst->wait_ns = now;
	/* All is booked, and this very sleep is not the burst's. */
	burst->end.cpu_ns = task->se.sum_exec_runtime;
	burst->end.wait_ns = task->sched_info.run_delay;
	burst->end.sleeps = task->nvcsw - 1;
	burst->end.switches = task->nvcsw + task->nivcsw - 1;
	barrier();
	burst->state = next_state(burst->state, WAITS_NOW);
}

/*
 * end_wait is called when a thread is done with waiting. The request came queued ns
 * ago: then it was woken up for it, and has waited for a CPU since.
 */
static __always_inline void end_wait(struct burst *burst, struct task_struct *task, u64 now,
				     const struct use *used, u64 queued, bool connected, u32 slot)
{
	u64 old = burst->state;

	if (now - burst->wait_ns < merge_request_ns && !connected) {
		/* It goes on, unless it was told that it does not. */
		if (old % STATES == WAITS_NOW &&
		    __sync_val_compare_and_swap(&burst->state, old, next_state(old, RUNS)) == old)
			return;
		old = burst->state;
	}
	if (old % STATES == WAITS_NOW &&
	    __sync_val_compare_and_swap(&burst->state, old, next_state(old, TOLD)) == old)
		send_burst(burst, task, &burst->end, burst->wait_ns, slot);

	if (queued > now - burst->wait_ns)
		queued = now - burst->wait_ns;
	burst->start_ns = now - queued;
	burst->begin = *used;
	burst->begin.wait_ns -= queued;
	barrier();
	burst->state = next_state(burst->state, RUNS);
}

/*
 * on_wake is called when a thread gets a CPU. Waits that count only if the thread
 * slept are over then. Of those that count anyway the return is seen, as they may be
 * over without a sleep; and they may sleep more than once.
 */
static __always_inline void on_wake(struct task_struct *task, u64 now)
{
	struct burst *burst;
	enum wait class;
	struct use used;

	if (is_kernels(task))
		return;
	class = wait_class(syscall_number((struct pt_regs *)bpf_task_pt_regs(task)));
	if (class == WAIT_NONE)
		return;
	burst = burst_of(task);
	if (!burst || burst->state % STATES == RUNS)
		return;
	if (class != WAIT_CONNECTION && class != WAIT_EVENTS)
		burst->unseen = false; /* it is in another call by now */
	else if (!burst->unseen)
		return;
	read_use(task, now, &used);
	end_wait(burst, task, now, &used, used.wait_ns - task->sched_info.run_delay, false, SCRATCH_SWITCH);
}

/*
 * on_return is called when a system call is over that may wait. Those for a connection
 * or for events are waits also if they returned at once: under load there are always
 * some. What is read at once is none, but tells of a thread that serves requests.
 */
static __always_inline int on_return(enum wait class, struct pt_regs *regs, long result, u32 slot)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool connected = class == WAIT_CONNECTION && result >= 0;
	struct burst *burst = burst_of(task);
	u64 now, queued = 0;
	struct use used;

	if (!burst) {
		if (class != WAIT_READ || is_socket(task, regs))
			follow_thread(task, bpf_ktime_get_ns(), RUNS, false);
		return 0;
	}
	if (class != WAIT_CONNECTION && class != WAIT_EVENTS)
		return 0;
	burst->unseen = false;
	now = bpf_ktime_get_ns();
	read_use(task, now, &used);
	if (burst->state % STATES != RUNS) {
		queued = used.wait_ns - burst->end.wait_ns;
	} else if (class == WAIT_EVENTS || connected) {
		/* It did not sleep: the wait begins and is over now. */
		burst->wait_ns = now;
		burst->end = used;
		barrier();
		burst->state = next_state(burst->state, WAITS_NOW);
	} else {
		return 0;
	}
	end_wait(burst, task, now, &used, queued, connected, slot);
	return 0;
}

/* User space puts the architecture's prefix before the names of the system calls. */
#define ON_RETURN(syscall, class, slot)                                                                      \
	SEC("fexit/sys_" #syscall)                                                                           \
	int BPF_PROG(on_##syscall, struct pt_regs *regs, long result)                                        \
	{                                                                                                    \
		return on_return(class, regs, result, slot);                                                 \
	}

/* Each that sends has a record of its own; what is read at once sends none. */
ON_RETURN(accept, WAIT_CONNECTION, SCRATCH_EVENT)
ON_RETURN(accept4, WAIT_CONNECTION, SCRATCH_EVENT + 1)
ON_RETURN(epoll_wait, WAIT_EVENTS, SCRATCH_EVENT + 2)
ON_RETURN(epoll_pwait, WAIT_EVENTS, SCRATCH_EVENT + 3)
ON_RETURN(epoll_pwait2, WAIT_EVENTS, SCRATCH_EVENT + 4)
ON_RETURN(recvfrom, WAIT_MESSAGE, SCRATCHES)
ON_RETURN(recvmsg, WAIT_MESSAGE, SCRATCHES)
ON_RETURN(recvmmsg, WAIT_MESSAGE, SCRATCHES)
ON_RETURN(read, WAIT_READ, SCRATCHES)
ON_RETURN(readv, WAIT_READ, SCRATCHES)

/*
 * For kernels where none can be attached to the return of a function: each system
 * call of every process then takes the kernel's slower way.
 */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long result)
{
	enum wait class = wait_class(syscall_number(regs));

	return class == WAIT_NONE ? 0 : on_return(class, regs, result, SCRATCH_EVENT);
}

/* end_thread is called when a thread leaves its CPU after its exit. */
static __always_inline void end_thread(struct task_struct *task, u64 now)
{
	u64 key = (u64)task, old, end_ns = now;
	struct burst *burst = bpf_map_lookup_elem(&bursts, &key);
	struct use used;

	if (!burst)
		return;
	old = burst->state;
	if (burst->thread_start_ns == task->start_time && old % STATES != TOLD &&
	    __sync_val_compare_and_swap(&burst->state, old, next_state(old, TOLD)) == old) {
		if (old % STATES == WAITS_NOW) {
			used = burst->end;
			end_ns = burst->wait_ns;
		} else {
			read_use(task, now, &used);
			/* All is booked, and to leave for good is no sleep. */
			used.cpu_ns = task->se.sum_exec_runtime;
			used.sleeps -= !!(task_state(task) & TASK_DEAD);
		}
		send_burst(burst, task, &used, end_ns, SCRATCH_SWITCH);
	}
	bpf_map_delete_elem(&bursts, &key);
}

SEC("tp_btf/sched_switch")
int BPF_PROG(on_switch, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	u64 now = bpf_ktime_get_ns();

	read_clocks(next, now);
	/* Its parent may know of its end by now. */
	if (prev->exit_state)
		end_thread(prev, now);
	else if (!preempt && sleeps_for_request(prev))
		begin_wait(prev, now);
	on_wake(next, now);
	return 0;
}

/*
 * Writes a record for each burst that is not over, and sends those that are. Takes
 * into the table who sleeps for a request since before on_switch was attached.
 */
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
	if (!burst) {
		if (!task->exit_state && sleeps_for_request(task))
			follow_thread(task, bpf_ktime_get_ns(), TOLD, true);
		return 0;
	}
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
