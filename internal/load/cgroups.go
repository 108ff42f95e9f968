package load

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"alps/internal/unknown"
)

// cgroupMounts are where the cgroup2 hierarchy is: alone, or beside those of
// version 1.
var cgroupMounts = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}

// cgroupRoot is the first of the mounts that is a cgroup2 file system, "" if none
// is.
func cgroupRoot() string {
	for _, mount := range cgroupMounts {
		var st unix.Statfs_t
		if unix.Statfs(mount, &st) == nil && st.Type == unix.CGROUP2_SUPER_MAGIC {
			return mount
		}
	}
	return ""
}

// absentCgroups says which cgroups of a policy do not exist yet. That is no fault,
// since containers come and go, but it may be a name that is spelt wrongly.
type absentCgroups struct {
	said map[string]bool // those of the policy before
}

// news is a line about the cgroups that do not exist now, "" if there are none
// but those of the policy before.
func (a *absentCgroups) news(t *Table) string {
	root := cgroupRoot()
	if root == "" {
		return ""
	}
	absent, all, news := []string{}, 0, false
	now := make(map[string]bool)
	for _, class := range t.Classes {
		path, ok := strings.CutPrefix(class.Key, "cgroup:")
		if !ok || class.Name == unknown.Class {
			continue
		}
		all++
		if _, err := os.Stat(root + path); errors.Is(err, fs.ErrNotExist) {
			absent = append(absent, path)
			now[path] = true
			news = news || !a.said[path]
		}
	}
	a.said = now
	if !news {
		return ""
	}
	return fmt.Sprintf("%d of %d cgroups of the policy do not exist yet and have their class once they do: %s", len(absent), all, named(absent))
}

// named is a list of the first of all.
func named(all []string) string {
	var list strings.Builder
	for i, name := range all[:min(len(all), maxNamed)] {
		if i > 0 {
			list.WriteString(", ")
		}
		fmt.Fprintf(&list, "%q", name)
	}
	if more := len(all) - maxNamed; more > 0 {
		fmt.Fprintf(&list, " and %d more", more)
	}
	return list.String()
}
