package vm

import (
	"context"
	"debug/elf"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// maxLevels bounds how far from a program the packages are in which its
	// libraries are looked for.
	maxLevels = 6

	programLoader = "lib64/ld-linux-x86-64.so.2"
	libraryDir    = "usr/lib/x86_64-linux-gnu"
)

// Program returns a directory with a program of a Debian package and the shared
// libraries that it is linked with, to be put into the machine as /. All of it
// is fetched as the kernels are, and kept. What a program opens later by itself
// (plug-ins, scripts, data) is not there.
func Program(ctx context.Context, deb, name string) (string, error) {
	s, err := newStore()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(s.dir, "program-"+name)
	err = s.locked(ctx, func() error {
		if _, err := os.Stat(dir); err == nil {
			return nil
		}
		if _, err := s.list(ctx); err != nil { // for the package lists
			return err
		}
		fmt.Fprintf(s.log, "fetching %s of Debian's %s\n", name, deb)
		tmp, err := os.MkdirTemp(s.dir, ".fetch-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(tmp)
		done := filepath.Join(tmp, "done")
		a := apt{dir: filepath.Join(filepath.Dir(s.dir), "apt")}
		if err := a.program(ctx, tmp, done, deb, name); err != nil {
			return fmt.Errorf("fetching %s of Debian's %s: %w", name, deb, err)
		}
		return os.Rename(done, dir)
	})
	return dir, err
}

// program unpacks in tmp first the package and then, level by level, those that
// it depends on, until all that the program is linked with is there.
func (a apt) program(ctx context.Context, tmp, done, deb, name string) error {
	root := filepath.Join(tmp, "root")
	level, seen := []string{deb}, []string{deb}
	for depth := range maxLevels {
		debs := filepath.Join(tmp, fmt.Sprint(depth))
		if err := os.MkdirAll(debs, 0o755); err != nil {
			return err
		}
		files, err := a.download(ctx, debs, level...)
		if err != nil {
			return err
		}
		for _, file := range files {
			if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", file, root).CombinedOutput(); err != nil {
				return fmt.Errorf("unpacking %s: %w: %s", filepath.Base(file), err, out)
			}
		}
		picked, missing, err := linked(root, name)
		if err != nil {
			return err
		}
		if len(missing) == 0 {
			for to, from := range picked {
				if err := copyProgramFile(filepath.Join(done, to), from); err != nil {
					return err
				}
			}
			return nil
		}
		next, err := a.depends(ctx, level)
		if err != nil {
			return err
		}
		level = slices.DeleteFunc(next, func(p string) bool { return slices.Contains(seen, p) })
		seen = append(seen, level...)
		if len(level) == 0 {
			return fmt.Errorf("no package that it depends on has %s", strings.Join(missing, ", "))
		}
	}
	return fmt.Errorf("its libraries are not within %d levels of dependence", maxLevels)
}

// depends are the packages on which these depend.
func (a apt) depends(ctx context.Context, packages []string) ([]string, error) {
	var out strings.Builder
	if err := a.run(ctx, a.dir, &out, "apt-cache", append([]string{"depends", "--important"}, packages...)...); err != nil {
		return nil, err
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		_, name, ok := strings.Cut(line, "Depends: ")
		name = strings.TrimSpace(name)
		if ok && !strings.HasPrefix(name, "<") && !slices.Contains(names, name) { // <virtual>
			names = append(names, name)
		}
	}
	return names, nil
}

// linked returns the files below root with which the program runs, by their
// place in the machine, and the libraries that are not there.
func linked(root, name string) (picked map[string]string, missing []string, err error) {
	libraries := make(map[string]string)
	var program, loader string
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		base := filepath.Base(path)
		switch {
		case base == name && strings.HasSuffix(filepath.Dir(path), "bin"):
			program = path
		case base == filepath.Base(programLoader):
			loader = path
		case strings.Contains(base, ".so"):
			// The first is taken; builds for other CPUs are further down.
			if known := libraries[base]; known == "" || len(path) < len(known) {
				libraries[base] = path
			}
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	if program == "" {
		return nil, nil, fmt.Errorf("no program %s in the package", name)
	}
	picked = map[string]string{filepath.Join("usr/bin", name): program}
	if loader != "" {
		picked[programLoader] = loader
	}
	for queue := []string{program}; len(queue) > 0; queue = queue[1:] {
		needed, err := libraryNames(queue[0])
		if err != nil {
			return nil, nil, err
		}
		for _, library := range needed {
			to := filepath.Join(libraryDir, library)
			switch from := libraries[library]; {
			case library == filepath.Base(programLoader):
				if loader == "" && !slices.Contains(missing, library) {
					missing = append(missing, library)
				}
			case picked[to] != "" || slices.Contains(missing, library):
			case from == "":
				missing = append(missing, library)
			default:
				picked[to] = from
				queue = append(queue, from)
			}
		}
	}
	return picked, missing, nil
}

func libraryNames(file string) ([]string, error) {
	f, err := elf.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer f.Close()
	return f.ImportedLibraries()
}

// copyProgramFile copies a file, not a link to it, and makes its directory.
func copyProgramFile(to, from string) error {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o755)
}
