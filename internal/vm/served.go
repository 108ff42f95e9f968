package vm

import (
	"bufio"
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// Served is a kernel that Debian serves, or one in the cache.
type Served struct {
	Release  string   // as uname -r prints it: "6.18.15+deb13-cloud-amd64"
	Version  string   // of the package: "6.18.15-1~bpo13+1"
	Suite    string   // "trixie-backports"; "" of a kernel that is only in the cache
	Packages []string // that have vmlinuz and config
	Cached   bool
}

// candidates returns the kernels that may stand for a name, the best first, and
// whether they must have sched_ext.
func candidates(list []Served, name string) (found []Served, needSchedExt bool) {
	switch name {
	case "oldest", "newest":
		for _, k := range list {
			if compareVersions(k.Version, firstSchedExt) >= 0 {
				found = append(found, k)
			}
		}
		if name == "newest" {
			slices.Reverse(found)
		}
		return found, true
	}
	for _, k := range list {
		upstream, _, _ := strings.Cut(k.Version, "-")
		if name == k.Release || name == upstream || strings.HasPrefix(upstream, name+".") {
			found = append(found, k)
		}
	}
	slices.Reverse(found)
	return found, false
}

// kernelPackage matches the packages that have a kernel's vmlinuz and config:
// both in linux-image up to 6.18; since then in linux-binary and linux-base,
// and linux-image only names them. It leaves out linux-image-cloud-amd64, which
// is empty, and linux-binary-unsigned, which is the same once more.
var kernelPackage = regexp.MustCompile(`^linux-(image|binary|base)-([0-9].*-cloud-amd64)$`)

// parseMadison makes kernels of the lines of apt-cache madison,
//
//	linux-binary-7.3.4+deb13-cloud-amd64 | 7.3.4-1~bpo13+1 | http://deb.debian.org/debian trixie-backports/main amd64 Packages
//
// in no certain order. Lines of another form are left out.
func parseMadison(lines []byte) []Served {
	type key struct{ release, version string }
	type parts struct {
		suite               string
		image, binary, base string
	}
	found := make(map[key]*parts)
	scan := bufio.NewScanner(bytes.NewReader(lines))
	for scan.Scan() {
		columns := strings.Split(scan.Text(), "|")
		if len(columns) != 3 {
			continue
		}
		m := kernelPackage.FindStringSubmatch(strings.TrimSpace(columns[0]))
		from := strings.Fields(columns[2])
		if m == nil || len(from) < 2 {
			continue
		}
		k := key{m[2], strings.TrimSpace(columns[1])}
		p := found[k]
		if p == nil {
			suite, _, _ := strings.Cut(from[1], "/")
			p = &parts{suite: suite}
			found[k] = p
		}
		switch m[1] {
		case "image":
			p.image = m[0]
		case "binary":
			p.binary = m[0]
		case "base":
			p.base = m[0]
		}
	}
	var list []Served
	for k, p := range found {
		s := Served{Release: k.release, Version: k.version, Suite: p.suite}
		switch {
		case p.binary != "" && p.base != "":
			s.Packages = []string{p.binary, p.base}
		case p.binary != "":
			s.Packages = []string{p.binary}
		case p.image != "":
			s.Packages = []string{p.image}
		default:
			continue
		}
		list = append(list, s)
	}
	return list
}
