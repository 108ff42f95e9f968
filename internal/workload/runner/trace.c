// SPDX-License-Identifier: MIT
//
// trace.c: reads the trace: CSV with a header, sorted by arrival, with the
// columns arrival_ns, class, cpu_ns and, if wanted, sleep_ns and sleeps. An
// invocation has sleeps + 1 parts of CPU time with a sleep of sleep_ns between
// each two.

#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct class *classes;
uint32_t n_classes;
struct invocation *invocations;
uint32_t n_invocations;

enum column { ARRIVAL, CLASS, CPU, SLEEP, SLEEPS, N_COLUMNS };

static const char *const column_names[N_COLUMNS] = {
	"arrival_ns", "class", "cpu_ns", "sleep_ns", "sleeps",
};

enum { NO_COLUMN = MAX_CELLS };

int split(const char **p, const char *end, struct cell *cells)
{
	const char *s = *p;
	int n = 0;

	if (s == end)
		return 0;
	for (;;) {
		const char *from = s;

		while (s < end && *s != ',' && *s != '\n')
			s++;
		if (n < MAX_CELLS)
			cells[n] = (struct cell){ from, (size_t)(s - from) };
		n++;
		if (s == end || *s == '\n')
			break;
		s++;
	}
	*p = s < end ? s + 1 : s;
	return n;
}

bool cell_is(struct cell c, const char *s)
{
	return c.len == strlen(s) && !memcmp(c.s, s, c.len);
}

char *read_all(const char *path, size_t *size)
{
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t room = 1 << 20, have = 0;
	char *text = malloc(room);
	ssize_t n;

	if (fd < 0)
		die("opening %s: %s", path, strerror(errno));
	while (text && (n = read(fd, text + have, room - have)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			die("reading %s: %s", path, strerror(errno));
		have += (size_t)n;
		if (have == room)
			text = realloc(text, room *= 2);
	}
	if (!text)
		die("reading %s: no memory for %zu bytes", path, room);
	if (!is_stdin)
		close(fd);
	*size = have;
	return text;
}

__attribute__((noreturn)) static void bad_cell(size_t line, enum column column, struct cell c,
					       const char *what)
{
	die("%s:%zu: %s: \"%.*s\" %s", opt.trace, line, column_names[column], (int)(c.len < 80 ? c.len : 80),
	    c.s, what);
}

static uint64_t number_cell(size_t line, enum column column, struct cell c, uint64_t max)
{
	uint64_t v;

	if (!parse_number(c.s, c.len, max, &v))
		bad_cell(line, column, c, "is not a whole number, or too large");
	return v;
}

// class_of returns the class with that name, a new one if need be. A trace has
// tens of classes, seldom hundreds, so a plain search does.
static uint32_t class_of(size_t line, struct cell c)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";

	for (uint32_t i = 0; i < n_classes; i++)
		if (cell_is(c, classes[i].name))
			return i;
	// The name becomes a directory's name.
	if (!c.len || c.len > MAX_CLASS_LEN || c.s[0] == '.')
		bad_cell(line, CLASS, c, "is empty, longer than 63 characters or begins with a dot");
	for (size_t i = 0; i < c.len; i++)
		if (!memchr(allowed, c.s[i], sizeof(allowed) - 1))
			bad_cell(line, CLASS, c, "has a character other than letters, digits, _ - and .");
	if (n_classes == MAX_CLASSES)
		die("%s:%zu: more than %d classes", opt.trace, line, MAX_CLASSES);

	struct class *class = &classes[n_classes];
	// comm has room for 12 characters after "fn-". The last ones, because
	// names like graphPagerank-8 and graphPagerank-10 differ at the end.
	size_t cut = c.len > COMM_LEN - 4 ? c.len - (COMM_LEN - 4) : 0;

	memcpy(class->name, c.s, c.len);
	snprintf(class->comm, COMM_LEN, "fn-%s", class->name + cut);
	class->cgroup = -1;
	return n_classes++;
}

static void read_header(const char **p, const char *end, int *where)
{
	struct cell cells[MAX_CELLS];
	int n = split(p, end, cells);

	if (n > MAX_CELLS)
		die("%s:1: more than %d columns", opt.trace, MAX_CELLS);
	for (int column = 0; column < N_COLUMNS; column++) {
		where[column] = NO_COLUMN;
		for (int i = 0; i < n; i++)
			if (cell_is(cells[i], column_names[column]))
				where[column] = i;
		if (where[column] == NO_COLUMN && column <= CPU)
			die("%s:1: no column %s", opt.trace, column_names[column]);
	}
}

void read_trace(void)
{
	size_t size, lines = 1;
	char *text = read_all(opt.trace, &size);
	const char *p = text, *end = text + size;
	int where[N_COLUMNS];
	struct cell cells[MAX_CELLS + 1] = { [NO_COLUMN] = { "0", 1 } };
	int n;

	for (size_t i = 0; i < size; i++)
		lines += text[i] == '\n';
	if (lines > MAX_INVOCATIONS)
		die("%s: more than %d invocations", opt.trace, MAX_INVOCATIONS);
	invocations = shared(lines, sizeof(*invocations));
	classes = shared(MAX_CLASSES, sizeof(*classes));
	read_header(&p, end, where);

	for (size_t line = 2; (n = split(&p, end, cells)) > 0; line++) {
		struct invocation *inv = &invocations[n_invocations];

		for (int column = 0; column < N_COLUMNS; column++)
			if (where[column] != NO_COLUMN && where[column] >= n)
				die("%s:%zu: %d cells are too few", opt.trace, line, n);
		inv->arrival_ns = number_cell(line, ARRIVAL, cells[where[ARRIVAL]], INT64_MAX / 2);
		inv->class = class_of(line, cells[where[CLASS]]);
		inv->demand_ns = number_cell(line, CPU, cells[where[CPU]], MAX_DEMAND_S * NS_PER_S);
		inv->sleep_ns = number_cell(line, SLEEP, cells[where[SLEEP]], MAX_DEMAND_S * NS_PER_S);
		inv->sleeps = (uint32_t)number_cell(line, SLEEPS, cells[where[SLEEPS]], MAX_SLEEPS);
		if (inv->sleep_ns * inv->sleeps > MAX_DEMAND_S * NS_PER_S)
			bad_cell(line, SLEEPS, cells[where[SLEEPS]], "sleeps last more than a day");
		if (n_invocations && inv->arrival_ns < inv[-1].arrival_ns)
			bad_cell(line, ARRIVAL, cells[where[ARRIVAL]],
				 "is before the arrival above it; sort the trace");
		n_invocations++;
	}
	free(text);
	if (!n_invocations)
		die("%s: no invocation in it", opt.trace);

	if (opt.no_cgroup)
		for (uint32_t i = 0; i < n_classes; i++)
			for (uint32_t j = 0; j < i; j++)
				if (!strcmp(classes[i].comm, classes[j].comm))
					die("%s: without cgroups, classes %s and %s would both be known as "
					    "%s; shorten their names",
					    opt.trace, classes[j].name, classes[i].name, classes[i].comm);
}
