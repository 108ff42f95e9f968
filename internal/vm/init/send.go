package main

import (
	"archive/tar"
	"bufio"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// sendTree writes dir's directories and regular files to w as a tar stream,
// with names relative to dir. An empty dir makes an empty archive.
func sendTree(w io.Writer, dir string) error {
	// Each write to a port costs an exit to the emulator; 256 KiB makes them
	// few.
	buf := bufio.NewWriterSize(w, 256<<10)
	tw := tar.NewWriter(buf)
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		if !d.Type().IsRegular() && !d.IsDir() {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		header, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		header.Name, err = filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if err := tw.WriteHeader(header); err != nil || d.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(tw, f)
		return err
	})
	if err != nil {
		return err
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return buf.Flush()
}
