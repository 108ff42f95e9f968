package vm

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// initSource is the program that runs as process 1. It is built where it is
// needed, so that users of this package need not be static binaries, nor be
// packed themselves.
//
//go:embed init/main.go init/mount.go init/send.go
var initSource embed.FS

// The names that init/main.go knows.
const (
	portStdout  = "alps.stdout"
	portStderr  = "alps.stderr"
	portControl = "alps.control"
	portOut     = "alps.out"

	argsFile = "/.alps/args"
	envFile  = "/.alps/env"
	cwdFile  = "/.alps/cwd"

	modulesDir = "/.alps/modules"

	busyboxPath = "/bin/busybox"
)

// initMod keeps the build apart from any module and workspace around it.
const initMod = "module init\n\ngo 1.25\n"

// guestInit returns the path of the built init, building it if this source has
// not been built before.
func guestInit(ctx context.Context) (string, error) {
	files := map[string][]byte{"go.mod": []byte(initMod)}
	sum := sha256.New()
	for _, name := range []string{"main.go", "mount.go", "send.go"} {
		b, err := initSource.ReadFile("init/" + name)
		if err != nil {
			return "", err
		}
		files[name] = b
		sum.Write(b)
	}
	sum.Write([]byte(initMod))
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	built := filepath.Join(cache, "init-"+hex.EncodeToString(sum.Sum(nil))[:16])
	if _, err := os.Stat(built); err == nil {
		return built, nil
	}

	dir, err := os.MkdirTemp(cache, "init-build-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			return "", err
		}
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", "init", ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOWORK=off", "GOFLAGS=", "PWD="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the test machine's init: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return built, os.Rename(filepath.Join(dir, "init"), built)
}

// cacheDir returns the directory of what this package keeps between runs, made
// if missing.
func cacheDir() (string, error) {
	user, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("finding a cache directory: %w; set XDG_CACHE_HOME", err)
	}
	dir := filepath.Join(user, "alps")
	return dir, os.MkdirAll(dir, 0o755)
}

// nulTerminated is the form in which init reads lists of strings.
func nulTerminated(list []string) []byte {
	var b strings.Builder
	for _, s := range list {
		b.WriteString(s)
		b.WriteByte(0)
	}
	return []byte(b.String())
}
