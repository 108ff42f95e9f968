/* SPDX-License-Identifier: (MIT OR GPL-2.0) */
/* What exec.bpf.c hands to package collect. */
#ifndef ALPS_EXEC_H
#define ALPS_EXEC_H

/* The most of each that is told. Powers of two, for the verifier. */
#define EXEC_EXE_BYTES 1024
#define EXEC_NAME_BYTES 256 /* one name in the path: NAME_MAX and the NUL */
#define EXEC_ARGS_BYTES 4096
#define EXEC_ENV_BYTES 16384
#define EXEC_PATH_DEPTH 48 /* names and mounts in the path */

/* Flags of struct exec. */
#define EXEC_NEW 1 /* the first seen of its cgroup and its mounts */
#define EXEC_CUT 2 /* path, arguments or environment are longer, or not readable */

/*
 * A process that has called exec or changed its name. After it come exe_bytes
 * with the names of the path of its program, each with its NUL, from the file's
 * own up to below the root; args_bytes with its arguments and env_bytes with its
 * environment, both as they are in its memory.
 */
struct exec {
	__u64 start_ns; /* CLOCK_MONOTONIC */
	__u64 cgroup;   /* its id */
	/* What it sees mounted, where that is asked for: its root folder and the
	 * mount that is in, and a number that each change in the namespace makes
	 * another. */
	__u64 root;
	__u64 mounts;
	__u32 tgid;
	__u32 uid;
	__u32 mount_ns;
	__u32 flags;
	__u32 exe_bytes;
	__u32 args_bytes;
	__u32 env_bytes;
	__u32 pad;
};

/* A cgroup, and what is mounted. */
struct place {
	__u64 cgroup;
	__u64 root;
	__u64 mounts;
	__u32 mount_ns;
	__u32 pad;
};

_Static_assert(sizeof(struct exec) == 64, "shared with Go");

#endif
