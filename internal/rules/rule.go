package rules

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Kind says what of a process a rule looks at: the cell match of a rule.
type Kind string

// The kinds, in the order in which --help and errors name them.
const (
	Cgroup    Kind = "cgroup"    // path in the v2 hierarchy
	Container Kind = "container" // what the runtime knows of its container, a line each
	Env       Kind = "env"       // environment, a line each
	Mount     Kind = "mount"     // /proc/PID/mountinfo
	Comm      Kind = "comm"      // name
	Exe       Kind = "exe"       // path of the program
	Cmdline   Kind = "cmdline"   // arguments, a space between
	UID       Kind = "uid"       // real user id
)

var kinds = []Kind{Cgroup, Container, Env, Mount, Comm, Exe, Cmdline, UID}

// Leave is the class of processes that are no functions.
const Leave = "-"

// Rule is one row.
type Rule struct {
	Kind    Kind
	Pattern string
	// Class is a template as of [regexp.Regexp.Expand].
	Class string
	// Line is where it begins in the file, from 1.
	Line int

	re *regexp.Regexp
}

// Set is rules in the order in which they are tried.
type Set struct {
	// Name is the file's.
	Name  string
	Rules []*Rule
}

// Asks tells whether a rule looks at one of these.
func (s *Set) Asks(any ...Kind) bool {
	return slices.ContainsFunc(s.Rules, func(r *Rule) bool { return slices.Contains(any, r.Kind) })
}

// Answer is what one rule says of one process.
type Answer struct {
	// Matched tells whether the pattern matches and gives a class.
	Matched bool
	Class   string
	// Text is what the pattern matched; its class may be empty.
	Text string
	// Cgroup is the cgroup that the answer is about, where that is not the
	// process's own but one above it; of rules by cgroup and container.
	Cgroup string
}

// on matches the rule against a text.
func (r *Rule) on(text string) Answer {
	at := r.re.FindStringSubmatchIndex(text)
	if at == nil {
		return Answer{}
	}
	class := string(r.re.ExpandString(nil, r.Class, text, at))
	answer := Answer{Matched: class != "", Class: class, Text: text[at[0]:at[1]]}
	if r.Kind == Cgroup {
		answer.Cgroup = upTo(text, at[1])
	}
	return answer
}

// upTo is the part of a path in which a match ends: whole names.
func upTo(cgroup string, end int) string {
	if end > 0 && cgroup[end-1] == '/' {
		end-- // a pattern that ends in a slash says: below this one
		if end == 0 {
			return cgroup
		}
	}
	if end == 0 {
		return cgroup
	}
	if next := strings.IndexByte(cgroup[end:], '/'); next >= 0 {
		return cgroup[:end+next]
	}
	return cgroup
}

// Why a rule may have no answer.
var (
	// ErrGone: the process, or the container, ended before it was looked at.
	ErrGone = errors.New("it ended before it could be read")
	// ErrDenied: the collector may not read it.
	ErrDenied = errors.New("no permission to read it")
)

// Subject is a process that rules are asked about.
type Subject interface {
	// Cgroup is its path in the v2 hierarchy, and Comm its name.
	Cgroup() string
	Comm() string
	// Ask says what a rule makes of the process. The error wraps [ErrGone]
	// or [ErrDenied] where that cannot be known.
	Ask(r *Rule) (Answer, error)
}

// Verdict is what the rules make of a process.
type Verdict struct {
	// Rule is the one that decided: that matched, or that has no answer. None
	// did if it is nil: the process is no function.
	Rule *Rule
	// Class and Key are those of a function; else empty.
	Class, Key string
	// Err is why the rule has no answer: then the class is not known.
	Err error
}

// Decide finds the first rule that matches. A rule that has no answer ends the
// search: what a later one said might be wrong, and a window that lacks an
// invocation teaches less, but nothing false. told, if any, is called for each
// rule asked.
func (s *Set) Decide(p Subject, told func(*Rule, Answer, error)) Verdict {
	for _, r := range s.Rules {
		answer, err := p.Ask(r)
		if told != nil {
			told(r, answer, err)
		}
		switch {
		case err != nil:
			return Verdict{Rule: r, Err: err}
		case !answer.Matched:
		case answer.Class == Leave:
			return Verdict{Rule: r}
		default:
			key := keyOf(r.Kind, answer, p)
			if key == "" {
				continue
			}
			return Verdict{Rule: r, Class: answer.Class, Key: key}
		}
	}
	return Verdict{}
}

// keyOf is what the scheduler can know the process by; empty if there is
// nothing.
func keyOf(kind Kind, answer Answer, p Subject) string {
	cgroup := answer.Cgroup
	if cgroup == "" && kind != Comm && !Shared(p.Cgroup()) {
		cgroup = p.Cgroup()
	}
	if cgroup != "" && cgroup != "/" {
		return "cgroup:" + cgroup
	}
	if p.Comm() == "" {
		return ""
	}
	return "comm:" + p.Comm()
}

// expand is what a template may name: $1, ${1}, $name, ${name}; $$ is a dollar.
var expand = regexp.MustCompile(`\$(\$|\{([^}]*)\}|(\w+))?`)

// checkClass tells whether all that a template names is a group of the pattern.
func checkClass(class string, re *regexp.Regexp) error {
	for _, found := range expand.FindAllStringSubmatch(class, -1) {
		name := found[2] + found[3]
		switch {
		case found[0] == "$$":
			continue
		case name == "":
			return fmt.Errorf("%q has a $ that names no group; write $1, ${1}, or $$ for a dollar", class)
		}
		if !hasGroup(re, name) {
			return fmt.Errorf("%q names the group %s, which the pattern does not have; it has %d", class, found[0], re.NumSubexp())
		}
	}
	return nil
}

func hasGroup(re *regexp.Regexp, name string) bool {
	for i, named := range re.SubexpNames() {
		if i > 0 && named == name || fmt.Sprint(i) == name {
			return true
		}
	}
	return false
}
