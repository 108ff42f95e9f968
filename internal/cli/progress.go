package cli

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Progress shows on a terminal how far long work has come. Where stderr is no
// terminal, and on a nil Progress, nothing is shown.
type Progress struct {
	stderr *os.File
	name   string
	shown  time.Time
	width  int
}

// progressEvery is how often the line on the terminal changes at the most.
const progressEvery = 100 * time.Millisecond

// Progress returns what shows the tool's progress; nothing if quiet.
func (t IO) Progress(quiet bool) *Progress {
	stderr, ok := t.Stderr.(*os.File)
	if quiet || !ok {
		return nil
	}
	if _, err := unix.IoctlGetTermios(int(stderr.Fd()), unix.TCGETS); err != nil {
		return nil
	}
	return &Progress{stderr: stderr, name: t.Name, shown: time.Now()}
}

// Showf replaces the line by another, but not too often.
func (p *Progress) Showf(format string, args ...any) {
	if p == nil || time.Since(p.shown) < progressEvery {
		return
	}
	p.shown = time.Now()
	line := p.name + ": " + fmt.Sprintf(format, args...)
	fmt.Fprintf(p.stderr, "\r%-*s", p.width, line)
	p.width = len(line)
}

// Clear removes the line.
func (p *Progress) Clear() {
	if p == nil || p.width == 0 {
		return
	}
	fmt.Fprintf(p.stderr, "\r%*s\r", p.width, "")
	p.width = 0
}
