package collect

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"alps/internal/rules"
	"alps/internal/stream"
)

// byRules are the options of a run that takes what the rules name.
func byRules(t *testing.T, rows ...string) Options {
	t.Helper()
	set, err := rules.Parse(strings.NewReader("match,pattern,class\n"+strings.Join(rows, "\n")+"\n"), "rules.csv")
	if err != nil {
		t.Fatal(err)
	}
	return Options{Window: time.Hour, Rules: set}
}

// The processes of these tests have ended when the collector looks: what the
// rules ask of them is known from when they lived.
func TestRulesByWhatAProcessHas(t *testing.T) {
	needKernel(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if exe, err = filepath.EvalSymlinks(exe); err != nil {
		t.Fatal(err)
	}
	long := "FN_LONG=" + strings.Repeat("x", 8000)
	for _, test := range []struct {
		name, rule, want string
	}{
		{"environment", "env,^FN_NAME=(.+)$,env/$1", "env/figlet"},
		{"long environment", "env,^FN_LAST=(.+)$,env/$1", "env/of many"},
		{"program", "exe,^" + exe + "$,by program", "by program"},
		{"arguments", "cmdline,^\\S*/fn-rule second third$,by arguments", "by arguments"},
		{"user", "uid,^0$,user $0", "user 0"},
		{"cgroup", "cgroup,/alps-test-[0-9]+/(.+),$1", "of-rules"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, dir := newCgroup(t, "of-rules")
			options := byRules(t, test.rule)
			options.Filter.Under = path
			s := collect(t, options)
			cmd := body(t, "fn-rule", "burn", "1ms")
			cmd.Args = append(cmd.Args, "second", "third")
			cmd.Env = append([]string{"FN_NAME=figlet", long, "FN_LAST=of many"}, cmd.Env...)
			cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: openCgroup(t, dir+"/of-rules")}
			run(t, cmd)
			row := s.one()
			if string(row.Class) != test.want || row.Key != "cgroup:"+path+"/of-rules" {
				t.Errorf("class %q, key %q, want %q", row.Class, row.Key, test.want)
			}
		})
	}
}

// The path of a program is what /proc says of it, also on a file system that is
// mounted somewhere.
func TestRulesByAProgramOnAnotherMount(t *testing.T) {
	needKernel(t)
	var here, there unix.Stat_t
	if unix.Stat("/dev/shm", &there) != nil || unix.Stat("/dev", &here) != nil || here.Dev == there.Dev {
		t.Skip("/dev/shm is no mount of its own")
	}
	dir, err := os.MkdirTemp("/dev/shm", "alps-test")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	binary, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "fn-on-shm")
	if err := os.WriteFile(program, binary, 0o755); err != nil {
		t.Fatal(err)
	}
	options := byRules(t, "exe,^(/dev/shm/.*),$1")
	options.Filter.Comms = []string{"fn-on-shm"}
	s := collect(t, options)
	cmd := body(t, "fn-on-shm", "sleep")
	cmd.Path = program
	start(t, cmd)
	told, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	kill(cmd)
	if row := s.one(); string(row.Class) != program || told != program {
		t.Errorf("class %q, /proc says %q, want %q", row.Class, told, program)
	}
}

// A cgroup that is everybody's is no key.
func TestRulesInASharedCgroup(t *testing.T) {
	inRootCgroup(t)
	s := collect(t, byRules(t, "env,^FN_ALPS_TEST=(.+)$,$1"))
	for _, name := range []string{"a", "b"} {
		cmd := body(t, "fn-root-"+name, "burn", "1ms")
		cmd.Env = append(cmd.Env, "FN_ALPS_TEST="+name)
		run(t, cmd)
	}
	run(t, body(t, "fn-root-none", "burn", "1ms"))
	rows := s.finish()
	if len(rows) != 2 || rows[0].Class != "a" || rows[0].Key != "comm:fn-root-a" ||
		rows[1].Class != "b" || rows[1].Key != "comm:fn-root-b" {
		t.Errorf("%+v", rows)
	}
}

// inRootCgroup skips a test whose processes are in no shared cgroup.
func inRootCgroup(t *testing.T) {
	t.Helper()
	cgroup, err := rules.NewHost("/").Text(os.Getpid(), rules.Cgroup)
	if err != nil || !rules.Shared(cgroup) {
		t.Skipf("the test is in a cgroup of its own: %s, %v", cgroup, err)
	}
}

// A fork that only takes a name has the environment of its parent, and is no
// longer there to be looked at either.
func TestRulesOfAFork(t *testing.T) {
	s := collect(t, byRules(t, "comm,^starter$,-", "env,^FN_ALPS_FORK=(.+)$,$1"))
	cmd := body(t, "starter", "rename", "fn-forked", "1ms")
	cmd.Env = append(cmd.Env, "FN_ALPS_FORK=forked")
	run(t, cmd)
	if row := s.one(); row.Class != "forked" {
		t.Errorf("class %q, key %q", row.Class, row.Key)
	}
}

// The mounts of a sandbox are set up after its first exec, in a namespace of its
// own, as OpenLambda's are. They are asked of /proc, so the process has to live until
// alps-collect gets a CPU.
func TestRulesByMount(t *testing.T) {
	path, dir := newCgroup(t, "sandbox")
	options := byRules(t, "mount,/worker/code/[0-9]+-(\\S+) \\S*/handler ,$1")
	options.Filter.Under = path
	s := collect(t, options)
	run(t, sandboxed(t, dir+"/sandbox", "burn", "1s"))
	if row := s.one(); row.Class != "resize" || row.Key != "cgroup:"+path+"/sandbox" {
		t.Errorf("class %q, key %q\n%s", row.Class, row.Key, &s.messages)
	}
}

// What a process sees mounted is asked of /proc as long as it lives, and known at
// its end from before.
func TestRulesOfTheLiving(t *testing.T) {
	path, dir := newCgroup(t, "living")
	options := byRules(t, "mount,/worker/code/[0-9]+-(\\S+) \\S*/handler ,$1")
	options.Filter.Under = path
	options.Window = 500 * time.Millisecond
	s := collect(t, options)
	start(t, sandboxed(t, dir+"/living", "sleep"))
	rows := <-s.windows
	rows = append(rows, s.finish()...)
	for _, row := range rows {
		if row.Class != "resize" || row.EndNs.Valid {
			t.Errorf("%+v", row)
		}
	}
	if len(rows) < 2 {
		t.Errorf("%d rows, want one a window", len(rows))
	}
}

// A request is of the class of the process that serves it, which has served others
// and may have been there before the collector.
func TestRulesOfRequests(t *testing.T) {
	const name = "fn-served"
	t.Setenv("FN_ALPS_SERVER", "resize")
	for _, test := range []struct {
		name, rule string
		before     bool
	}{
		{"environment", "env,^FN_ALPS_SERVER=(.+)$,$1", false},
		{"environment, from before", "env,^FN_ALPS_SERVER=(.+)$,$1", true},
		{"arguments", "cmdline,/fn-served$,resize", false},
		{"mounts, from before", "mount, /proc ,resize", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			needKernel(t)
			options := byRules(t, test.rule)
			options.Invocation, options.MinRequest = stream.Request, 15*time.Millisecond
			options.Filter.Comms = []string{name}
			var server *client
			if test.before {
				server = startServer(t, name, "recv")
				server.ask("0s")
			}
			s := collect(t, options)
			if !test.before {
				server = startServer(t, name, "recv")
				server.idle()
			}
			var want []time.Duration
			for range 3 {
				used, _ := server.ask("20ms")
				want = append(want, used)
				time.Sleep(2 * drainEvery) // so that each is decided on before the next
			}
			rows := s.finish()
			for i := range rows {
				if rows[i].Class != "resize" {
					t.Errorf("class %q", rows[i].Class)
				}
				rows[i].Class = name
			}
			wantRequests(t, s, rows, name, want)
		})
	}
}

// A spell is of the class of the processes in the cgroup.
func TestRulesOfSpells(t *testing.T) {
	path, dir := newCgroup(t, "spell")
	options := byRules(t, "env,^FN_ALPS_SERVER=(.+)$,$1")
	options.Filter.Under, options.Invocation = path, stream.Cgroup
	t.Setenv("FN_ALPS_SERVER", "resize")
	server := serve(t, dir+"/spell", "fn-spell")
	freeze(t, dir+"/spell", 1)
	s := collect(t, options)
	for range 2 {
		freeze(t, dir+"/spell", 0)
		server.ask(20 * time.Millisecond)
		freeze(t, dir+"/spell", 1)
		time.Sleep(2 * drainEvery)
	}
	rows := s.finish()
	for _, row := range rows {
		if row.Class != "resize" || row.Key != "cgroup:"+path+"/spell" || !row.EndNs.Valid {
			t.Errorf("%+v", row)
		}
	}
	if len(rows) != 2 {
		t.Errorf("%d rows, want 2\n%s", len(rows), &s.messages)
	}
}

// sandboxed is a body in a cgroup that has code mounted as OpenLambda does.
func sandboxed(t *testing.T, dir string, words ...string) *exec.Cmd {
	t.Helper()
	code, handler := filepath.Join(t.TempDir(), "worker/code/1007-resize"), filepath.Join(t.TempDir(), "handler")
	for _, folder := range []string{code, handler} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	cmd := body(t, "fn-mount", append([]string{"mount", code, handler}, words...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: openCgroup(t, dir), Cloneflags: unix.CLONE_NEWNS}
	return cmd
}

// openCgroup opens a cgroup for a process to start in.
func openCgroup(t *testing.T, dir string) int {
	t.Helper()
	cgroup, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cgroup.Close() })
	return int(cgroup.Fd())
}

// A class that cannot be known is counted, and no later rule guesses it.
func TestUnknownClassIsCounted(t *testing.T) {
	path, dir := newCgroup(t, "unknown")
	options := byRules(t, "env,^NOT_THERE=,env", "cgroup,/unknown$,guessed")
	options.Filter.Under = path
	s := collect(t, options)
	// The end of this environment is more than the kernel side tells.
	cmd := body(t, "fn-unknown", "burn", "1ms")
	cmd.Env = append(cmd.Env, "FN_A="+strings.Repeat("x", 9000), "FN_B="+strings.Repeat("x", 9000))
	cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: openCgroup(t, dir+"/unknown")}
	run(t, cmd)
	if rows := s.finish(); len(rows) > 0 {
		t.Errorf("%+v", rows)
	}
	wantMessage(t, s, "lost 1 invocations (class not known: what a rule asks for had gone)")
}
