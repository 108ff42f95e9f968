package platforms

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"alps/internal/stream"
)

const (
	image     = "docker.io/alps-test/function:1"
	namespace = "alps-test-fns" // containerd's, and so the cgroup above its containers
)

// runContainerd is where containerd and its runtime keep what they know of
// containers; the runtime does so wherever the daemon is told to.
const runContainerd = "/run/containerd"

// containerd is a daemon of the test.
type containerd struct {
	t      *testing.T
	socket string
}

// startContainerd starts a daemon with directories of its own.
func startContainerd(t *testing.T, state string) *containerd {
	t.Helper()
	dir := t.TempDir()
	c := &containerd{t, filepath.Join(dir, "socket")}
	config := filepath.Join(dir, "config.toml")
	if err := os.WriteFile(config, []byte(fmt.Sprintf(`version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = %q
`, filepath.Join(dir, "root"), state, c.socket)), 0o644); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	ctx, stop := context.WithCancel(context.Background())
	daemon := bounded(ctx, "containerd", "--config", config)
	daemon.Stdout, daemon.Stderr = log, log
	daemon.Cancel = func() error { return daemon.Process.Signal(syscall.SIGTERM) }
	daemon.WaitDelay = patience
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		stop()
		daemon.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(log.Name())
			t.Logf("containerd:\n%s", text[max(0, len(text)-4096):])
		}
	})
	for deadline := time.Now().Add(patience); exec.Command("ctr", "--address", c.socket, "version").Run() != nil; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("containerd does not start")
		}
	}
	return c
}

// ctr runs containerd's client.
func (c *containerd) ctr(args ...string) string {
	c.t.Helper()
	return run(c.t, "ctr", append([]string{"--address", c.socket, "--namespace", namespace}, args...)...)
}

// deploy starts a container with the function.
func (c *containerd) deploy(id string, burn time.Duration, args ...string) *deployment {
	c.t.Helper()
	cgroup := "/" + namespace + "/" + id
	RemoveCgroup(c.t, cgroup)
	c.t.Cleanup(func() {
		exec.Command("ctr", "--address", c.socket, "--namespace", namespace, "task", "delete", "--force", id).Run()
		c.ctr("container", "delete", id)
	})
	args = append([]string{"run", "--detach", "--snapshotter", "native", "--env", "BURN=" + burn.String()}, args...)
	c.ctr(append(append(args, image, id), serve...)...)
	return &deployment{key: "cgroup:" + cgroup, burn: burn, pid: c.pid(id), url: functionURL}
}

// pid is that of a container's first process.
func (c *containerd) pid(id string) int {
	c.t.Helper()
	for line := range strings.Lines(c.ctr("task", "list")) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == id {
			if pid, err := strconv.Atoi(fields[1]); err == nil {
				return pid
			}
		}
	}
	c.t.Fatalf("container %s does not run", id)
	return 0
}

// imageArchive makes an image of a root file system, as docker save does.
func imageArchive(t *testing.T, root string) string {
	t.Helper()
	dir := t.TempDir()
	layer := filepath.Join(dir, "layer.tar")
	writeTar(t, layer, func(to *tar.Writer) error { return to.AddFS(os.DirFS(root)) })
	content, err := os.ReadFile(layer)
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux",
		"config": map[string]any{"Cmd": serve, "Env": []string{"PATH=/bin"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{fmt.Sprintf("sha256:%x", sha256.Sum256(content))}},
	})
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := json.Marshal([]map[string]any{{"Config": "config.json", "RepoTags": []string{image}, "Layers": []string{"layer.tar"}}})
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(dir, "image.tar")
	writeTar(t, archive, func(to *tar.Writer) error {
		for _, file := range []struct {
			name    string
			content []byte
		}{{"config.json", config}, {"layer.tar", content}, {"manifest.json", manifest}} {
			if err := to.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644, Size: int64(len(file.content))}); err != nil {
				return err
			}
			if _, err := to.Write(file.content); err != nil {
				return err
			}
		}
		return nil
	})
	return archive
}

func writeTar(t *testing.T, path string, fill func(*tar.Writer) error) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	to := tar.NewWriter(io.Writer(file))
	if err := errors.Join(fill(to), to.Close(), file.Close()); err != nil {
		t.Fatal(err)
	}
}

// Functions in containers of an image under containerd: named by annotations as
// Kubernetes' are, by namespace and id, or left out as a side-car.
func TestContainerd(t *testing.T) {
	heavy(t)
	Need(t, "containerd", "ctr=containerd", "runc")
	archive := imageArchive(t, functionRoot(t))
	_, err := os.Stat(runContainerd)
	unused := errors.Is(err, fs.ErrNotExist)
	for _, state := range []string{"of its own", "default"} {
		t.Run("state directory "+state, func(t *testing.T) {
			if state == "of its own" {
				state = t.TempDir()
			} else if state = runContainerd; !unused {
				t.Skipf("%s is there: another containerd may use it", runContainerd)
			}
			if unused {
				t.Cleanup(func() { os.RemoveAll(runContainerd) })
			}
			c := startContainerd(t, state)
			c.ctr("image", "import", "--no-unpack", archive)
			pod := func(container string) []string {
				return []string{
					"--annotation", "io.kubernetes.cri.container-name=" + container,
					"--annotation", "io.kubernetes.cri.sandbox-name=resize-7d9f8b6c5d-x2v4z",
					"--annotation", "io.kubernetes.cri.sandbox-namespace=alps-test",
				}
			}
			thumb := c.deploy("alps-test-thumb", 10*time.Millisecond, "--label", "com.example.function=thumb")
			thumb.class, thumb.calls, thumb.parallel = namespace+"/alps-test-thumb", 20, 4
			train := c.deploy("alps-test-train", 300*time.Millisecond, pod("main")...)
			train.class, train.calls, train.parallel = "alps-test/resize/main", 4, 2
			proxy := c.deploy("alps-test-proxy", 10*time.Millisecond, pod("queue-proxy")...)
			proxy.class, proxy.leftOut, proxy.calls, proxy.parallel = "alps-test/resize/queue-proxy", true, 4, 2
			measure(t, stream.Process, []*deployment{thumb, train, proxy}, "--rules=default")
		})
	}
}
