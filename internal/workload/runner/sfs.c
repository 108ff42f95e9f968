// SPDX-License-Identifier: MIT
//
// sfs.c: the rules of sfs.h.

#include "sfs.h"

#include <string.h>

#define NONE UINT32_MAX

// A list of jobs, linked by their numbers.
struct list {
	uint32_t first, last;
};

static const struct sfs_ops *ops;
static struct sfs_job *jobs;
static struct sfs_counts counts;

static struct list queue, sleepers;
static uint32_t worker[SFS_MAX_CPUS]; // the job of each CPU's worker
static uint32_t n_workers, n_fifo;

static uint64_t gaps_ns[SFS_GAPS]; // the last ones, as a ring
static uint32_t n_gaps, gaps_at;
static uint64_t gaps_sum_ns, last_ns, slice_ns;
static bool arrived;

static void push(struct list *list, uint32_t job)
{
	jobs[job].next = NONE;
	if (list->first == NONE)
		list->first = job;
	else
		jobs[list->last].next = job;
	list->last = job;
}

static uint32_t pop(struct list *list)
{
	uint32_t job = list->first;

	list->first = jobs[job].next;
	return job;
}

void sfs_init(const struct sfs_ops *o, struct sfs_job *j, uint32_t n_cpus)
{
	ops = o;
	jobs = j;
	memset(&counts, 0, sizeof(counts));
	queue = sleepers = (struct list){ NONE, NONE };
	n_workers = n_cpus < SFS_MAX_CPUS ? n_cpus : SFS_MAX_CPUS;
	for (uint32_t cpu = 0; cpu < n_workers; cpu++)
		worker[cpu] = NONE;
	n_fifo = n_gaps = gaps_at = 0;
	gaps_sum_ns = 0;
	slice_ns = SFS_FIRST_NS;
	arrived = false;
}

// learn takes an arrival into the mean of the gaps.
static void learn(uint64_t now_ns)
{
	uint64_t gap_ns = now_ns - last_ns;

	last_ns = now_ns;
	if (!arrived) {
		arrived = true;
		return;
	}
	if (n_gaps < SFS_GAPS)
		n_gaps++;
	else
		gaps_sum_ns -= gaps_ns[gaps_at];
	gaps_ns[gaps_at] = gap_ns;
	gaps_sum_ns += gap_ns;
	gaps_at = (gaps_at + 1) % SFS_GAPS;
	if (n_gaps < SFS_GAPS)
		return;
	slice_ns = gaps_sum_ns / SFS_GAPS * n_workers;
	slice_ns = (slice_ns + SFS_POLL_NS - 1) / SFS_POLL_NS * SFS_POLL_NS;
	if (slice_ns < SFS_FLOOR_NS)
		slice_ns = SFS_FLOOR_NS;
}

// dispatch gives free workers what is queued.
static void dispatch(uint64_t now_ns)
{
	for (uint32_t cpu = 0; cpu < n_workers; cpu++) {
		while (worker[cpu] == NONE && queue.first != NONE) {
			uint32_t job = pop(&queue);
			struct sfs_job *j = &jobs[job];

			if (j->state == SFS_DONE)
				continue;
			if (now_ns - j->queued_ns > SFS_OVERLOAD * slice_ns) {
				counts.overload++;
				j->state = SFS_NORMAL; // as it was while it waited
				continue;
			}
			worker[cpu] = job;
			n_fifo++;
			counts.fifo++;
			j->state = SFS_FIFO;
			j->cpu = cpu;
			j->since_ns = now_ns;
			ops->fifo(job, cpu);
		}
	}
}

static void leave(uint32_t job)
{
	worker[jobs[job].cpu] = NONE;
	n_fifo--;
}

void sfs_arrive(uint32_t job, uint64_t now_ns)
{
	learn(now_ns);
	jobs[job] = (struct sfs_job){ .queued_ns = now_ns, .credit_ns = slice_ns, .state = SFS_QUEUED };
	push(&queue, job);
	dispatch(now_ns);
}

void sfs_done(uint32_t job, uint64_t now_ns)
{
	if (jobs[job].state == SFS_FIFO)
		leave(job);
	// A list that has it drops it when it comes to it.
	jobs[job].state = SFS_DONE;
	dispatch(now_ns);
}

static void poll_sleepers(uint64_t now_ns)
{
	struct list rest = { NONE, NONE };

	while (sleepers.first != NONE) {
		uint32_t job = pop(&sleepers);
		struct sfs_job *j = &jobs[job];

		if (j->state == SFS_DONE)
			continue;
		if (ops->asleep(job)) {
			push(&rest, job);
			continue;
		}
		j->state = SFS_QUEUED;
		j->queued_ns = now_ns;
		push(&queue, job);
	}
	sleepers = rest;
}

static void poll_worker(uint32_t job, uint64_t now_ns)
{
	struct sfs_job *j = &jobs[job];
	uint64_t used_ns = now_ns - j->since_ns;

	if (used_ns >= j->credit_ns) {
		counts.used_up++;
		j->state = SFS_NORMAL;
	} else if (ops->asleep(job)) {
		counts.asleep++;
		j->credit_ns -= used_ns;
		j->state = SFS_ASLEEP;
		push(&sleepers, job);
	} else {
		return;
	}
	leave(job);
	ops->normal(job);
}

void sfs_poll(uint64_t now_ns)
{
	poll_sleepers(now_ns);
	for (uint32_t cpu = 0; cpu < n_workers; cpu++)
		if (worker[cpu] != NONE)
			poll_worker(worker[cpu], now_ns);
	dispatch(now_ns);
}

bool sfs_busy(void)
{
	return n_fifo || sleepers.first != NONE;
}

uint64_t sfs_slice_ns(void)
{
	return slice_ns;
}

struct sfs_counts sfs_counts(void)
{
	return counts;
}
