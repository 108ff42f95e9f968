package load

import (
	"os/exec"
	"testing"
)

func TestSoakLoadsAndUnloads(t *testing.T) {
	o := guest(t)
	cgroup(t, stressGroup)
	all := []*exec.Cmd{worker(t), launch(t, stressGroup, body(t, "hog", "spin")), launch(t, "", body(t, "system", "blink"))}
	policy := stressPolicy(t)
	load(t, o, policy) // what the kernel keeps after the first time is not ours
	unload(t, o)
	unharmed(t, func() {
		for range size(1, 200) {
			load(t, o, policy)
			inForce(t, o, policy)
			turnsGrow(t, o)
			unload(t, o)
			nothingLeft(t, o)
			for _, cmd := range all {
				goesOn(t, cmd)
			}
		}
	})
}
