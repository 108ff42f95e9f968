// SPDX-License-Identifier: MIT
//
// options.c: the command line.
//
//   --cgroup-root DIR  where the classes' cgroups are made, and removed at the
//                      end; its parent must be there (/sys/fs/cgroup/fn)
//   --no-cgroup        children stay in the runner's cgroup; only their names,
//                      fn-CLASS, tell the classes apart
//   --keep-cgroups     do not remove the cgroups
//   --loops-per-ms N   how much work a millisecond is, instead of measuring
//                      it; runs that are compared should have the same
//   --by-clock         a demand is CPU time by the child's own clock, not fixed
//                      work: for machines whose CPUs' speeds depend on each
//                      other, above all several virtual CPUs under -icount
//   --limit N          at most so many children at a time; 0: no limit
//   --nice N           the runner's own niceness, -20 to 0; children have 0
//   --scheduler sfs    schedule the children by SFS's rules (sfs.h), as a
//                      SCHED_FIFO process; takes root
//   --slices FILE      a policy as alps-tune writes it: children have the slice_ns
//                      of their class's first row from EEVDF, which makes it 0.1
//                      to 100 ms; 0 is EEVDF's own (Linux 6.12)
//   --calibrate        only print the measured loops per millisecond

#include "runner.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options opt = { .cgroup_root = "/sys/fs/cgroup/fn" };

__attribute__((noreturn, format(printf, 1, 2))) static void usage(const char *fmt, ...)
{
	va_list args;

	fputs("runner: ", stderr);
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fputs("\nusage: runner [--cgroup-root DIR | --no-cgroup] [--keep-cgroups]\n"
	      "              [--loops-per-ms N] [--by-clock] [--limit N] [--nice N]\n"
	      "              [--scheduler sfs | --slices POLICY.csv] TRACE.csv\n"
	      "       runner --calibrate\n",
	      stderr);
	exit(2);
}

bool parse_number(const char *s, size_t len, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!len || (len > 1 && s[0] == '0'))
		return false;
	for (size_t i = 0; i < len; i++) {
		if (s[i] < '0' || s[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s[i] - '0');

		if (v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

static uint64_t number_option(const char *name, const char *s, uint64_t min, uint64_t max)
{
	uint64_t v;

	if (!parse_number(s, strlen(s), max, &v) || v < min)
		usage("--%s: \"%s\" is not a whole number from %" PRIu64 " to %" PRIu64, name, s, min, max);
	return v;
}

void parse_options(int argc, char **argv)
{
	enum { ROOT = 256, NO_CGROUP, KEEP, LOOPS, BY_CLOCK, LIMIT, NICE, SCHEDULER, SLICES, CALIBRATE };
	static const struct option long_options[] = {
		{ "cgroup-root", required_argument, NULL, ROOT },
		{ "no-cgroup", no_argument, NULL, NO_CGROUP },
		{ "keep-cgroups", no_argument, NULL, KEEP },
		{ "loops-per-ms", required_argument, NULL, LOOPS },
		{ "by-clock", no_argument, NULL, BY_CLOCK },
		{ "limit", required_argument, NULL, LIMIT },
		{ "nice", required_argument, NULL, NICE },
		{ "scheduler", required_argument, NULL, SCHEDULER },
		{ "slices", required_argument, NULL, SLICES },
		{ "calibrate", no_argument, NULL, CALIBRATE },
		{ 0 },
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		switch (c) {
		case ROOT:
			opt.cgroup_root = optarg;
			break;
		case NO_CGROUP:
			opt.no_cgroup = true;
			break;
		case KEEP:
			opt.keep_cgroups = true;
			break;
		case LOOPS:
			opt.loops_per_ms = number_option("loops-per-ms", optarg, 1, MAX_LOOPS_PER_MS);
			break;
		case BY_CLOCK:
			opt.by_clock = true;
			break;
		case LIMIT:
			opt.limit = number_option("limit", optarg, 0, MAX_INVOCATIONS);
			break;
		case NICE:
			// Reset-on-fork, below, works for negative values only.
			if (optarg[0] == '-')
				opt.nice = -(int)number_option("nice", optarg + 1, 0, 20);
			else if (strcmp(optarg, "0"))
				usage("--nice: \"%s\" is not a whole number from -20 to 0", optarg);
			break;
		case SCHEDULER:
			if (strcmp(optarg, "sfs"))
				usage("--scheduler: \"%s\" is not sfs", optarg);
			opt.sfs = true;
			break;
		case SLICES:
			opt.slices = optarg;
			break;
		case CALIBRATE:
			opt.calibrate_only = true;
			break;
		default:
			usage("unknown or incomplete option %s", argv[optind - 1]);
		}
	}
	if (opt.sfs && (opt.slices || opt.nice))
		usage("--scheduler sfs goes with neither --slices nor --nice");
	if (opt.calibrate_only ? argc != optind : argc - optind != 1)
		usage(opt.calibrate_only ? "--calibrate takes no trace" : "one trace file is wanted");
	opt.trace = argv[optind];
}
