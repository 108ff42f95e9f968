package platforms

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"alps/internal/stream"
)

// framework is Google's Functions Framework; this version runs on the Node.js of
// every Debian that is supported.
const framework = "@google-cloud/functions-framework@3.5.1"

// newFunctionsFramework installs the framework with the function, and returns
// its directory.
func newFunctionsFramework(t *testing.T) string {
	t.Helper()
	Need(t, "node=nodejs", "npm")
	dir := t.TempDir()
	ctx, stop := context.WithTimeout(context.Background(), installTime)
	defer stop()
	install := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--no-save", "--ignore-scripts", "--prefix", dir, framework)
	if out, err := install.CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(string(out), "\n")
		t.Skipf("npm install %s: %v: %s", framework, err, first)
	}
	Put(t, "testdata/function.js", filepath.Join(dir, "function.js"))
	return dir
}

// deployNode starts a runtime with the function as Knative does: in a cgroup of
// its own, with the name of the service in its environment.
func deployNode(t *testing.T, dir, service string, burn time.Duration) *deployment {
	t.Helper()
	cgroup := "/alps-test-node/" + service
	RemoveCgroup(t, cgroup)
	path := unified(t) + cgroup
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	server := bounded(t.Context(), "node", filepath.Join(dir, "node_modules/.bin/functions-framework"),
		"--source="+filepath.Join(dir, "function.js"), "--target=burn", "--port=8080")
	server.Env = append(os.Environ(), "K_SERVICE="+service, "NODE_ENV=production")
	server.SysProcAttr.UseCgroupFD, server.SysProcAttr.CgroupFD = true, int(in.Fd())
	server.SysProcAttr.Cloneflags = syscall.CLONE_NEWNET
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		syscall.Kill(-server.Process.Pid, syscall.SIGKILL)
		server.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("%s:\n%s", service, text[max(0, len(text)-4096):])
		}
	})
	if err := loopback(server.Process.Pid); err != nil {
		t.Fatal(err)
	}
	return &deployment{
		class: service, key: "cgroup:" + cgroup, burn: burn, pid: server.Process.Pid,
		// getrusage counts all threads of the process, such as those that
		// compile, and a request is of one.
		elsewhere: 0.2,
		url:       fmt.Sprintf("http://127.0.0.1:8080/?ms=%d", burn.Milliseconds()),
	}
}

// minRequest is more than what Node.js does between the calls, such as collecting
// garbage, and less than a call.
const minRequest = 12 * time.Millisecond

// Long-lived runtimes, all of which are called at once. One that serves one call
// at a time, as with a concurrency of one, has a row for each. Of several at a
// time a round of its event loop may serve more than one.
func TestNodeFunctions(t *testing.T) {
	heavy(t)
	dir := newFunctionsFramework(t)
	thumb := deployNode(t, dir, "alps-test-thumb", 20*time.Millisecond)
	thumb.calls = 20
	train := deployNode(t, dir, "alps-test-train", 300*time.Millisecond)
	train.calls = 4
	deployments := []*deployment{thumb, train}
	for _, parallel := range []int{1, 4} {
		t.Run(fmt.Sprintf("%d at a time", parallel), func(t *testing.T) {
			for _, d := range deployments {
				d.parallel, d.eventLoop = parallel, parallel > 1
				d.await(t)
			}
			// The first calls are slow, and partly work of the compiler's threads.
			callAll(t, deployments)
			measure(t, stream.Request, deployments,
				"--rules=default", "--invocation=request", "--min-request="+minRequest.String())
		})
	}
}
