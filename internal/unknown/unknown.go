// Package unknown has what stands in a policy for functions that it does not know
// yet: a class of its own, whose key is a cgroup above all others.
package unknown

import (
	"path"
	"slices"
	"strings"
)

// Class is the class of the rows for functions that the policy does not know
// yet. No class of the input may have that name.
const Class = "*"

const cgroupPrefix = "cgroup:"

// systemCgroups are systemd's cgroups for what is no function. Containers may
// be among them (/system.slice/docker-ID.scope), but a row for all that is not
// known there would make functions of the system's services.
var systemCgroups = []string{"/", "/system.slice", "/user.slice"}

// Key returns the key of the deepest cgroup that is above all cgroups
// among the keys, which functions not seen before will most likely be in as
// well. It returns "" where that is one of [systemCgroups] or no key is a
// cgroup's. As it is above all of them it is never one of the keys.
func Key(keys []string) string {
	common := ""
	for _, key := range keys {
		cgroup, ok := strings.CutPrefix(key, cgroupPrefix)
		if !ok || !path.IsAbs(cgroup) {
			continue
		}
		parent := path.Dir(path.Clean(cgroup))
		if common == "" {
			common = parent
		}
		for !within(parent, common) {
			common = path.Dir(common)
		}
	}
	if common == "" || slices.Contains(systemCgroups, common) {
		return ""
	}
	return cgroupPrefix + common
}

// within tells whether a cgroup is another one or below it.
func within(cgroup, above string) bool {
	return cgroup == above || above == "/" || strings.HasPrefix(cgroup, above+"/")
}
