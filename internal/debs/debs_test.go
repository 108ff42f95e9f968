package debs

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// apt puts a script in the place of apt-get.
func apt(t *testing.T, script string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root installs")
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "apt-get"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestInstall(t *testing.T) {
	calls := filepath.Join(t.TempDir(), "calls")
	// A source that cannot be reached does not end it.
	apt(t, `echo "$@" >>`+calls+`; [ "$1" = install ]`)
	var log strings.Builder
	if err := Install(context.Background(), &log, "runc", "npm"); err != nil {
		t.Error(err)
	}
	const want = "update -q\ninstall -q -y --no-install-recommends runc npm\n"
	if got, _ := os.ReadFile(calls); string(got) != want {
		t.Errorf("apt-get was called with %q, want %q", got, want)
	}
	if got := strings.ReplaceAll(log.String(), "apt-get ", ""); got != want {
		t.Errorf("log %q, want %q", got, want)
	}
}

func TestInstallTellsWhyNot(t *testing.T) {
	apt(t, "echo E: no such package; exit 100")
	err := Install(context.Background(), io.Discard, "runc")
	if err == nil || err.Error() != "installing runc: exit status 100:\nE: no such package\n" {
		t.Errorf("%v", err)
	}
	t.Setenv("PATH", t.TempDir())
	err = Install(context.Background(), io.Discard, "runc", "npm")
	if err == nil || err.Error() != "this system has no apt-get: install what is called runc npm in Debian" {
		t.Errorf("%v", err)
	}
}
