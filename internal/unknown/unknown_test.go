package unknown

import (
	"slices"
	"testing"
)

func TestKey(t *testing.T) {
	tests := []struct {
		name string
		keys []string
		want string
	}{
		{"siblings", []string{"cgroup:/fn/a", "cgroup:/fn/b"}, "cgroup:/fn"},
		{"one alone", []string{"cgroup:/fn/a"}, "cgroup:/fn"},
		{"cousins", []string{"cgroup:/k/x/a", "cgroup:/k/y/b"}, "cgroup:/k"},
		{"different depths", []string{"cgroup:/k/x/y/a", "cgroup:/k/x/b"}, "cgroup:/k/x"},
		{"names that begin alike", []string{"cgroup:/k/ab/c", "cgroup:/k/a/d"}, "cgroup:/k"},
		{"one above the other", []string{"cgroup:/k/fn", "cgroup:/k/fn/a"}, "cgroup:/k"},
		{"no more than the root", []string{"cgroup:/a/x", "cgroup:/b/x"}, ""},
		{"the system's services", []string{"cgroup:/system.slice/docker-a.scope", "cgroup:/system.slice/docker-b.scope"}, ""},
		{"a slice within the system's", []string{"cgroup:/system.slice/faasd.slice/a"}, "cgroup:/system.slice/faasd.slice"},
		{"below the root", []string{"cgroup:/a"}, ""},
		{"the root itself", []string{"cgroup:/", "cgroup:/fn/a"}, ""},
		{"names of commands do not count", []string{"comm:x", "cgroup:/fn/a", "", "comm:/y/z"}, "cgroup:/fn"},
		{"names of commands only", []string{"comm:x", ""}, ""},
		{"nothing", nil, ""},
		{"not absolute", []string{"cgroup:fn/a"}, ""},
		{"trailing slash", []string{"cgroup:/fn/a/"}, "cgroup:/fn"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for range 2 {
				if got := Key(test.keys); got != test.want {
					t.Errorf("Key(%q) is %q, want %q", test.keys, got, test.want)
				}
				slices.Reverse(test.keys)
			}
		})
	}
}
