// SPDX-License-Identifier: MIT
//
// cgroup.c: one cgroup a class, which its children are born into.

#include "runner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

static bool made_root;

void make_cgroups(void)
{
	struct statfs fs;
	char path[PATH_MAX];

	if (!mkdir(opt.cgroup_root, 0755))
		made_root = true;
	else if (errno != EEXIST)
		die("making the cgroup %s: %s; give --cgroup-root or --no-cgroup", opt.cgroup_root,
		    strerror(errno));
	if (statfs(opt.cgroup_root, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)
		die("%s is not in a cgroup2 file system; give --cgroup-root or --no-cgroup", opt.cgroup_root);
	for (uint32_t i = 0; i < n_classes; i++) {
		struct class *class = &classes[i];

		if ((size_t)snprintf(path, sizeof(path), "%s/%s", opt.cgroup_root, class->name) >=
		    sizeof(path))
			die("making cgroups: the path of class %s is too long", class->name);
		if (!mkdir(path, 0755))
			class->made = true;
		else if (errno != EEXIST)
			die("making the cgroup %s: %s", path, strerror(errno));
		class->cgroup = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (class->cgroup < 0)
			die("opening the cgroup %s: %s", path, strerror(errno));
	}
}

// remove_cgroup retries for a while, for a cgroup is busy until the last of
// its dead has left it, which may be after its parent has reaped it.
static void remove_cgroup(const char *path)
{
	enum { TRIES = 100 };
	const struct timespec pause = to_timespec(10 * NS_PER_MS);

	for (int i = 0; i < TRIES; i++) {
		if (!rmdir(path) || errno == ENOENT)
			return;
		if (errno != EBUSY)
			break;
		nanosleep(&pause, NULL);
	}
	fprintf(stderr, "runner: removing the cgroup %s: %s\n", path, strerror(errno));
}

void remove_cgroups(void)
{
	char path[PATH_MAX];

	if (opt.keep_cgroups)
		return;
	for (uint32_t i = 0; i < n_classes; i++) {
		struct class *class = &classes[i];

		if (!class->made)
			continue;
		class->made = false;
		snprintf(path, sizeof(path), "%s/%s", opt.cgroup_root, class->name);
		remove_cgroup(path);
	}
	if (made_root)
		remove_cgroup(opt.cgroup_root);
	made_root = false;
}
