package load

import (
	"os"
	"strings"
	"testing"

	"alps/internal/cli"
)

func TestNamed(t *testing.T) {
	for want, all := range map[string][]string{
		`"/a"`:                        {"/a"},
		`"/a", "/b\n", "/c"`:          {"/a", "/b\n", "/c"},
		`"/a", "/b", "/c" and 2 more`: {"/a", "/b", "/c", "/d", "/e"},
	} {
		if got := named(all); got != want {
			t.Errorf("%q: %s, want %s", all, got, want)
		}
	}
}

// A policy of cgroups that do not exist is loaded, and said; once, in a stream of
// windows, until others are missing.
func TestAbsentCgroups(t *testing.T) {
	o := guest(t)
	cgroup(t, "/alps-test/here")
	windows := policyText(t, ranks(t, 1, "cgroup:/alps-test/here", "comm:a"))
	_, header, _ := strings.Cut(windows, "\n")
	header = windows[:len(windows)-len(header)]
	last := ranks(t, 5, "cgroup:/alps-test/4", "comm:a", "cgroup:/alps-test/3", "cgroup:/alps-test/2", "cgroup:/alps-test/1", "cgroup:/alps-test/here")
	for _, policy := range []*Table{
		ranks(t, 2, "cgroup:/alps-test/1", "cgroup:/alps-test/here"),
		ranks(t, 3, "cgroup:/alps-test/here", "cgroup:/alps-test/1"),
		ranks(t, 4, "cgroup:/alps-test/here"),
		last,
	} {
		windows += strings.TrimPrefix(policyText(t, policy), header)
	}
	var messages strings.Builder
	err := o.RunLoad(cli.IO{Name: "alps-load", Stdin: strings.NewReader(windows), Stdout: os.Stdout, Stderr: &messages}, "", false)
	if err != nil {
		t.Fatal(err)
	}
	want := `alps-load: the scheduler is attached
alps-load: 1 of 2 cgroups of the policy do not exist yet and have their class once they do: "/alps-test/1"
alps-load: 4 of 5 cgroups of the policy do not exist yet and have their class once they do: "/alps-test/4", "/alps-test/3", "/alps-test/2" and 1 more
`
	if messages.String() != want {
		t.Errorf("it says\n%s\nwant\n%s", &messages, want)
	}
	inForce(t, o, last)
	cgroup(t, "/alps-test/2")
	start(t, "/alps-test/2", body(t, "late", "blink"))
	turnsGrow(t, o)
}
