package load

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// What others stress schedulers with, as Debian has it. make soak puts these
// programs into the machine.
func TestSoakPrograms(t *testing.T) {
	o := guest(t)
	cgroup(t, stressGroup)
	const seconds = 10
	var commands []string
	for _, stressor := range []string{"cpu", "fork", "switch", "pthread", "affinity"} {
		commands = append(commands, fmt.Sprintf("stress-ng --%s 4 --timeout %d --temp-path /tmp", stressor, seconds))
	}
	commands = append(commands, "hackbench --groups 10 --loops 100", "hackbench --groups 10 --loops 100 --threads --pipe")
	for _, command := range commands {
		words := strings.Fields(command)
		t.Run(strings.ReplaceAll(command, " ", "_"), func(t *testing.T) {
			path, err := exec.LookPath(words[0])
			if err != nil {
				t.Skipf("no %s in the machine: alps-vm test --program", words[0])
			}
			survives(t, o, stressPolicy(t), func() {
				// As functions, as system tasks, and beside each other.
				for _, groups := range [][]string{{stressGroup}, {""}, {stressGroup, ""}} {
					began := time.Now()
					var all []*exec.Cmd
					for _, group := range groups {
						cmd := exec.Command(path, words[1:]...)
						cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
						all = append(all, launch(t, group, cmd))
					}
					for _, cmd := range all {
						done(t, cmd)
					}
					t.Logf("in %q: %v", groups, time.Since(began).Round(time.Millisecond))
				}
			})
		})
	}
}
