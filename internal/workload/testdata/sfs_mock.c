// SPDX-License-Identifier: MIT
//
// sfs_mock: SFS's rules under a clock and a kernel that the test plays. It reads
// a command a line, with times in microseconds, and prints what it would have the
// kernel do.
//
//   cpus N          begin; the first command
//   arrive T        the next job, numbered from 0
//   sleep J         from now on job J is asleep
//   wake J          … awake
//   done J T        job J has ended
//   poll T
//   slice           print T, in microseconds
//   busy            print whether polls are due
//   counts          print the counts: turns, used up, asleep, overload

#include "sfs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_JOBS = 1000 };

static struct sfs_job jobs[MAX_JOBS];
static bool sleeps[MAX_JOBS];

static bool asleep(uint32_t job)
{
	return sleeps[job];
}

static void fifo(uint32_t job, uint32_t cpu)
{
	printf("fifo %" PRIu32 " cpu %" PRIu32 "\n", job, cpu);
}

static void normal(uint32_t job)
{
	printf("normal %" PRIu32 "\n", job);
}

int main(void)
{
	static const struct sfs_ops ops = { .asleep = asleep, .fifo = fifo, .normal = normal };
	char command[16];
	uint32_t n = 0, job;
	uint64_t us;

	while (scanf("%15s", command) == 1) {
		if (!strcmp(command, "cpus") && scanf("%" SCNu32, &job) == 1)
			sfs_init(&ops, jobs, job);
		else if (!strcmp(command, "arrive") && scanf("%" SCNu64, &us) == 1 && n < MAX_JOBS)
			sfs_arrive(n++, us * 1000);
		else if (!strcmp(command, "sleep") && scanf("%" SCNu32, &job) == 1 && job < n)
			sleeps[job] = true;
		else if (!strcmp(command, "wake") && scanf("%" SCNu32, &job) == 1 && job < n)
			sleeps[job] = false;
		else if (!strcmp(command, "done") && scanf("%" SCNu32 "%" SCNu64, &job, &us) == 2 && job < n)
			sfs_done(job, us * 1000);
		else if (!strcmp(command, "poll") && scanf("%" SCNu64, &us) == 1)
			sfs_poll(us * 1000);
		else if (!strcmp(command, "slice"))
			printf("slice %" PRIu64 "\n", sfs_slice_ns() / 1000);
		else if (!strcmp(command, "busy"))
			puts(sfs_busy() ? "busy" : "idle");
		else if (!strcmp(command, "counts"))
			printf("counts %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", sfs_counts().fifo,
			       sfs_counts().used_up, sfs_counts().asleep, sfs_counts().overload);
		else
			return 2;
	}
	return 0;
}
