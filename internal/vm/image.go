package vm

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/cavaliergopher/cpio"
)

// imageTime is the modification time of every directory and generated file of
// an image, so that equal inputs make equal images.
var imageTime = time.Unix(0, 0)

// image writes an initramfs: an uncompressed cpio archive in the kernel's
// "newc" format. The kernel makes files in the order of the archive and needs a
// directory before what is in it; image adds parents as needed.
type image struct {
	w    *cpio.Writer
	size int64           // bytes of file content so far
	seen map[string]bool // guest paths, cleaned, without the leading slash
}

func newImage(w io.Writer) *image {
	return &image{w: cpio.NewWriter(w), seen: make(map[string]bool)}
}

// has reports whether the absolute guest path is in the image.
func (im *image) has(guest string) bool { return im.seen[imageName(guest)] }

func imageName(guest string) string { return strings.TrimPrefix(path.Clean("/"+guest), "/") }

// header starts an entry. All have one link: with more the kernel would look
// for hard links.
func (im *image) header(name string, h cpio.Header) error {
	h.Name, h.Links = name, 1
	im.seen[name] = true
	return im.w.WriteHeader(&h)
}

func (im *image) dir(guest string) error {
	name := imageName(guest)
	if name == "" || im.seen[name] {
		return nil
	}
	if err := im.dir(path.Dir(name)); err != nil {
		return err
	}
	return im.header(name, cpio.Header{Mode: cpio.TypeDir | 0o755, ModTime: imageTime})
}

// claim makes the parents of a new entry and refuses a second one of its name,
// of which the kernel would keep the last.
func (im *image) claim(guest string) (string, error) {
	name := imageName(guest)
	if im.seen[name] {
		return "", fmt.Errorf("/%s is put into the machine twice", name)
	}
	return name, im.dir(path.Dir(name))
}

func (im *image) bytes(guest string, perm fs.FileMode, content []byte) error {
	name, err := im.claim(guest)
	if err != nil {
		return err
	}
	err = im.header(name, cpio.Header{Mode: cpio.TypeReg | cpio.FileMode(perm.Perm()), Size: int64(len(content)), ModTime: imageTime})
	if err != nil {
		return err
	}
	im.size += int64(len(content))
	_, err = im.w.Write(content)
	return err
}

// file copies one regular host file, following links, with its permissions and
// modification time.
func (im *image) file(guest, host string) error {
	name, err := im.claim(guest)
	if err != nil {
		return err
	}
	f, err := os.Open(host)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is not a regular file", host)
	}
	err = im.header(name, cpio.Header{Mode: cpio.TypeReg | cpio.FileMode(info.Mode().Perm()), Size: info.Size(), ModTime: info.ModTime()})
	if err != nil {
		return err
	}
	im.size += info.Size()
	// Limited: a file that grows meanwhile must not run into the next entry.
	n, err := io.Copy(im.w, io.LimitReader(f, info.Size()))
	if err == nil && n < info.Size() {
		err = fmt.Errorf("%s shrank while it was packed", host)
	}
	return err
}

// tree copies a host directory with its directories, regular files and symbolic
// links. What else there is (sockets, devices) is left out.
func (im *image) tree(guest, host string) error {
	info, err := os.Stat(host)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory", host)
	}
	return filepath.WalkDir(host, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(host, p)
		if err != nil {
			return err
		}
		to := path.Join("/", guest, filepath.ToSlash(rel))
		switch {
		case d.IsDir(), rel == ".":
			return im.dir(to)
		case d.Type().IsRegular():
			return im.file(to, p)
		case d.Type() == fs.ModeSymlink:
			return im.symlink(to, p)
		}
		return nil
	})
}

func (im *image) symlink(guest, host string) error {
	target, err := os.Readlink(host)
	if err != nil {
		return err
	}
	name, err := im.claim(guest)
	if err != nil {
		return err
	}
	err = im.header(name, cpio.Header{Mode: cpio.TypeSymlink | 0o777, Size: int64(len(target)), ModTime: imageTime})
	if err != nil {
		return err
	}
	_, err = io.WriteString(im.w, target)
	return err
}

func (im *image) close() error { return im.w.Close() }
