package collect

import (
	"os/exec"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"alps/internal/rules"
)

// BenchmarkExec runs a program again and again, and reports what the kernel says
// that the programs of the rules took of each of its execs. What the statistics
// themselves take is in it.
func BenchmarkExec(b *testing.B) {
	if err := check(); err != nil {
		b.Skip(err)
	}
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Skip(err)
	}
	defer stats.Close()
	for _, test := range []struct {
		name string
		set  *rules.Set
	}{
		{"container", &rules.Set{Rules: []*rules.Rule{{Kind: rules.Container}}}},
		{"default", rules.Default()},
		{"all", &rules.Set{Rules: []*rules.Rule{{Kind: rules.Env}, {Kind: rules.Exe}, {Kind: rules.Cmdline}, {Kind: rules.Mount}}}},
	} {
		b.Run(test.name, func(b *testing.B) {
			traced, err := newExecTracer(test.set)
			if err != nil {
				b.Fatal(err)
			}
			defer traced.Close()
			bytes, told := 0, 0
			for b.Loop() {
				if err := exec.Command("/bin/true").Run(); err != nil {
					b.Fatal(err)
				}
				err := traced.Drain(func(e rules.Exec) bool {
					bytes, told = bytes+len(e.Environ), told+1
					return false
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			found, err := traced.objects.OnExecFacts.Stats()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(found.Runtime)/float64(time.Nanosecond)/float64(found.RunCount), "ns/exec")
			b.ReportMetric(float64(bytes)/float64(told), "env-bytes")
		})
	}
}
