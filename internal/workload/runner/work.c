// SPDX-License-Identifier: MIT
//
// work.c: the work that stands for a function's, and how much of it is a
// millisecond.

#include "runner.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

// burn turns the loop so many times. Its body is a long run of nops because
// under QEMU with -icount each guest instruction takes the same virtual time,
// and the emulator translates a nop to nothing: virtual time passes in a small
// part of the host's time that any other loop would take. 480 nops stay below
// the emulator's 512 instructions a block, and the alignment keeps the block
// within one page.
//
// The pause now and then makes the emulator turn to the next virtual CPU. With
// -icount QEMU before 8.1 (commit "ensure fairness with icount") otherwise lets
// one CPU run until some timer is due, and the others miss their interrupts for
// many ms. On a real CPU it costs less than a thousandth.
void burn(uint64_t loops)
{
	enum { LOOPS_A_PAUSE = 64 };

	while (loops) {
		uint64_t n = loops < LOOPS_A_PAUSE ? loops : LOOPS_A_PAUSE;

		loops -= n;
#ifdef __x86_64__
		__asm__ volatile(".p2align 9\n"
				 "1:\n"
				 ".rept 480\n"
				 "nop\n"
				 ".endr\n"
				 "dec %0\n"
				 "jnz 1b\n"
				 "pause\n"
				 : "+r"(n)
				 :
				 : "cc");
#else
		while (n--)
			for (int i = 0; i < 240; i++)
				__asm__ volatile("nop");
#endif
	}
}

// burn_until burns until the process has used so much CPU time. It is done in
// halves of what is left, so that it ends close to it however fast the CPU is.
void burn_until(uint64_t cpu_ns)
{
	enum { LONGEST_NS = 1000000, SHORTEST_NS = 10000 };

	for (;;) {
		uint64_t used = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
		uint64_t burn_ns;

		if (used >= cpu_ns)
			return;
		burn_ns = (cpu_ns - used) / 2;
		if (burn_ns > LONGEST_NS)
			burn_ns = LONGEST_NS;
		if (burn_ns < SHORTEST_NS)
			burn_ns = SHORTEST_NS;
		burn(burn_ns * opt.loops_per_ms / NS_PER_MS + 1);
	}
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t time_of(uint64_t loops)
{
	uint64_t t = clock_ns(CLOCK_THREAD_CPUTIME_ID);

	burn(loops);
	return clock_ns(CLOCK_THREAD_CPUTIME_ID) - t;
}

// measure is calibrate on the CPUs as they are.
static uint64_t measure(void)
{
	enum { MEASUREMENTS = 15, MS_EACH = 2 };
	uint64_t took[MEASUREMENTS];
	uint64_t loops = 64, median;

	while (time_of(loops) < MS_EACH * NS_PER_MS && loops < UINT64_C(1) << 32)
		loops *= 2;
	for (int i = 0; i < MEASUREMENTS; i++)
		took[i] = time_of(loops);
	qsort(took, MEASUREMENTS, sizeof(took[0]), compare_u64);
	median = took[MEASUREMENTS / 2];
	if (!median)
		die("calibrating: the CPU clock stands still; give --loops-per-ms");
	loops = (loops * NS_PER_MS + median / 2) / median;
	return loops ? loops : 1;
}

static void pin(int cpu)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

// calibrate measures with all CPUs busy, since a CPU may be faster while the
// others idle: by its turbo, by a sibling thread, and above all under QEMU
// with -icount, which shares one stream of instructions among its CPUs.
uint64_t calibrate(void)
{
	pid_t spinners[CPU_SETSIZE];
	pid_t self = getpid();
	int n = 0, mine = -1;
	uint64_t loops_per_ms;
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		die("calibrating: reading the CPUs allowed: %s", strerror(errno));
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &allowed))
			continue;
		if (mine < 0) {
			mine = cpu;
			continue;
		}
		pid_t pid = fork();

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pin(cpu);
			while (getppid() == self)
				burn(1000);
			_exit(0);
		}
		if (pid > 0)
			spinners[n++] = pid;
	}
	pin(mine);
	loops_per_ms = measure();
	sched_setaffinity(0, sizeof(allowed), &allowed);
	for (int i = 0; i < n; i++)
		kill(spinners[i], SIGKILL);
	for (int i = 0; i < n; i++)
		while (waitpid(spinners[i], NULL, 0) < 0 && errno == EINTR)
			;
	return loops_per_ms;
}
