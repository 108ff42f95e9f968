package platforms

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"alps/internal/stream"
)

// serve is a container's init that serves CGI. It reaps what CGI leaves, and
// ends with its time.
var serve = []string{"/bin/busybox", "sh", "-c",
	fmt.Sprintf("busybox httpd -f -p 127.0.0.1:8080 -h /www & busybox sleep %d; exit", lifeSeconds)}

const functionURL = "http://127.0.0.1:8080/cgi-bin/function"

// functionRoot is a root file system with the function as CGI.
func functionRoot(t *testing.T) string {
	t.Helper()
	root := Root(t)
	Put(t, function, filepath.Join(root, "www/cgi-bin/function"))
	return root
}

// deployRunc starts a container with the function.
func deployRunc(t *testing.T, root, id, cgroup string, burn time.Duration) *deployment {
	t.Helper()
	remove := func() { exec.Command("runc", "delete", "--force", id).Run() }
	remove() // what a killed test left
	bundle := Bundle(t, Container{Cgroup: cgroup, Args: serve, Env: []string{"BURN=" + burn.String()}, Root: root})
	t.Cleanup(func() {
		remove()
		if _, err := os.Stat(filepath.Join(runcStates, id)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("container %s is left: %v", id, err)
		}
	})
	pidFile := filepath.Join(bundle, "pid")
	args := []string{"run", "--detach", "--bundle", bundle, "--pid-file", pidFile}
	if inGuest {
		args = append(args, "--no-pivot") // its root is an initramfs, which older kernels do not let go
	}
	run(t, "runc", append(args, id)...)
	text, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return &deployment{key: "cgroup:" + cgroup, burn: burn, pid: pid, url: functionURL}
}

// Functions in containers of runc, where each call is a process: the server in
// the container forks a handler, which forks the function. alps-collect finds
// faasd's by their cgroup, and others by what runc knows.
func TestRunc(t *testing.T) {
	root := functionRoot(t)
	var deployments []*deployment
	for _, f := range []struct {
		id, cgroup, class string
		burn              time.Duration
		calls, parallel   int
	}{
		{"alps-test-c15", "/openfaas-fn/alps-test-thumb", "alps-test-thumb", 10 * time.Millisecond, 20, 4},
		{"alps-test-c16", "/openfaas-fn/alps-test-train", "alps-test-train", 300 * time.Millisecond, 3, 2},
		{"alps-test-resize", "/alps-test-fns/c-17", "alps-test-resize", 10 * time.Millisecond, 20, 4},
		{"alps-test-report", "/alps-test-fns/c-18", "alps-test-report", 300 * time.Millisecond, 3, 2},
	} {
		d := deployRunc(t, root, f.id, f.cgroup, f.burn)
		d.class, d.calls, d.parallel = f.class, f.calls, f.parallel
		deployments = append(deployments, d)
	}
	measure(t, stream.Process, deployments, "--rules=default")
}
