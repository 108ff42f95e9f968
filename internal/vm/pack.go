package vm

import (
	"bufio"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// pack writes the initramfs into a file without a name, so that nothing is left
// whatever happens. The size returned is that of the files in it, in bytes.
func (m *Machine) pack(ctx context.Context, kernel string, args []string) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "alps-vm-*.cpio")
	if err != nil {
		return nil, 0, err
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, 0, err
	}
	buf := bufio.NewWriterSize(f, 1<<20)
	im := newImage(buf)
	err = m.packInto(ctx, im, kernel, args)
	if err == nil {
		err = im.close()
	}
	if err == nil {
		err = buf.Flush()
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, im.size, nil
}

func (m *Machine) packInto(ctx context.Context, im *image, kernel string, args []string) error {
	program, err := guestInit(ctx)
	if err != nil {
		return err
	}
	if err := im.file("/init", program); err != nil {
		return err
	}
	if err := packModules(im, filepath.Dir(kernel)); err != nil {
		return err
	}
	if m.Shell {
		shell, err := busybox(ctx)
		if err != nil {
			return err
		}
		if err := im.file(busyboxPath, shell); err != nil {
			return err
		}
	}
	for _, dir := range m.Programs {
		if err := packProgram(im, dir); err != nil {
			return err
		}
	}
	for _, f := range m.Files {
		if err := packFile(im, f); err != nil {
			return err
		}
	}
	command := args[0]
	if strings.Contains(command, "/") && !im.has(command) {
		command = path.Join("/bin", filepath.Base(args[0]))
		if err := checkStatic(args[0]); err != nil {
			return err
		}
		if err := im.file(command, args[0]); err != nil {
			return err
		}
	}
	dir := path.Join("/", m.Dir)
	for _, d := range append([]string{dir, "/root", "/out"}, m.emptyDirs...) {
		if err := im.dir(d); err != nil {
			return err
		}
	}
	guestArgs := append([]string{command}, args[1:]...)
	if err := im.bytes(argsFile, 0o644, nulTerminated(guestArgs)); err != nil {
		return err
	}
	if err := im.bytes(envFile, 0o644, nulTerminated(environment(m.Env))); err != nil {
		return err
	}
	return im.bytes(cwdFile, 0o644, []byte(dir))
}

// packModules packs the virtio modules that lie beside a kernel, under names
// that sort in the order of loading.
func packModules(im *image, dir string) error {
	for i, name := range virtioModules {
		file := filepath.Join(dir, name+".ko")
		if _, err := os.Stat(file); err != nil {
			continue // built in
		}
		if err := im.file(fmt.Sprintf("%s/%02d-%s.ko", modulesDir, i, name), file); err != nil {
			return err
		}
	}
	return nil
}

// packProgram packs the files of a program that are not there yet: programs
// share libraries.
func packProgram(im *image, dir string) error {
	return filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		guest := strings.TrimPrefix(file, dir)
		if im.has(guest) {
			return nil
		}
		return im.file(guest, file)
	})
}

func packFile(im *image, f File) error {
	guest := f.Guest
	if guest == "" {
		guest = "/" + filepath.Base(f.Host)
	}
	info, err := os.Stat(f.Host)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return im.tree(guest, f.Host)
	}
	return im.file(guest, f.Host)
}

// checkStatic refuses programs that need a dynamic loader: the kernel would say
// "no such file" of a file that is plainly there.
func checkStatic(host string) error {
	f, err := elf.Open(host)
	if err != nil {
		var format *elf.FormatError
		if errors.As(err, &format) || errors.Is(err, io.EOF) {
			return nil // a script
		}
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically, and the machine has no libraries: build it with CGO_ENABLED=0 (Go) or -static (C)", host)
		}
	}
	return nil
}
