package demo

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"alps/internal/vm"
)

// brokenLoops runs loop.sh with stubs for all programs, first as they should be
// and then with each call of each in turn ending with 9 at once, and prints what
// the loop ended with: "alps-sim 2: 9".
const brokenLoops = `
mkdir /stubs
cat >/stubs/stub <<'END'
#!/bin/sh
name=${0##*/}
echo >>/tmp/$name.calls
[ "$name $(wc -l </tmp/$name.calls)" != "$BREAK" ] || exit 9
case $name in
alps-collect)
	trap 'exit 0' TERM
	echo header
	while :; do sleep 0.2; done;;
alps-runner) sleep 0.5;;
*) cat;;
esac
END
chmod +x /stubs/stub
for name in alps-collect alps-runner alps-sim alps-tune alps-load; do
	cp /stubs/stub /stubs/$name
done
export PATH=/stubs:$PATH BREAK
while read BREAK; do
	rm -rf /tmp/*.calls /out
	mkdir /out
	timeout 60 sh /loop.sh 1s 1 </dev/null >/dev/null 2>&1
	echo "$BREAK: $?"
	killall alps-collect 2>/dev/null
done <<END
nothing
alps-collect 1
alps-runner 1
alps-sim 1
alps-tune 1
alps-load 1
alps-collect 2
alps-sim 2
alps-tune 2
alps-load 2
alps-runner 2
alps-load 3
alps-load 4
alps-load 5
END
`

// TestLoopFailsWithItsStages is about loop.sh as an example: an operator has to
// be told of any stage that dies, of those in the background as well.
func TestLoopFailsWithItsStages(t *testing.T) {
	needMachine(t)
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"loop.sh": string(loop), "broken.sh": brokenLoops} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var said strings.Builder
	m := vm.Machine{
		Shell: true, VirtualTime: true, Shift: virtualShift, Stdout: &said, Stderr: t.Output(), Timeout: 5 * time.Minute,
		Files: []vm.File{{Host: filepath.Join(dir, "loop.sh")}, {Host: filepath.Join(dir, "broken.sh")}},
	}
	if _, err := m.Run(t.Context(), "sh", "/broken.sh"); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(said.String()), "\n")
	if len(lines) != 14 || lines[0] != "nothing: 0" {
		t.Errorf("14 loops, the first unbroken, ended so:\n%s", said.String())
	}
	for _, line := range lines[1:] {
		// 9 is the stub's own; 1 is where the loop sees that it is gone.
		if !strings.HasSuffix(line, ": 9") && !strings.HasSuffix(line, ": 1") {
			t.Errorf("%s is not the status of a loop that was broken", line)
		}
	}
}
