package chart

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// pngDPI is twice the usual, for screens with small pixels and for paper.
const pngDPI = 192

// CheckPath tells whether a picture can be written into a file of that name: it
// ends in .svg or .png, and its directory is there.
func CheckPath(path string) error {
	if format(path) == "" {
		return fmt.Errorf("picture %s: its name must end in .svg or .png", path)
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("picture %s: %w", path, err)
	}
	if !info.IsDir() {
		return fmt.Errorf("picture %s: %s is not a directory", path, filepath.Dir(path))
	}
	return nil
}

// format is svg, png, or "" for another one.
func format(path string) string {
	switch ext := strings.ToLower(filepath.Ext(path)); ext {
	case ".svg", ".png":
		return ext[1:]
	}
	return ""
}

// render returns the bytes of a picture of that size.
func render(format string, width, height vg.Length, draw func(vg.CanvasSizer)) ([]byte, error) {
	var out bytes.Buffer
	if format == "png" {
		c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(pngDPI))
		draw(c)
		_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(&out)
		return out.Bytes(), err
	}
	c := vgsvg.New(width, height)
	draw(c)
	if _, err := c.WriteTo(&out); err != nil {
		return nil, err
	}
	// Where there is no Liberation Sans, Arial and Helvetica are as wide; the
	// browser's own choice would be a serif font.
	return bytes.ReplaceAll(out.Bytes(),
		[]byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")), nil
}

// writeWhole writes a file that others see either as it was or complete.
func writeWhole(path string, content []byte) error {
	temp := filepath.Join(filepath.Dir(path), fmt.Sprintf(".%s.%d", filepath.Base(path), os.Getpid()))
	err := os.WriteFile(temp, content, 0o644)
	if err == nil {
		err = os.Rename(temp, path)
	}
	if err != nil {
		os.Remove(temp)
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
