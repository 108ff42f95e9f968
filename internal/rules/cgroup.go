package rules

import "strings"

// containerScopes begin the names of the units that container engines put
// containers in, wherever in systemd's tree that is.
var containerScopes = []string{"docker-", "libpod-", "crio-", "cri-containerd-", "nerdctl-"}

// System tells whether a cgroup is one in which systemd keeps services and
// logins, and not a container in it.
func System(cgroup string) bool {
	top, below, _ := strings.Cut(strings.TrimPrefix(cgroup, "/"), "/")
	switch top {
	case "init.scope":
		return true
	case "system.slice", "user.slice", "machine.slice":
	default:
		return false
	}
	for name := range strings.SplitSeq(below, "/") {
		if !strings.HasSuffix(name, ".scope") {
			continue
		}
		for _, engine := range containerScopes {
			if strings.HasPrefix(name, engine) {
				return false
			}
		}
	}
	return true
}

// Shared tells whether a cgroup is no function's own: the root, and those of
// systemd. As a key it would take in whatever else is there.
func Shared(cgroup string) bool { return cgroup == "" || cgroup == "/" || System(cgroup) }
