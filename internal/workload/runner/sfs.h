// SPDX-License-Identifier: MIT
//
// sfs.h: the rules of SFS (SC'22; its artifact, ds2-lab/SFS), apart from the
// system calls that put them in force, so that a test can play both the clock
// and the kernel.
//
//   - One queue for all. Each CPU has a worker, which takes the first job and
//     makes it SCHED_FIFO there for up to T; then it is SCHED_NORMAL anywhere.
//   - T is the mean of the last SFS_GAPS inter-arrival times multiplied by the
//     CPUs, whole polls and at least SFS_FLOOR_NS; SFS_FIRST_NS until there are
//     so many.
//   - Overload: a job that waited over 3 T goes to SCHED_NORMAL at once.
//   - I/O: a job seen asleep leaves SCHED_FIFO, with the rest of T as credit;
//     awake again it queues for the rest.

#ifndef SFS_H
#define SFS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	SFS_GAPS = 200,
	SFS_OVERLOAD = 3, // so many T a job waits before it goes to SCHED_NORMAL
	SFS_MAX_CPUS = 1024,
};

#define SFS_POLL_NS 1000000ULL
#define SFS_FIRST_NS (20 * SFS_POLL_NS)
#define SFS_FLOOR_NS (6 * SFS_POLL_NS)

// A job's number is that of its arrival, from 0.
struct sfs_ops {
	bool (*asleep)(uint32_t job);
	void (*fifo)(uint32_t job, uint32_t cpu);
	void (*normal)(uint32_t job);
};

struct sfs_counts {
	uint64_t fifo;     // turns as SCHED_FIFO
	uint64_t used_up;  // of them, those that lasted for T
	uint64_t asleep;   // of them, those that ended with a sleep
	uint64_t overload; // jobs that went to SCHED_NORMAL without a turn
};

enum sfs_state {
	SFS_QUEUED,
	SFS_FIFO,
	SFS_ASLEEP,
	SFS_NORMAL,
	SFS_DONE,
};

struct sfs_job {
	uint64_t queued_ns;
	uint64_t credit_ns; // what is left of T
	uint64_t since_ns;  // of the turn as SCHED_FIFO
	uint32_t next;      // in the queue or among the sleepers
	uint32_t cpu;
	uint8_t state;
	uint8_t padding[7];
};

// sfs_init begins with jobs as room for n of them, all zeros.
void sfs_init(const struct sfs_ops *ops, struct sfs_job *jobs, uint32_t n_cpus);
// sfs_arrive queues the next job, which runs as SCHED_NORMAL so far.
void sfs_arrive(uint32_t job, uint64_t now_ns);
// sfs_done takes out a job that has ended.
void sfs_done(uint32_t job, uint64_t now_ns);
// sfs_poll looks after all jobs; it is due each SFS_POLL_NS while sfs_busy.
void sfs_poll(uint64_t now_ns);
bool sfs_busy(void);
uint64_t sfs_slice_ns(void);
struct sfs_counts sfs_counts(void);

#endif
