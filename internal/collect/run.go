package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"golang.org/x/sys/unix"

	"alps/internal/rules"
	"alps/internal/stream"
)

// Options say what is collected and for how long.
type Options struct {
	// Window is how long a window lasts; more than 0.
	Window time.Duration
	// Count is how many windows there are; 0 means no end.
	Count int
	// Invocation is what one invocation is; empty means a process.
	Invocation stream.Kind
	// MinRequest is the CPU time from which on a burst is a request, and bursts
	// with a wait of less than MergeRequest between them are one.
	MinRequest, MergeRequest time.Duration
	// Class is how classes are found; empty means Auto.
	Class Class
	// Rules find the class instead of Class, where there are any.
	Rules *rules.Set
	// Filter is what keeps system processes out.
	Filter Filter
	// CPUs are those that the functions share.
	CPUs CPUs
	// Strict makes an error of a loss, at the end of the run.
	Strict bool

	sizes    sizes // zero: defaultSizes; tests lose events with less
	allCalls bool  // tests have each system call looked at
}

// Check says what is wrong with the options, whatever the machine.
func (o Options) Check() error {
	switch {
	case o.Window <= 0:
		return fmt.Errorf("window of %v: want more than 0", o.Window)
	case o.Count < 0:
		return fmt.Errorf("count of %d: want 0 or more", o.Count)
	}
	if err := o.checkKind(); err != nil {
		return err
	}
	_, err := newClassifier(o.Class, o.Filter)
	return err
}

// drainEvery is how often the kernel's ring buffer is emptied.
const drainEvery = 250 * time.Millisecond

// Run collects and writes the invocations stream to out, until as many windows
// are written as asked for. The header is written as soon as everything is
// attached: processes forked after it are seen. When the context ends, so does
// the window, early; it is written whole, and Run returns nil.
//
// Lost events are told on messages, at the end of the window and of the run.
func Run(ctx context.Context, options Options, out, messages io.Writer) (err error) {
	if err := options.Check(); err != nil {
		return err
	}
	if options.sizes == (sizes{}) {
		options.sizes = defaultSizes
	}
	if options.kind() == stream.Cgroup {
		options.Class = ByCgroup
	}
	classifier, err := newClassifier(options.Class, options.Filter)
	if err != nil {
		return err
	}
	if err := check(); err != nil {
		return err
	}
	c := &collector{
		out:      stream.NewWriter[stream.Invocation](out),
		messages: messages,
		window:   newWindow(options.kind(), classifier),
	}
	if c.times, err = readCPUTimes(); err != nil {
		return err
	}
	if c.cpus, err = options.CPUs.pick(c.times); err != nil {
		return err
	}
	if options.Rules != nil {
		if err := warnOfRules(options.Rules, messages); err != nil {
			return err
		}
		// Before the processes are followed, so that of each of them it is told
		// what it execs.
		if classifier.rules, err = newRuler(options.Rules, options.kind()); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, classifier.rules.Close()) }()
	}
	tracer, err := newTracer(&options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tracer.Close()) }()
	if tracer.allCalls != nil {
		fmt.Fprintf(messages, "each system call of every process is looked at, which makes it slower: %v\n", tracer.allCalls)
	}
	c.kernel = tracer
	if err := c.run(ctx, options.Window, options.Count); err != nil {
		return err
	}
	short, err := tracer.TooShort()
	if err != nil {
		return err
	}
	if short > 0 {
		fmt.Fprintf(messages, "%d bursts of less than %v of CPU time were no requests\n", short, options.MinRequest)
	}
	return c.tellAll(options.Strict)
}

// kernelSide is what a run asks of a [tracer].
type kernelSide interface {
	Invoked() (map[processID]bool, error)
	Living() (map[processID]process, error)
	Ended(take func(process)) error
	Losses() (losses, error)
}

// collector is a run.
type collector struct {
	kernel   kernelSide
	out      *stream.Writer[stream.Invocation]
	messages io.Writer

	window *window
	cpus   []int
	times  map[int]cpuTimes // at the window's begin
	id     stream.Integer   // of the last window
	// stuck are those that the last window waited for in vain.
	stuck map[processID]bool
	// lost is the sum of all windows, lostKernel the part of it that the
	// kernel side counts. lostUntold is that of the windows since the last
	// that had rows.
	lost, lostKernel losses
	lostUntold       uint64
}

func (c *collector) run(ctx context.Context, length time.Duration, count int) error {
	// A window without rows leaves only the header.
	if err := c.out.Write(0, nil); err != nil {
		return err
	}
	begin, err := now()
	if err != nil {
		return err
	}
	end := begin.wall.Add(length)
	for n := 1; ; n++ {
		if err := c.follow(ctx, end); err != nil {
			return err
		}
		next, err := now()
		if err != nil {
			return err
		}
		// Asked before the window is closed: what is told to stop while it is
		// being closed has yet to tell what ended since.
		last := ctx.Err() != nil || n == count
		if err := c.closeWindow(begin, last); err != nil {
			return err
		}
		if last {
			break
		}
		begin = next
		// On the beat of the first, unless a whole beat was missed.
		if end = end.Add(length); end.Before(begin.wall) {
			end = begin.wall.Add(length)
		}
	}
	return c.out.Close()
}

// tellAll says what was lost in all windows, by cause; strict makes an error of it.
func (c *collector) tellAll(strict bool) error {
	text := c.lost.String()
	switch {
	case text == "":
	case strict:
		return fmt.Errorf("lost in all: %s", text)
	default:
		fmt.Fprintf(c.messages, "lost in all: %s\n", text)
	}
	return nil
}

// instant is a moment on two clocks: the one that numbers the windows, and
// CLOCK_MONOTONIC in ns, which is that of the rows.
type instant struct {
	wall        time.Time
	monotonicNs int64
}

func now() (instant, error) {
	var monotonic unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic); err != nil {
		return instant{}, fmt.Errorf("reading CLOCK_MONOTONIC: %w", err)
	}
	return instant{time.Now(), monotonic.Nano()}, nil
}

// follow empties the ring buffer from time to time, until the window's end.
func (c *collector) follow(ctx context.Context, end time.Time) error {
	ticker := time.NewTicker(drainEvery)
	defer ticker.Stop()
	over := time.NewTimer(time.Until(end))
	defer over.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-over.C:
			return nil
		case <-ticker.C:
			if err := c.drain(); err != nil {
				return err
			}
		}
	}
}

func (c *collector) drain() error {
	return c.kernel.Ended(func(p process) { c.window.add(&p) })
}

// closeWindow writes the window that began at an instant.
func (c *collector) closeWindow(begin instant, last bool) error {
	wait := settleTime
	if last {
		wait = lastSettleTime
	}
	if err := c.settle(wait); err != nil {
		return err
	}
	if last {
		c.window.lost.EndNotSeen += uint64(len(c.stuck))
	}
	times, err := readCPUTimes()
	if err != nil {
		return err
	}
	util := utilisation(c.cpus, c.times, times)
	c.times = times

	id := max(stream.Integer(begin.wall.UnixMilli()), c.id+1) // the clock may be set back
	c.id = id
	byClass, err := c.window.classifier.endWindow()
	if err != nil {
		return err
	}
	c.window.lost = c.window.lost.plus(byClass)
	if err := c.tellLosses(id); err != nil {
		return err
	}
	rows, next := c.window.close(begin.monotonicNs, len(c.cpus), util, c.lostUntold)
	c.window = next
	if len(rows) > 0 {
		c.lostUntold = 0
	}
	return c.out.Write(id, rows)
}

// How long a window waits for ending processes. One that takes longer comes in
// the next window; after the last there is none, so its end would be lost.
const (
	settleTime     = 50 * time.Millisecond
	lastSettleTime = time.Second
)

// settle takes the invocations that live into the window, and those that have
// ended. In between is a moment in which a process is no longer listed, so
// that its parent may know of its end already, but still runs: one that is in
// that moment when the window ends is waited for.
func (c *collector) settle(atMost time.Duration) error {
	var ending map[processID]bool
	for deadline := time.Now().Add(atMost); ; time.Sleep(time.Millisecond) {
		missing, err := c.takeAll()
		if err != nil {
			return err
		}
		if ending == nil {
			ending = missing
		}
		// Only what is missing again, as each look may find others that are
		// about to end.
		maps.DeleteFunc(ending, func(id processID, _ bool) bool { return !missing[id] })
		if c.inVain(ending) || time.Now().After(deadline) {
			c.stuck = ending
			return nil
		}
	}
}

// takeAll takes the invocations that live or have ended into the window.
// Missing are those in the table that do neither.
func (c *collector) takeAll() (missing map[processID]bool, err error) {
	// The order matters. The kernel side sends an end and then clears the
	// table: so what is not in the table any more is among the ends if they
	// are read later. And an end replaces the row of a living one.
	if missing, err = c.kernel.Invoked(); err != nil {
		return nil, err
	}
	living, err := c.kernel.Living()
	if err != nil {
		return nil, err
	}
	for id, p := range living {
		c.window.add(&p)
		delete(missing, id)
	}
	err = c.kernel.Ended(func(p process) {
		c.window.add(&p)
		delete(missing, p.processID)
	})
	return missing, err
}

// inVain tells whether all of these were waited for before.
func (c *collector) inVain(ending map[processID]bool) bool {
	for id := range ending {
		if !c.stuck[id] {
			return false
		}
	}
	return true
}

// tellLosses says what the window lost, and takes it into the counts.
func (c *collector) tellLosses(id stream.Integer) error {
	kernel, err := c.kernel.Losses()
	if err != nil {
		return err
	}
	lost := c.window.lost.plus(kernel.minus(c.lostKernel))
	c.lostKernel = kernel
	c.lost = c.lost.plus(lost)
	c.lostUntold += lost.sum()
	if text := lost.String(); text != "" {
		fmt.Fprintf(c.messages, "window %d lost %s\n", id, text)
	}
	return nil
}
