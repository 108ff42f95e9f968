package collect

import (
	"fmt"
	"path"
	"strings"

	"alps/internal/rules"
)

// Class is how the class of an invocation is found.
type Class string

// The ways to find a class.
const (
	// Auto is ByCgroup where the cgroup may be a function's, else ByComm.
	Auto Class = "auto"
	// ByCgroup takes the path of the cgroup; processes in the root are left out.
	ByCgroup Class = "cgroup"
	// ByComm takes the name of the process.
	ByComm Class = "comm"
)

// Filter says which processes are invocations of functions.
type Filter struct {
	// Under is a cgroup, as a path in the v2 hierarchy: only processes in
	// cgroups below it, at any depth, are taken. Empty: any cgroup.
	Under string
	// Comms are patterns as of [path.Match], save that * and ? match a
	// slash too: only processes whose name matches one of them are taken.
	// None: any name.
	Comms []string
}

// classifier finds classes and leaves out what is no function.
type classifier struct {
	class Class
	under string // with a slash at the end; empty: any
	comms []string
	// rules, where there are any, find the class of what passes the filter.
	rules *ruler
}

func newClassifier(class Class, filter Filter) (*classifier, error) {
	c := &classifier{class: class}
	switch class {
	case Auto, ByCgroup, ByComm:
	case "":
		c.class = Auto
	default:
		return nil, fmt.Errorf("class %q: want %s, %s or %s", class, Auto, ByCgroup, ByComm)
	}
	if filter.Under != "" {
		c.under = strings.TrimSuffix(underMount(path.Clean("/"+filter.Under)), "/") + "/"
	}
	for _, pattern := range filter.Comms {
		if _, err := path.Match(pattern, ""); err != nil {
			return nil, fmt.Errorf("name pattern %q: %w", pattern, err)
		}
		c.comms = append(c.comms, hideSlashes(pattern))
	}
	return c, nil
}

// underMount makes a path in the hierarchy of one in the file system, where
// cgroup v2 is mounted on one of these two places.
func underMount(cgroup string) string {
	for _, mount := range []string{"/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if below, ok := strings.CutPrefix(cgroup+"/", mount+"/"); ok {
			return "/" + below
		}
	}
	return cgroup
}

// hideSlashes replaces slashes, which * of path.Match does not match, by a
// byte that no name has.
func hideSlashes(s string) string { return strings.ReplaceAll(s, "/", "\x01") }

// verdict is what becomes of a process.
type verdict int

const (
	leftOut    verdict = iota
	taken              // it is an invocation of the class
	unnameable         // it may be one, but its cgroup is not known
)

// classify returns the class of a process and the key by which the kernel
// knows it. A process has to have all properties that the filter asks for;
// without a filter, what systemd's own cgroups hold is left out, and except
// with ByComm so is what is in the root.
func (c *classifier) classify(p *process) (class, key string, v verdict) {
	if !c.matchesComm(p.Comm) {
		return "", "", leftOut
	}
	if p.Cgroup == "" && (c.rules != nil || c.class != ByComm || c.under != "") {
		return "", "", unnameable
	}
	if c.under != "" && !strings.HasPrefix(p.Cgroup, c.under) {
		return "", "", leftOut
	}
	if c.rules != nil {
		return c.rules.decide(p)
	}
	filtered := c.under != "" || c.comms != nil
	system := rules.System(p.Cgroup)
	if !filtered && (system || p.Cgroup == "/" && c.class != ByComm) {
		return "", "", leftOut
	}

	byCgroup := c.class == ByCgroup || c.class == Auto && (c.under != "" || !system && p.Cgroup != "/")
	switch {
	case byCgroup && p.Cgroup == "/":
		return "", "", leftOut
	case byCgroup:
		return strings.TrimPrefix(strings.TrimPrefix(p.Cgroup, c.under), "/"), "cgroup:" + p.Cgroup, taken
	case p.Comm == "":
		return "", "", leftOut // nothing to call it by
	}
	return p.Comm, "comm:" + p.Comm, taken
}

// endWindow returns what the window that ends lost for want of a class.
func (c *classifier) endWindow() (losses, error) {
	if c.rules == nil {
		return losses{}, nil
	}
	return c.rules.endWindow()
}

func (c *classifier) matchesComm(comm string) bool {
	if c.comms == nil {
		return true
	}
	for _, pattern := range c.comms {
		if ok, _ := path.Match(pattern, hideSlashes(comm)); ok {
			return true
		}
	}
	return false
}
