package vm

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

const (
	mirrorVariable = "ALPS_DEBIAN_MIRROR"
	defaultMirror  = "http://deb.debian.org/debian"
)

// suites are those that have kernels of interest: 6.1, the last with CFS; 6.12,
// without sched_ext; the long row of versions in backports; the newest. A suite
// that is gone costs its kernels, not the others.
var suites = []string{"bookworm", "bookworm-backports", "trixie-backports", "sid"}

// keyrings are the places of Debian's archive keys, the newer name first.
var keyrings = []string{
	"/usr/share/keyrings/debian-archive-keyring.pgp",
	"/usr/share/keyrings/debian-archive-keyring.gpg",
}

// apt fetches Debian packages through the system's apt with sources and lists
// of its own in dir. It needs no privilege, installs nothing, and the system's
// own lists stay untouched. apt verifies all it fetches against the archive's
// keys.
type apt struct {
	dir string
}

// update fetches the package lists. After an error, the lists of the suites
// that did answer are there, and so are earlier ones.
func (a apt) update(ctx context.Context) error {
	if err := a.configure(); err != nil {
		return err
	}
	return a.run(ctx, a.dir, io.Discard, "apt-get", "-q", "update")
}

// madison returns the lines `package | version | site suite` of every cloud
// kernel in the lists fetched last.
func (a apt) madison(ctx context.Context) ([]byte, error) {
	var names, lines bytes.Buffer
	if err := a.run(ctx, a.dir, &names, "apt-cache", "pkgnames", "linux-"); err != nil {
		return nil, err
	}
	args := []string{"madison"}
	for name := range strings.FieldsSeq(names.String()) {
		if kernelPackage.MatchString(name) {
			args = append(args, name)
		}
	}
	if len(args) == 1 {
		return nil, errors.New("no linux-image-*-cloud-amd64 in Debian's package lists")
	}
	err := a.run(ctx, a.dir, &lines, "apt-cache", args...)
	return lines.Bytes(), err
}

// download fetches packages, each a name or NAME=VERSION, into dir, and returns
// their files.
func (a apt) download(ctx context.Context, dir string, packages ...string) ([]string, error) {
	args := append([]string{"-q", "download"}, packages...)
	if err := a.run(ctx, dir, io.Discard, "apt-get", args...); err != nil {
		return nil, err
	}
	return filepath.Glob(filepath.Join(dir, "*.deb"))
}

func (a apt) confFile() string { return filepath.Join(a.dir, "apt.conf") }

// configure writes apt's configuration. It is read after the system's, whose
// proxies hold, but not its hooks, which may want root.
func (a apt) configure() error {
	for _, d := range []string{"state/lists/partial", "cache/archives/partial"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			return err
		}
	}
	keyring := keyring()
	if keyring == "" {
		return errors.New("no keys to verify Debian's packages with: run alps-vm setup as root, or install the package debian-archive-keyring")
	}
	mirror := mirror()
	var sources strings.Builder
	for _, suite := range suites {
		// target: the package lists alone, no translations nor descriptions of
		// software.
		fmt.Fprintf(&sources, "deb [arch=amd64 target=Packages signed-by=%s] %s %s main\n", keyring, mirror, suite)
	}
	conf := fmt.Sprintf(`Dir::Etc::sourcelist "%[1]s/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State "%[1]s/state";
Dir::State::lists "%[1]s/state/lists";
Dir::State::status "%[1]s/state/status";
Dir::Cache "%[1]s/cache";
APT::Architecture "amd64";
#clear APT::Architectures;
APT::Architectures { "amd64"; };
Acquire::Languages "none";
Acquire::Retries "2";
#clear APT::Update;
APT::Update::Error-Mode "any";
#clear DPkg::Post-Invoke;
`, a.dir)
	if os.Getuid() == 0 {
		// apt's own user has no way into root's cache directory.
		conf += "APT::Sandbox::User \"root\";\n"
	}
	return errors.Join(
		os.WriteFile(filepath.Join(a.dir, "sources.list"), []byte(sources.String()), 0o644),
		os.WriteFile(filepath.Join(a.dir, "state/status"), nil, 0o644),
		os.WriteFile(a.confFile(), []byte(conf), 0o644),
	)
}

// run runs one of apt's programs. Its errors are the lines that it marks E:.
func (a apt) run(ctx context.Context, dir string, stdout io.Writer, program string, args ...string) error {
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("no %s on this machine to fetch Debian's kernels with: set %s to the path of a vmlinuz", program, kernelVariable)
	}
	cmd := exec.CommandContext(ctx, program, append([]string{"-c", a.confFile()}, args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive")
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = stdout, &stderr
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%s %s: %s", program, args[len(args)-1], aptReason(stderr.String(), err))
	}
	return nil
}

var aptError = regexp.MustCompile(`(?m)^(?:E|Err): ?(.*)$`)

// aptReason is the first error that apt names, else err.
func aptReason(stderr string, err error) string {
	if m := aptError.FindStringSubmatch(stderr); m != nil {
		return m[1]
	}
	return err.Error()
}

// mirror is $ALPS_DEBIAN_MIRROR, else the one that the system itself uses if it
// is a Debian, else Debian's.
func mirror() string {
	if m := os.Getenv(mirrorVariable); m != "" {
		return strings.TrimSuffix(m, "/")
	}
	files, _ := filepath.Glob("/etc/apt/sources.list.d/*")
	for _, name := range append([]string{"/etc/apt/sources.list"}, files...) {
		b, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if m := mirrorIn(b); m != "" {
			return m
		}
	}
	return defaultMirror
}

var (
	oneLineSource = regexp.MustCompile(`^deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)$`)
	stanzaField   = regexp.MustCompile(`^(URIs|Suites|Components|Enabled):\s*(.*)$`)
)

// mirrorIn returns the Debian mirror that an apt sources file names, in the
// one-line or in the stanza format, or "". A mirror of Debian itself is one
// whose path ends in "debian" and that has the component main; those for
// security updates have other packages.
func mirrorIn(sources []byte) string {
	fields := make(map[string]string)
	stanza := func() string {
		defer clear(fields)
		if fields["Enabled"] == "no" {
			return ""
		}
		return debianMirror(fields["URIs"], fields["Suites"], fields["Components"])
	}
	lines := bufio.NewScanner(bytes.NewReader(sources))
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if m := oneLineSource.FindStringSubmatch(line); m != nil {
			if found := debianMirror(m[1], m[2], m[3]); found != "" {
				return found
			}
		} else if m := stanzaField.FindStringSubmatch(line); m != nil {
			fields[m[1]] = m[2]
		} else if line == "" {
			if found := stanza(); found != "" {
				return found
			}
		}
	}
	return stanza()
}

func debianMirror(uris, suite, components string) string {
	uri, _, _ := strings.Cut(uris, " ")
	u, err := url.Parse(uri)
	if err != nil || strings.Contains(suite, "security") {
		return ""
	}
	for c := range strings.FieldsSeq(components) {
		if base := path.Base(u.Path); c == "main" && (base == "debian" || base == "debian.list") {
			return strings.TrimSuffix(uri, "/")
		}
	}
	return ""
}

// unpack copies files out of a Debian package: pick returns the host path for a
// path in the package ("boot/vmlinuz-6.1"), or "" to leave it out. It reads the
// package in one pass and never writes what was not asked for: a kernel's
// modules are hundreds of megabytes.
func unpack(ctx context.Context, deb string, pick func(name string) string) error {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(deb), err)
	}
	readErr := pickFiles(tar.NewReader(out), pick)
	if readErr == nil {
		_, readErr = io.Copy(io.Discard, out)
	} else {
		out.Close()
	}
	if err := cmd.Wait(); err != nil && readErr == nil {
		readErr = fmt.Errorf("%w: %s", err, strings.TrimSpace(stderr.String()))
	}
	if readErr != nil {
		return fmt.Errorf("unpacking %s: %w", filepath.Base(deb), readErr)
	}
	return nil
}

func pickFiles(archive *tar.Reader, pick func(name string) string) error {
	for {
		header, err := archive.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		to := ""
		if header.Typeflag == tar.TypeReg {
			to = pick(path.Clean(header.Name))
		}
		if to == "" {
			continue
		}
		f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, header.FileInfo().Mode().Perm()|0o444)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, archive)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
}
