package rules

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Explain writes which rule gives the class and the key of a process that lives,
// and what was looked at. It is an error if there is no such process, or if a
// rule has no answer.
func Explain(out io.Writer, set *Set, host *Host, pid int) error {
	p, err := NewLiving(host, pid)
	if err != nil {
		return err
	}
	to := bufio.NewWriter(out)
	fmt.Fprintf(to, "process %d, %s, in cgroup %s\n", pid, quoted(p.Comm()), p.Cgroup())
	verdict := set.Decide(p, func(r *Rule, answer Answer, err error) {
		fmt.Fprintf(to, "%s:%d: %s %s: %s\n", set.Name, r.Line, r.Kind, r.Pattern, because(p, r, answer, err))
	})
	switch {
	case verdict.Err != nil:
	case verdict.Rule == nil:
		fmt.Fprintf(to, "no rule matches: it is left out\n")
	case verdict.Class == "":
		fmt.Fprintf(to, "line %d leaves it out\n", verdict.Rule.Line)
	default:
		fmt.Fprintf(to, "class %s\nkey %s\n", verdict.Class, verdict.Key)
	}
	if err := to.Flush(); err != nil {
		return err
	}
	if verdict.Err != nil {
		return fmt.Errorf("process %d: the class is not known, as line %d asks for its %s: %w%s",
			pid, verdict.Rule.Line, verdict.Rule.Kind, verdict.Err, remedy(verdict))
	}
	return nil
}

// because says why a rule matched or not.
func because(p *Living, r *Rule, answer Answer, err error) string {
	text, _ := p.Text(r.Kind)
	switch {
	case err != nil:
		return "not known: " + err.Error()
	case answer.Matched && answer.Class == Leave:
		return "matches " + quoted(answer.Text)
	case answer.Matched:
		return "matches " + quoted(answer.Text) + ": " + answer.Class
	case answer.Text != "":
		return "matches " + quoted(answer.Text) + ", but the class would be empty"
	}
	switch r.Kind {
	case Container:
		if p.above == "" {
			return "no container known there"
		}
		return fmt.Sprintf("none of %d annotations and labels", countLines(text))
	case Env:
		return fmt.Sprintf("none of %d variables", countLines(text))
	case Mount:
		return fmt.Sprintf("none of %d mounts", countLines(text))
	}
	return "not " + quoted(text)
}

func countLines(text string) int {
	if text == "" {
		return 0
	}
	return strings.Count(text, "\n") + 1
}

// shownBytes bounds how much of a text is shown.
const shownBytes = 200

func quoted(text string) string {
	if len(text) > shownBytes {
		return fmt.Sprintf("%q…", text[:shownBytes])
	}
	return fmt.Sprintf("%q", text)
}

// remedy is what lets a rule be answered.
func remedy(v Verdict) string {
	if !errors.Is(v.Err, ErrDenied) {
		return ""
	}
	capability := "CAP_DAC_READ_SEARCH"
	if v.Rule.Kind == Env || v.Rule.Kind == Exe {
		capability = "CAP_SYS_PTRACE" // the kernel asks for it, whatever the file's mode
	}
	return "; run it as root, or with " + capability
}
