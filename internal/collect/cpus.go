package collect

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
)

const statFile = "/proc/stat"

// cpuTimes are the clock ticks that a CPU has spent since boot.
type cpuTimes struct{ busy, all uint64 }

// readCPUTimes reads the times of all CPUs that are online, by number.
func readCPUTimes() (map[int]cpuTimes, error) {
	file, err := os.Open(statFile)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	times, err := parseCPUTimes(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", statFile, err)
	}
	return times, nil
}

// parseCPUTimes reads the lines of /proc/stat that begin with cpuN. Their
// columns: user nice system idle iowait irq softirq steal; the ones after
// those are counted in the first two already. Stolen time is busy: there was
// work to do and no CPU for it.
func parseCPUTimes(in io.Reader) (map[int]cpuTimes, error) {
	const idle, iowait, columns = 3, 4, 8
	times := map[int]cpuTimes{}
	lines := bufio.NewScanner(in)
	// The line of interrupt counts is long on big machines.
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) <= columns || !strings.HasPrefix(fields[0], "cpu") || fields[0] == "cpu" {
			continue
		}
		cpu, err := strconv.Atoi(fields[0][len("cpu"):])
		if err != nil {
			return nil, fmt.Errorf("line %q: %w", lines.Text(), err)
		}
		var t cpuTimes
		for i, field := range fields[1 : columns+1] {
			ticks, err := strconv.ParseUint(field, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("line %q: %w", lines.Text(), err)
			}
			t.all += ticks
			if i != idle && i != iowait {
				t.busy += ticks
			}
		}
		times[cpu] = t
	}
	return times, lines.Err()
}

// CPUs are the CPUs that the functions share: Number of them, the lowest that
// are online, or those of List. Neither: all that are online.
type CPUs struct {
	Number int
	List   []int
}

// ParseCPUs reads "4", a number of CPUs, or "2-5,8", a list as taskset has it.
// A single CPU is written 3-3.
func ParseCPUs(text string) (CPUs, error) {
	if text == "" {
		return CPUs{}, nil
	}
	if !strings.ContainsAny(text, "-,") {
		number, err := strconv.Atoi(text)
		if err != nil || number < 1 {
			return CPUs{}, fmt.Errorf("%q is not a number of CPUs", text)
		}
		return CPUs{Number: number}, nil
	}
	var list []int
	for part := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(part, "-")
		if !ranged {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < 0 || to < from || to > maxCPU {
			return CPUs{}, fmt.Errorf("%q is not a list of CPUs such as 2-5,8", text)
		}
		for cpu := from; cpu <= to; cpu++ {
			list = append(list, cpu)
		}
	}
	slices.Sort(list)
	return CPUs{List: slices.Compact(list)}, nil
}

// maxCPU is more than any kernel supports.
const maxCPU = 1 << 16

// pick returns the numbers of the CPUs meant, of those online.
func (c CPUs) pick(online map[int]cpuTimes) ([]int, error) {
	var all []int
	for cpu := range online {
		all = append(all, cpu)
	}
	slices.Sort(all)
	switch {
	case c.List != nil:
		for _, cpu := range c.List {
			if _, ok := online[cpu]; !ok {
				return nil, fmt.Errorf("CPU %d is not online", cpu)
			}
		}
		return c.List, nil
	case c.Number > len(all):
		return nil, fmt.Errorf("%d CPUs asked for, %d are online", c.Number, len(all))
	case c.Number > 0:
		return all[:c.Number], nil
	}
	return all, nil
}

// utilisation is how busy the CPUs were between two readings, in percent. A
// CPU that was offline at one of them is left out.
func utilisation(cpus []int, before, after map[int]cpuTimes) float64 {
	var busy, all uint64
	for _, cpu := range cpus {
		from, ok1 := before[cpu]
		to, ok2 := after[cpu]
		// iowait may shrink, so the sum may.
		if ok1 && ok2 && to.all > from.all && to.busy >= from.busy {
			busy += to.busy - from.busy
			all += to.all - from.all
		}
	}
	if all == 0 {
		return 0
	}
	return 100 * min(float64(busy)/float64(all), 1)
}
