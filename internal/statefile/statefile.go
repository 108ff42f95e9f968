// Package statefile keeps a file that one process at a time reads and then
// replaces, again and again: at any time, whatever is killed, there is the old one
// or the new one, whole. What is in the file is not its concern.
package statefile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// File is a file that this process alone reads and replaces, until Close.
//
// Two files are beside it, hidden ones: .NAME.lock, which is empty, stays, and is
// what is locked (the file itself is another one after each Commit), and .NAME.new,
// which a process that was killed may leave, and the next one replaces.
type File struct {
	name string // as the user calls it
	path string // what the name's symbolic links lead to
	lock *os.File
	next *os.File // prepared
}

// Open takes the file for this process. The file may not be there yet; its folder
// must. The error names the file, and says so where another process has it.
func Open(name string) (*File, error) {
	path, err := follow(name)
	if err != nil {
		return nil, fmt.Errorf("%s: following the link: %w", name, err)
	}
	f := &File{name: name, path: path}
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: it is not a regular file; it is replaced by a new one after each window", name)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	// Told before there is something to lose, and not when it is to be replaced.
	if err := unix.Faccessat(unix.AT_FDCWD, filepath.Dir(path), unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil {
		return nil, f.folderError(err)
	}
	f.lock, err = os.OpenFile(f.beside("lock"), os.O_RDONLY|os.O_CREATE, 0o644)
	if err != nil {
		return nil, f.folderError(err)
	}
	err = unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return f, nil
	}
	f.lock.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: another process has it (the lock is %s); let that end first, or name another file", name, f.beside("lock"))
	}
	return nil, fmt.Errorf("%s: locking %s: %w", name, f.beside("lock"), err)
}

// maxLinks is how many symbolic links are followed, as many as Linux does.
const maxLinks = 40

// follow returns what a path leads to by symbolic links, whether it is there or
// not. filepath.EvalSymlinks takes only what is there.
func follow(path string) (string, error) {
	for range maxLinks {
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil // no link; what else it may be is not known here
		}
		if !filepath.IsAbs(target) {
			// Its .. are those of the folder that the link really is in.
			folder, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			target = filepath.Join(folder, target)
		}
		path = target
	}
	return "", unix.ELOOP
}

func (f *File) folderError(err error) error {
	return fmt.Errorf("%s: a folder that new files can be put into is needed: %w", f.name, err)
}

// beside is the path of a file that belongs to this one.
func (f *File) beside(what string) string {
	dir, base := filepath.Split(f.path)
	return dir + "." + base + "." + what
}

// Read opens the file for reading. Where it is not there yet the error is
// [fs.ErrNotExist].
func (f *File) Read() (io.ReadCloser, error) { return os.Open(f.path) }

// Is tells whether another file is this one.
func (f *File) Is(other fs.FileInfo) bool {
	info, err := os.Stat(f.path)
	return err == nil && os.SameFile(info, other)
}

// Prepare has the next content written, and to the disk, without touching the
// file. The content before it that was prepared and not committed is dropped.
func (f *File) Prepare(write func(io.Writer) error) error {
	if err := f.prepare(write); err != nil {
		f.drop()
		return fmt.Errorf("%s: writing the next one: %w", f.name, err)
	}
	return nil
}

func (f *File) prepare(write func(io.Writer) error) error {
	if err := f.create(); err != nil {
		return err
	}
	buffered := bufio.NewWriter(f.next)
	if err := write(buffered); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	// Else a file system may do the renaming first, and after a power cut there
	// is an empty file.
	return f.next.Sync()
}

// create makes the next file, empty, with the permissions of the one that it
// replaces, and its owner where that is allowed.
func (f *File) create() error {
	f.drop()
	if err := os.Remove(f.beside("new")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mode := fs.FileMode(0o644)
	old, err := os.Stat(f.path)
	if err == nil {
		mode = old.Mode().Perm()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f.next, err = os.OpenFile(f.beside("new"), os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode); err != nil || old == nil {
		return err
	}
	if owner, ok := old.Sys().(*syscall.Stat_t); ok {
		if err := f.next.Chown(int(owner.Uid), int(owner.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return f.next.Chmod(mode) // whatever the umask
}

// Commit puts what was prepared into the file's place, in one step. The folder is
// not synced: after a power cut the old file may be there, which is whole as well.
func (f *File) Commit() error {
	if f.next == nil {
		return fmt.Errorf("%s: nothing was prepared", f.name)
	}
	err := os.Rename(f.beside("new"), f.path)
	if err == nil {
		err = f.next.Close()
		f.next = nil
	}
	if err != nil {
		return fmt.Errorf("%s: replacing it: %w", f.name, err)
	}
	return nil
}

// drop removes what was prepared and not committed.
func (f *File) drop() {
	if f.next != nil {
		f.next.Close()
		os.Remove(f.beside("new"))
		f.next = nil
	}
}

// Close drops what was not committed and lets other processes have the file.
func (f *File) Close() error {
	f.drop()
	return f.lock.Close()
}
