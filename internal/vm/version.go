package vm

import (
	"cmp"
	"strings"
)

// compareVersions orders two Debian package versions as dpkg does (Debian
// policy, 5.6.12), without epochs, which kernels have not: digits by value,
// letters before other characters, and ~ before everything, even the end.
func compareVersions(a, b string) int {
	aUpstream, aRevision := cutRevision(a)
	bUpstream, bRevision := cutRevision(b)
	return cmp.Or(comparePart(aUpstream, bUpstream), comparePart(aRevision, bRevision))
}

// cutRevision cuts a version at its last hyphen.
func cutRevision(version string) (upstream, revision string) {
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		return version[:i], version[i+1:]
	}
	return version, ""
}

func comparePart(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a = cutDigits(a, false)
		y, b = cutDigits(b, false)
		if c := compareNonDigits(x, y); c != 0 {
			return c
		}
		x, a = cutDigits(a, true)
		y, b = cutDigits(b, true)
		x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
		if c := cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y)); c != 0 {
			return c
		}
	}
	return 0
}

// cutDigits cuts s after its leading run of digits, or of anything else.
func cutDigits(s string, digits bool) (run, rest string) {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9') == digits {
		i++
	}
	return s[:i], s[i:]
}

func compareNonDigits(a, b string) int {
	for i := 0; i < len(a) || i < len(b); i++ {
		if c := cmp.Compare(weight(a, i), weight(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

func weight(s string, i int) int {
	switch {
	case i >= len(s):
		return 0
	case s[i] == '~':
		return -1
	case s[i] >= 'A' && s[i] <= 'Z', s[i] >= 'a' && s[i] <= 'z':
		return int(s[i])
	}
	return int(s[i]) + 256
}
