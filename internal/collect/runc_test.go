package collect

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"testing"

	"alps/internal/platforms"
	"alps/internal/rules"
)

// fnCgroup is above those of the functions.
const fnCgroup = "/alps-test-collect"

// A container that is there for some ms: when its processes are accounted, it,
// its cgroup and what runc knew of it are gone.
func TestContainerOfRunc(t *testing.T) {
	for _, test := range []struct{ name, id, rule, want string }{
		{"of the name of its cgroup", "", "container,^com\\.example\\.function=(.+)$,$1", "annotated-figlet"},
		{"of another name", "alps-test-c1", "container,^com\\.example\\.function=(.+)$,$1", "annotated-figlet"},
		{"by the shipped rules", "", "", "figlet"},
	} {
		t.Run(test.name, func(t *testing.T) {
			needKernel(t)
			bundle := platforms.Bundle(t, platforms.Container{
				Cgroup: fnCgroup + "/figlet",
				// Each sleep is a process of its own, as a function of classic
				// watchdog's is.
				Args:        []string{"/bin/busybox", "sh", "-c", "busybox sleep 0.01; busybox sleep 0.01; true"},
				Annotations: map[string]string{"com.example.function": "annotated-figlet"},
				Root:        platforms.Root(t),
			})
			options := byRules(t, "comm,.*,-")
			options.Rules = rules.Default()
			if test.rule != "" {
				options = byRules(t, test.rule)
			}
			options.Filter.Under = fnCgroup
			s := collect(t, options)
			id := test.id
			if id == "" {
				id = "figlet"
			}
			cmd := exec.Command("runc", "run", "--bundle", bundle, id)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("runc run: %v\n%s", err, out)
			}
			if _, err := os.Stat("/run/runc/" + id); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the container is still there: %v", err)
			}
			rows := s.finish()
			if len(rows) < 3 {
				t.Errorf("%d rows, want the shell and two sleeps\n%s", len(rows), &s.messages)
			}
			for _, row := range rows {
				if want := fmt.Sprintf("cgroup:%s/figlet", fnCgroup); string(row.Class) != test.want || row.Key != want {
					t.Errorf("class %q, key %q, want %q, %q", row.Class, row.Key, test.want, want)
				}
			}
			if s.messages.String() != "" {
				t.Errorf("messages: %s", &s.messages)
			}
		})
	}
}
