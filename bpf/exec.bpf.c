//go:build ignore

// SPDX-License-Identifier: (MIT OR GPL-2.0)
/*
 * What the rules of alps-collect ask of a process, told when it calls exec: most
 * functions have ended before user space could look at /proc. Loaded only where a
 * rule asks for such a thing, and only what is asked for is read.
 *
 * A fork that does not call exec has what its parent has. One that changes its
 * name is an invocation as well (collect.bpf.c), so it is told then.
 */
#include "kernel.h"
#include "exec.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

/* What is read, set by user space. */
const volatile bool want_exe, want_args, want_env, want_mounts;

/* How full the ring is when user space is woken up, in bytes. */
const volatile u64 wake_bytes = 1 << 20;

/* The compiler keeps none of these in a register. */
#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))

/* linux/bpf.h */
#define BPF_MAP_TYPE_LRU_HASH 9
#define BPF_RB_FORCE_WAKEUP (1ULL << 1)
#define BPF_RB_AVAIL_DATA 0

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct qstr {
	const unsigned char *name;
};

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file___path {
	struct path f_path;
};

struct fs_struct {
	struct path root;
};

struct mm_struct {
	unsigned long arg_start, arg_end, env_start, env_end;
	struct file___path *exe_file;
};

typedef struct {
	u32 val;
} kuid_t;

struct cred {
	kuid_t uid;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
	u64 event; /* each change of mounts draws a new one, of all namespaces */
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

/* The fields of task_struct that only this file reads. */
struct task_struct___exec {
	struct mm_struct *mm;
	const struct cred *real_cred;
	struct fs_struct *fs;
	struct nsproxy *nsproxy;
};

#pragma clang attribute pop

#define DATA_BYTES (2 * EXEC_EXE_BYTES + EXEC_NAME_BYTES + EXEC_ARGS_BYTES + EXEC_ENV_BYTES)

struct exec_record {
	struct exec head;
	char data[DATA_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 << 20);
} execs SEC(".maps");

/* The cgroups and mounts of which a process was seen. User space takes one out
 * that it wants to hear of again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct place);
	__type(value, u8);
} places SEC(".maps");

/* Too big for the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct exec_record);
} exec_scratch SEC(".maps");

/* How many execs found no room in the ring. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} execs_lost SEC(".maps");

/*
 * read_exe writes the path of the program, as /proc/PID/exe tells it to one
 * outside the container: from the root of its mount namespace. If that is too
 * long or deep it is left empty. (How long it is so far is kept in the record and
 * not in a register, where the verifier would follow each sum on its own.)
 */
static __always_inline void read_exe(struct mm_struct *mm, struct exec_record *rec)
{
	struct dentry *dentry = BPF_CORE_READ(mm, exe_file, f_path.dentry);
	struct vfsmount *vfs = BPF_CORE_READ(mm, exe_file, f_path.mnt);
	struct mount *mnt = (void *)vfs - bpf_core_field_offset(struct mount, mnt);

	if (!dentry || !vfs)
		return;
	for (int depth = 0; depth < EXEC_PATH_DEPTH; depth++) {
		struct dentry *parent;
		u32 len;
		long n;

		if (dentry == BPF_CORE_READ(mnt, mnt.mnt_root)) {
			struct mount *above = BPF_CORE_READ(mnt, mnt_parent);

			if (above == mnt)
				return;
			dentry = BPF_CORE_READ(mnt, mnt_mountpoint);
			mnt = above;
			continue;
		}
		parent = BPF_CORE_READ(dentry, d_parent);
		if (parent == dentry) /* unmounted, or of no folder as memfd */
			return;
		len = READ_ONCE(rec->head.exe_bytes);
		if (len >= EXEC_EXE_BYTES)
			break;
		n = bpf_probe_read_kernel_str(rec->data + len, EXEC_NAME_BYTES,
					      BPF_CORE_READ(dentry, d_name.name));
		if (n <= 0 || n > EXEC_NAME_BYTES)
			break;
		WRITE_ONCE(rec->head.exe_bytes, len + n);
		dentry = parent;
	}
	rec->head.exe_bytes = 0;
	rec->head.flags |= EXEC_CUT;
}

/* read_user reads memory of the current process, less than most bytes, to a place in the data. */
static __always_inline u32 read_user(struct exec_record *rec, u32 at, u32 most, u64 from, u64 to)
{
	u64 n = to - from;

	if (!from || to < from) {
		rec->head.flags |= EXEC_CUT;
		return 0;
	}
	if (n > most - 1) {
		n = most - 1;
		rec->head.flags |= EXEC_CUT;
	}
	barrier_var(n);
	n &= most - 1;
	/* What is there was written just now, so it is in memory. */
	if (bpf_probe_read_user(rec->data + at, n, (void *)from)) {
		rec->head.flags |= EXEC_CUT;
		return 0;
	}
	return n;
}

/* is_new tells whether none was seen with this cgroup and these mounts. */
static __always_inline bool is_new(struct exec_record *rec)
{
	struct place place = {
		.cgroup = rec->head.cgroup,
		.root = rec->head.root,
		.mounts = rec->head.mounts,
		.mount_ns = rec->head.mount_ns,
	};
	u8 yes = 1;

	if (bpf_map_lookup_elem(&places, &place))
		return false;
	bpf_map_update_elem(&places, &place, &yes, BPF_ANY);
	return true;
}

/* send tells user space of the current process. */
static __always_inline void send(struct task_struct *task)
{
	struct task_struct___exec *more = (void *)task;
	struct mm_struct *mm = BPF_CORE_READ(more, mm);
	u64 flags = BPF_RB_NO_WAKEUP;
	struct exec_record *rec;
	u32 zero = 0, bytes, at;
	u64 *count;

	rec = bpf_map_lookup_elem(&exec_scratch, &zero);
	if (!rec)
		return;
	rec->head = (struct exec){
		.start_ns = task->group_leader->start_time,
		.cgroup = bpf_get_current_cgroup_id(),
		.tgid = task->tgid,
		.uid = BPF_CORE_READ(more, real_cred, uid.val),
	};
	if (want_mounts) {
		rec->head.mount_ns = BPF_CORE_READ(more, nsproxy, mnt_ns, ns.inum);
		rec->head.mounts = BPF_CORE_READ(more, nsproxy, mnt_ns, event);
		/* Mixed, as either of them may be the same for several. */
		rec->head.root = (u64)BPF_CORE_READ(more, fs, root.dentry) ^
				 ((u64)BPF_CORE_READ(more, fs, root.mnt) << 1);
	}
	if (want_exe)
		read_exe(mm, rec);
	at = READ_ONCE(rec->head.exe_bytes) & (2 * EXEC_EXE_BYTES - 1);
	if (want_args)
		rec->head.args_bytes = read_user(rec, at, EXEC_ARGS_BYTES, BPF_CORE_READ(mm, arg_start),
						 BPF_CORE_READ(mm, arg_end));
	at = READ_ONCE(rec->head.exe_bytes) + READ_ONCE(rec->head.args_bytes);
	if (at > 2 * EXEC_EXE_BYTES + EXEC_ARGS_BYTES)
		return;
	if (want_env)
		rec->head.env_bytes = read_user(rec, at, EXEC_ENV_BYTES, BPF_CORE_READ(mm, env_start),
						BPF_CORE_READ(mm, env_end));
	bytes = at + READ_ONCE(rec->head.env_bytes);
	if (bytes > DATA_BYTES)
		return;

	/* User space looks in from time to time, and at once where there is
	 * something that it can read only as long as the process lives. */
	if (is_new(rec)) {
		rec->head.flags |= EXEC_NEW;
		flags = BPF_RB_FORCE_WAKEUP;
	} else if (bpf_ringbuf_query(&execs, BPF_RB_AVAIL_DATA) > wake_bytes) {
		flags = BPF_RB_FORCE_WAKEUP;
	}
	if (bpf_ringbuf_output(&execs, rec, sizeof(rec->head) + bytes, flags)) {
		count = bpf_map_lookup_elem(&execs_lost, &zero);
		if (count)
			__sync_fetch_and_add(count, 1);
	}
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec_facts, struct task_struct *task)
{
	send(task);
	return 0;
}

/*
 * Comes for exec too, before the new program's memory has anything in it; and
 * where another process writes the name, which is not the memory at hand.
 */
SEC("tp_btf/task_rename")
int BPF_PROG(on_rename_facts, struct task_struct *task)
{
	struct task_struct___exec *more = (void *)task;

	if (task->pid != task->tgid || (u32)bpf_get_current_pid_tgid() != (u32)task->pid)
		return 0;
	if (!BPF_CORE_READ(more, mm, env_start))
		return 0;
	send(task);
	return 0;
}
