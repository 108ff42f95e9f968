package tune

import (
	"path"
	"slices"
	"strings"
)

// UnknownClass is the class of the row for functions that the policy does not
// know yet. No class of the input may have that name.
const UnknownClass = "*"

const cgroupPrefix = "cgroup:"

// systemCgroups are systemd's cgroups for what is no function. Containers may
// be among them (/system.slice/docker-ID.scope), but a row for all that is not
// known there would make functions of the system's services.
var systemCgroups = []string{"/", "/system.slice", "/user.slice"}

// unknownKey returns the key of the deepest cgroup that is above all cgroups
// among the keys, which functions not seen before will most likely be in as
// well. It returns "" where that is one of [systemCgroups] or no key is a
// cgroup's. As it is above all of them it is never one of the keys.
func unknownKey(keys []string) string {
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
