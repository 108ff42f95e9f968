package workload

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// sfsMock compiles SFS's rules with a clock and a kernel that the test plays.
func sfsMock(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sfs-mock")
	out, err := exec.Command("gcc", "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-fsanitize=undefined", "-I", "runner",
		"-o", path, "testdata/sfs_mock.c", "runner/sfs.c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// arrivals are arrivals at one gap, in microseconds.
func arrivals(n, firstUs, gapUs int) string {
	var text strings.Builder
	for i := range n {
		fmt.Fprintf(&text, "arrive %d\n", firstUs+i*gapUs)
	}
	return text.String()
}

func TestSFSRules(t *testing.T) {
	mock := sfsMock(t)
	for _, test := range []struct{ name, script, want string }{
		{
			"a worker has one job, for up to T, which is 20 ms at first",
			"cpus 1 arrive 0 arrive 1000 poll 19999 poll 20000 slice busy",
			"fifo 0 cpu 0; normal 0; fifo 1 cpu 0; slice 20000; busy",
		},
		{
			"the worker of one that ends takes the next",
			"cpus 1 arrive 0 arrive 1000 done 0 5000 done 1 6000 busy",
			"fifo 0 cpu 0; fifo 1 cpu 0; idle",
		},
		{
			"a worker for each CPU",
			"cpus 2 arrive 0 arrive 0 arrive 0 done 1 10 poll 20000",
			"fifo 0 cpu 0; fifo 1 cpu 1; fifo 2 cpu 1; normal 0",
		},
		{
			"in the order of arrival",
			"cpus 1 arrive 0 arrive 1 arrive 2 done 0 3 done 1 4",
			"fifo 0 cpu 0; fifo 1 cpu 0; fifo 2 cpu 0",
		},
		{
			"one that waited for 3 T still has a turn",
			"cpus 1 arrive 0 arrive 0 arrive 0 arrive 0 poll 20000 poll 40000 poll 60000 counts",
			"fifo 0 cpu 0; normal 0; fifo 1 cpu 0; normal 1; fifo 2 cpu 0; normal 2; fifo 3 cpu 0; counts 4 3 0 0",
		},
		{
			"one that waited for more has none, and stays as it is",
			"cpus 1 arrive 0 arrive 0 arrive 0 arrive 0 poll 20000 poll 40000 arrive 50000 poll 60001 counts",
			"fifo 0 cpu 0; normal 0; fifo 1 cpu 0; normal 1; fifo 2 cpu 0; normal 2; fifo 4 cpu 0; counts 4 3 0 1",
		},
		{
			"one that sleeps gives its worker back and comes again for the rest of T",
			"cpus 1 arrive 0 arrive 0 sleep 0 poll 5000 poll 6000 wake 0 poll 7000 done 1 8000 poll 22999 poll 23000 counts",
			"fifo 0 cpu 0; normal 0; fifo 1 cpu 0; fifo 0 cpu 0; normal 0; counts 3 1 1 0",
		},
		{
			"one that wakes up queues from then on, behind who is there",
			"cpus 1 arrive 0 arrive 0 sleep 0 poll 1000 arrive 2000 wake 0 poll 3000 done 1 4000 done 2 5000",
			"fifo 0 cpu 0; normal 0; fifo 1 cpu 0; fifo 2 cpu 0; fifo 0 cpu 0",
		},
		{
			"its wait counts from when it woke up",
			"cpus 1 arrive 0 sleep 0 poll 1000 busy poll 500000 wake 0 poll 501000 counts",
			"fifo 0 cpu 0; normal 0; busy; fifo 0 cpu 0; counts 2 0 1 0",
		},
		{
			"one that ends in the queue or asleep is taken out",
			"cpus 1 arrive 0 arrive 0 sleep 0 poll 1000 done 0 2000 arrive 2000 done 2 2500 done 1 3000 poll 4000 busy counts",
			"fifo 0 cpu 0; normal 0; fifo 1 cpu 0; idle; counts 2 0 1 0",
		},
		{
			"200 gaps are needed for a mean; 199 are not enough",
			"cpus 1 " + arrivals(200, 0, 30000) + "slice",
			"slice 20000",
		},
		{"their mean is T", "cpus 1 " + arrivals(201, 0, 30000) + "slice", "slice 30000"},
		{"as whole polls, up", "cpus 1 " + arrivals(201, 0, 30001) + "slice", "slice 31000"},
		{"times the CPUs", "cpus 2 " + arrivals(201, 0, 30000) + "slice", "slice 60000"},
		{"at least 6 ms", "cpus 1 " + arrivals(201, 0, 500) + "slice", "slice 6000"},
		{
			"only the last 200",
			"cpus 1 " + arrivals(201, 0, 90000) + arrivals(100, 18000000+10000, 10000) + "slice " + arrivals(100, 19010000, 10000) + "slice",
			"slice 50000; slice 10000",
		},
	} {
		cmd := exec.Command(mock)
		cmd.Stdin = strings.NewReader(test.script)
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		var lines []string
		for _, line := range strings.Split(strings.TrimSpace(string(out)), "\n") {
			// Who is given a worker does not matter to how long T is.
			if !strings.HasPrefix(test.want, "slice") || strings.HasPrefix(line, "slice") {
				lines = append(lines, line)
			}
		}
		if got := strings.Join(lines, "; "); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, test.want)
		}
	}
}
