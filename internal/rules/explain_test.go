package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	tree := newTree(t)
	tree.process(12, fake{
		cgroup: "/fn/resize", comm: "python3", exe: "/usr/bin/python3.11 (deleted)", uid: 1000,
		args: []string{"python3", "-m", "fn"}, env: []string{"B=2", "A=1\nK=forged"}, mounts: []string{"1 / /", "2 / /proc"},
	})
	set := parse(t, "container,^docker=,x", "env,^K=(.*)$,$1", "env,^C,x", "mount,/handler,x", "comm,^node$,x", "uid,^0$,x",
		"cmdline,^python3 -m (\\S*)x?$,$1", "exe,^/usr/bin/python3\\.11$,-")
	var out strings.Builder
	if err := Explain(&out, set, tree.host(), 12); err != nil {
		t.Fatal(err)
	}
	const want = `process 12, "python3", in cgroup /fn/resize
rules.csv:2: container ^docker=: no container known there
rules.csv:3: env ^K=(.*)$: none of 2 variables
rules.csv:4: env ^C: none of 2 variables
rules.csv:5: mount /handler: none of 2 mounts
rules.csv:6: comm ^node$: not "python3"
rules.csv:7: uid ^0$: not "1000"
rules.csv:8: cmdline ^python3 -m (\S*)x?$: matches "python3 -m fn": fn
class fn
key cgroup:/fn/resize
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &out, want)
	}
	for rule, end := range map[string]string{
		"exe,^/usr/bin/python3\\.11$,-": "rules.csv:2: exe ^/usr/bin/python3\\.11$: matches \"/usr/bin/python3.11\"\nline 2 leaves it out\n",
		"exe,^/usr/bin/python3$,x":      "rules.csv:2: exe ^/usr/bin/python3$: not \"/usr/bin/python3.11\"\nno rule matches: it is left out\n",
		"comm,^python3(.*),$1":          "rules.csv:2: comm ^python3(.*): matches \"python3\", but the class would be empty\nno rule matches: it is left out\n",
	} {
		out.Reset()
		if err := Explain(&out, parse(t, rule), tree.host(), 12); err != nil || !strings.HasSuffix(out.String(), "/fn/resize\n"+end) {
			t.Errorf("%s: %v\n%s", rule, err, &out)
		}
	}
}

// TestUserPage: what docs/alps-collect.md shows of explain is what it says of the
// rules above.
func TestUserPage(t *testing.T) {
	text, err := os.ReadFile("../../docs/alps-collect.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	_, example, _ := strings.Cut(page, "```csv\nmatch,pattern,class\n")
	example, _, _ = strings.Cut(example, "```\n")
	set, err := Parse(strings.NewReader("match,pattern,class\n"+example), "rules.csv")
	if err != nil {
		t.Fatal(err)
	}
	tree := newTree(t)
	tree.process(4711, fake{cgroup: "/fn/worker-3", comm: "resize", exe: "/opt/functions/resize", env: []string{"A=1", "B=2"}})
	var out strings.Builder
	if err := Explain(&out, set, tree.host(), 4711); err != nil {
		t.Fatal(err)
	}
	shown := "    $ alps-collect explain --rules rules.csv 4711\n    " + strings.ReplaceAll(strings.TrimSpace(out.String()), "\n", "\n    ")
	if !strings.Contains(page, shown) {
		t.Errorf("docs/alps-collect.md does not show\n%s", shown)
	}
}

func TestExplainNoProcess(t *testing.T) {
	tree := newTree(t)
	tree.process(2, fake{cgroup: "/", comm: "kthreadd", flags: kernelThread})
	tree.process(3, fake{cgroup: "/", comm: "dead", state: "Z"})
	tree.process(4, fake{cgroup: "/a", comm: "odd"})
	if err := os.Remove(filepath.Join(tree.root, "proc/4/environ")); err != nil {
		t.Fatal(err)
	}
	for pid, want := range map[int]string{
		1: "process 1: there is none; it may have ended",
		2: "process 2 is a thread of the kernel",
		3: "process 3 has ended; only its parent has not looked yet",
		4: "process 4: the class is not known, as line 2 asks for its env: it ended before it could be read (open " +
			tree.root + "/proc/4/environ: no such file or directory)",
	} {
		err := Explain(&strings.Builder{}, parse(t, "env,A,b"), tree.host(), pid)
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
