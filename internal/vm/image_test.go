package vm

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cavaliergopher/cpio"
	"github.com/google/go-cmp/cmp"
)

// entries reads an image back as "name mode content" in its order.
func entries(t *testing.T, archive []byte) []string {
	t.Helper()
	var got []string
	r := cpio.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return got
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, h.Name+" "+h.Mode.String()+" "+h.Linkname+string(content))
	}
}

func TestImage(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"a/one": "1", "a/b/two": "22", "run.sh": "#!/bin/sh\n"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("b/two", filepath.Join(dir, "a/link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "run.sh"), 0o755); err != nil {
		t.Fatal(err)
	}

	var buf bytes.Buffer
	im := newImage(&buf)
	for _, err := range []error{
		im.tree("/data", filepath.Join(dir, "a")),
		im.file("/data/x/run.sh", filepath.Join(dir, "run.sh")),
		im.bytes("/etc/../conf", 0o644, []byte("odd")),
		im.dir("/data/x"), // there already
		im.dir("/deep/er"),
		im.close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		"data 040755 ",
		"data/b 040755 ",
		"data/b/two 0100600 22",
		"data/link 0120777 b/two",
		"data/one 0100600 1",
		"data/x 040755 ",
		"data/x/run.sh 0100755 #!/bin/sh\n",
		"conf 0100644 odd",
		"deep 040755 ",
		"deep/er 040755 ",
	}
	if diff := cmp.Diff(want, entries(t, buf.Bytes())); diff != "" {
		t.Error(diff)
	}
	if im.size != 2+1+10+3 {
		t.Errorf("size %d", im.size)
	}
	if !im.has("/data/one") || im.has("/data/two") {
		t.Error("has: wrong")
	}
}

func TestImageRefuses(t *testing.T) {
	im := newImage(io.Discard)
	if err := im.bytes("/a", 0o644, nil); err != nil {
		t.Fatal(err)
	}
	if err := im.bytes("a", 0o644, nil); err == nil || !strings.Contains(err.Error(), "/a is put into the machine twice") {
		t.Errorf("twice: %v", err)
	}
	if err := im.file("/d", t.TempDir()); err == nil {
		t.Error("a directory as a file")
	}
	if err := im.tree("/t", os.DevNull); err == nil {
		t.Error("a file as a directory")
	}
}
