package rules

import (
	"fmt"
	"strings"
	"testing"
)

func TestRefusedRules(t *testing.T) {
	const header = "match,pattern,class\n"
	for _, test := range []struct{ name, file, want string }{
		{"nothing", "", "r.csv:1: no rules; they begin with the header match,pattern,class"},
		{"header", "match,regexp,class\n", `r.csv:1: the header is "match,regexp,class"; want match,pattern,class`},
		{"a fourth column", "match,pattern,class,key\n", `r.csv:1: the header is "match,pattern,class,key"; want match,pattern,class`},
		{"match", header + "cgroup,a,b\nlabel,a,b\n", `r.csv:3: match: "label" is not one of cgroup, container, env, mount, comm, exe, cmdline or uid`},
		{"no pattern", header + "env,,b\n", "r.csv:2: pattern: the cell is empty; what matches anything is .*"},
		{"pattern", header + "# a comment\n\nenv,^(A,b\n", "r.csv:4: pattern: error parsing regexp: missing closing ): `^(A`"},
		{"no class", header + "env,a,\n", "r.csv:2: class: the cell is empty; - leaves a process out"},
		{"group", header + "env,^A=(.*)$,$2\n", `r.csv:2: class: "$2" names the group $2, which the pattern does not have; it has 1`},
		{"group and text", header + "env,^A=(.*)$,$1x\n", `r.csv:2: class: "$1x" names the group $1x, which the pattern does not have; it has 1`},
		{"named group", header + "env,^A=(?P<a>.*)$,${a}${b}\n", `r.csv:2: class: "${a}${b}" names the group ${b}, which the pattern does not have; it has 1`},
		{"dollar", header + "env,^A,a$\n", `r.csv:2: class: "a$" has a $ that names no group; write $1, ${1}, or $$ for a dollar`},
		{"cells", header + "env,a{1,2},b\n", "r.csv:2: the row has 4 cells, the header 3; a pattern with a comma stands in quotes"},
		{"quote", header + "env,\"a,b\n", "r.csv:2: a quoted cell is not closed, or text follows its closing quote"},
		{"bare quote", header + "env,a\"b,c\n", "r.csv:2: a quote stands within a cell that is not quoted"},
		{"no text", header + "env,a,\xff\n", `r.csv:2: class: "\xff" is not UTF-8`},
		{"rules", header + strings.Repeat("env,a,b\n", MaxRules+1), fmt.Sprintf("r.csv:%d: more than 1000 rules", MaxRules+2)},
		{"bytes", header + "env,\"" + strings.Repeat("a", maxBytes) + "\",b\n", "r.csv: more than 1048576 bytes of rules"},
	} {
		t.Run(test.name, func(t *testing.T) {
			set, err := Parse(strings.NewReader(test.file), "r.csv")
			if err == nil || err.Error() != test.want {
				t.Errorf("%v, %+v, want %s", err, set, test.want)
			}
		})
	}
}

func TestRules(t *testing.T) {
	for _, test := range []struct{ rule, text, class, cgroup string }{
		{"cgroup,^/fn/([^/]+),$1", "/fn/a/b", "a", "/fn/a"},
		{"cgroup,^/fn/,all", "/fn/a/b", "all", "/fn"},
		{"cgroup,^/fn,all", "/fnord/b", "all", "/fnord"},
		{"cgroup,b$,x", "/fn/a/b", "x", "/fn/a/b"},
		{"cgroup,^,x", "/fn/a", "x", "/fn/a"},
		{"cgroup,^/$,x", "/", "x", "/"},
		{"cgroup,c,x", "/fn/a/b", "", ""},
		{"env,^A=(.*)$,a-${1}b-$$1", "X=0\nA=1\nB=2", "a-1b-$1", ""},
		{"env,^A=(?P<name>.+)$,$name", "A=1", "1", ""},
		{"env,^A=(.*)$,$1", "A=", "", ""}, // the class would be empty
		{`env,"^A=(.+)\nB=(.+)$",$2/$1`, "A=1\nB=2\nC=3", "2/1", ""},
		{"uid,^100$,x", "1000", "", ""},
		{"comm,(?i)^FN,x", "fn-a", "x", ""},
	} {
		answer := parse(t, test.rule).Rules[0].on(test.text)
		if answer.Class != test.class || answer.Matched != (test.class != "") || answer.Matched && answer.Cgroup != test.cgroup {
			t.Errorf("%s on %q: %+v, want class %q, cgroup %q", test.rule, test.text, answer, test.class, test.cgroup)
		}
	}
}

func TestLinesOfRules(t *testing.T) {
	set, err := Parse(strings.NewReader("\ufeffmatch,pattern,class\r\nenv,a,b\n\n# more\n\"cgroup\",\"a\n b\",c\nuid,1,d\n"), "x")
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Rules) != 3 || set.Rules[0].Line != 2 || set.Rules[1].Line != 5 || set.Rules[2].Line != 7 {
		t.Errorf("%+v", set)
	}
}
