/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/*
 * The kernel as the BPF programs of this directory see it: basic types, the
 * few BPF constants in use, and of each kernel struct only the fields that
 * are read. libbpf relocates every field access to the running kernel
 * (CO-RE), so neither the order nor the sizes here matter; names and kinds
 * must be the kernel's. A whole vmlinux.h would be 3 MB of one kernel.
 */
#ifndef ALPS_KERNEL_H
#define ALPS_KERNEL_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;
typedef int pid_t;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

/* linux/bpf.h; part of the kernel's fixed interface. */
enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_ARRAY_OF_MAPS = 12,
	BPF_MAP_TYPE_HASH_OF_MAPS = 13,
	BPF_MAP_TYPE_RINGBUF = 27,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
	BPF_MAP_TYPE_CGRP_STORAGE = 32,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
	BPF_EXIST = 2,
};

enum {
	BPF_F_NO_PREALLOC = 1U << 0,
	BPF_F_INNER_MAP = 1U << 12,
};

enum {
	BPF_RB_NO_WAKEUP = 1ULL << 0,
};

enum {
	BPF_LOCAL_STORAGE_GET_F_CREATE = 1ULL << 0,
};

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

/*
 * linux/sched.h. These are macros there, which BTF does not hold, so they
 * cannot be relocated; their values have been the same since 5.12.
 */
#define TASK_COMM_LEN 16
#define TASK_DEAD 0x80 /* in __state: the last switch of a thread */
#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010   /* io_uring's thread in a user process */
#define PF_USER_WORKER 0x00004000 /* the same for vhost, since 6.4 */
#define PF_KTHREAD 0x00200000

/* linux/stat.h */
#define S_IFMT 00170000
#define S_IFSOCK 0140000

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node {
	struct kernfs_node *__parent; /* since 6.15 */
	const char *name;
	u64 id;
};

/* kernfs_node before 6.15. */
struct kernfs_node___parent {
	struct kernfs_node *parent;
};

struct cgroup_freezer_state {
	bool e_freeze; /* it or one above it is to be frozen; an int before 6.18 */
};

struct cgroup_subsys_state {
	int nr_populated_csets; /* since 7.x */
	int id;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_freezer_state freezer;
	int level;
	struct cgroup *ancestors[]; /* since 6.1; [level] is the cgroup itself */
};

/* cgroup before 7.x. */
struct cgroup___populated {
	int nr_populated_csets;
};

struct css_set {
	struct cgroup *dfl_cgrp; /* the cgroup in the v2 hierarchy */
};

struct rq {
	u64 clock;
	u64 clock_task;
	int cpu; /* with CONFIG_SMP */
};

struct cfs_rq {
	struct rq *rq; /* with CONFIG_FAIR_GROUP_SCHED, as the next */
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
	u64 exec_start;
	u64 sum_exec_runtime;
};

struct sched_info {
	unsigned long long run_delay;
	unsigned long long last_queued;
};

struct signal_struct {
	struct {
		int counter;
	} live; /* its threads that have not begun to exit */
};

/* A cgroup of the cpu controller, with CONFIG_FAIR_GROUP_SCHED. */
struct task_group {
	struct cgroup_subsys_state css;
	unsigned long shares; /* 1 << 20 for a cpu.weight of 100 */
	struct task_group *parent;
};

struct cpumask {
};

typedef struct cpumask cpumask_t;

/* Since 6.12, with CONFIG_SCHED_CLASS_EXT. */
enum scx_exit_kind {
	SCX_EXIT_NONE,
};

struct sched_ext_entity {
	u32 flags;
	u32 weight;
	u64 slice;
	u64 dsq_vtime;
};

struct task_struct {
	unsigned int __state; /* since 5.14 */
	unsigned int flags;
	int on_cpu;
	int exit_state;
	struct sched_entity se;
	struct sched_ext_entity scx;
	int nr_cpus_allowed;
	const cpumask_t *cpus_ptr;
	struct sched_info sched_info;
	pid_t pid;
	pid_t tgid;
	u64 self_exec_id;     /* counts execs */
	unsigned long nvcsw;  /* switches away from it, of its own will */
	unsigned long nivcsw; /* and not */
	u64 start_time;
	struct task_struct *group_leader;
	char comm[TASK_COMM_LEN];
	struct signal_struct *signal;
	struct css_set *cgroups;
	struct task_group *sched_task_group; /* with CONFIG_CGROUP_SCHED */
	struct files_struct *files;
	unsigned frozen : 1; /* its cgroup is, and it waits for that to end */
};

/* task_struct before 5.14. */
struct task_struct___state {
	volatile long state;
};

struct inode {
	unsigned short i_mode;
};

struct file {
	struct inode *f_inode;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

/* Of x86 and of arm64. */
struct pt_regs {
	unsigned long di;
	unsigned long orig_ax;
};

struct pt_regs___arm64 {
	u64 orig_x0;
	s32 syscallno;
};

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

#pragma clang attribute pop

/* task_state is the scheduler state of a task, the TASK_ bits. */
static __always_inline u32 task_state(struct task_struct *task)
{
	struct task_struct___state *old = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return BPF_CORE_READ(old, state);
}

/* task_frozen tells whether a task waits because its cgroup is frozen. */
static __always_inline bool task_frozen(struct task_struct *task)
{
	return BPF_CORE_READ_BITFIELD(task, frozen);
}

/* task_on_cpu tells whether a task runs. The field is an int before 7.x, a u8 since. */
static __always_inline bool task_on_cpu(struct task_struct *task)
{
	return BPF_CORE_READ_BITFIELD(task, on_cpu);
}

/*
 * task_rq is the run queue of the CPU that a task runs on or is queued on,
 * whatever its scheduling class; NULL on a kernel where it cannot be told.
 * (The direct way, the per-CPU variable runqueues, is a typed ksym, which
 * cilium/ebpf v0.22 does not load.)
 */
static __always_inline struct rq *task_rq(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->se.cfs_rq) || !bpf_core_field_exists(((struct cfs_rq *)0)->rq))
		return NULL;
	return task->se.cfs_rq->rq;
}

/* cgroup_has_processes tells whether there are some in it, and not only below. */
static __always_inline bool cgroup_has_processes(struct cgroup *cgroup)
{
	struct cgroup___populated *old = (void *)cgroup;

	if (bpf_core_field_exists(old->nr_populated_csets))
		return BPF_CORE_READ(old, nr_populated_csets) > 0;
	return BPF_CORE_READ(cgroup, self.nr_populated_csets) > 0;
}

/* cgroup_is_to_freeze tells whether a cgroup is frozen, or told to be. */
static __always_inline bool cgroup_is_to_freeze(struct cgroup *cgroup)
{
	return BPF_CORE_READ_BITFIELD(cgroup, freezer.e_freeze);
}

/* syscall_number is that of the system call that a thread is in, -1 if in none. */
static __always_inline int syscall_number(struct pt_regs *regs)
{
	struct pt_regs___arm64 *arm64 = (void *)regs;

	if (bpf_core_field_exists(regs->orig_ax))
		return regs->orig_ax;
	return arm64->syscallno;
}

/* first_argument is that of the system call that a thread is in. */
static __always_inline unsigned long first_argument(struct pt_regs *regs)
{
	struct pt_regs___arm64 *arm64 = (void *)regs;

	if (bpf_core_field_exists(regs->di))
		return regs->di;
	return arm64->orig_x0;
}

/* rq_cpu is the number of a run queue's CPU. */
static __always_inline u32 rq_cpu(struct rq *rq)
{
	if (bpf_core_field_exists(rq->cpu))
		return rq->cpu;
	return 0;
}

/* kernfs_parent is the directory that a node is in; NULL for the root. */
static __always_inline struct kernfs_node *kernfs_parent(struct kernfs_node *kn)
{
	struct kernfs_node___parent *old = (void *)kn;

	if (bpf_core_field_exists(kn->__parent))
		return BPF_CORE_READ(kn, __parent);
	return BPF_CORE_READ(old, parent);
}

/* linux/sched.h, in __state, as TASK_DEAD. */
#define TASK_INTERRUPTIBLE 0x1
#define TASK_WAKING 0x200 /* woken up before it has left its CPU */

/*
 * is_kernels tells whether a thread never runs in user space. One that the kernel made
 * in a user process has the registers of the thread that asked for it.
 */
static __always_inline bool is_kernels(struct task_struct *task)
{
	return task->flags & (PF_KTHREAD | PF_IO_WORKER | PF_USER_WORKER);
}

#endif
