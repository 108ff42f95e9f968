package rules

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ContainerInfo is what the runtimes know of a container.
type ContainerInfo struct {
	// Cgroup is the container's; its processes may be further below.
	Cgroup string
	// Text is a line key=value for each annotation and label, in order; and
	// one with the name of the runtime, as in docker=NAME.
	Text string
}

// Bounds of what is looked at to find a container.
const (
	maxNamespaces = 256   // of containerd
	maxStates     = 10000 // of containers that runc keeps
	maxFile       = 4 << 20
)

// Container finds the container that a cgroup is, or that it is in. The runtimes
// say what they know in files; which one it is tells the container's id, and
// that is mostly the name of its cgroup. Where it is not, runc's state files,
// which name the cgroup, are searched. The result is nil if no runtime knows of
// a container there.
func (h *Host) Container(cgroup string) (*ContainerInfo, error) {
	if Shared(cgroup) {
		return nil, nil
	}
	h.denied = nil
	paths := upwards(cgroup)
	for _, path := range paths {
		found, err := h.named(path)
		if found != nil || err != nil {
			return found, err
		}
	}
	found := h.search(paths)
	if found == nil && h.denied != nil {
		return nil, fmt.Errorf("%w (%w)", ErrDenied, h.denied)
	}
	return found, nil
}

// missing tells whether an error of a file says that there is none. A file that
// may not be read is none either, but that is remembered.
func (h *Host) missing(err error) bool {
	if errors.Is(err, fs.ErrPermission) {
		h.denied = err
		return true
	}
	return errors.Is(err, fs.ErrNotExist)
}

// upwards is a cgroup and those above it, up to below the root.
func upwards(cgroup string) []string {
	var paths []string
	for ; len(cgroup) > 1; cgroup = filepath.Dir(cgroup) {
		paths = append(paths, cgroup)
	}
	return paths
}

// containerID is the id in the name of a container's cgroup.
func containerID(name string) string {
	id, isScope := strings.CutSuffix(name, ".scope")
	if !isScope {
		return name
	}
	for _, engine := range containerScopes {
		if rest, ok := strings.CutPrefix(id, engine); ok {
			return rest
		}
	}
	return id
}

// isUnique tells whether an id is one that engines draw: no other container of
// any engine has it.
func isUnique(id string) bool {
	return len(id) == 64 && strings.Trim(id, "0123456789abcdef") == ""
}

// named finds a container by the id in the name of its cgroup.
func (h *Host) named(cgroup string) (*ContainerInfo, error) {
	id := containerID(filepath.Base(cgroup))
	var facts facts
	found := false
	for _, place := range h.places(id) {
		f, err := readFacts(filepath.Join(h.root, place.file))
		if h.missing(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !isUnique(id) && !f.isOf(cgroup) {
			continue
		}
		found = true
		facts.lines = append(facts.lines, f.lines...)
		if line := place.line(id, f); line != "" {
			facts.lines = append(facts.lines, line)
		}
	}
	if !found {
		return nil, nil
	}
	return &ContainerInfo{Cgroup: cgroup, Text: facts.text()}, nil
}

// place is a file in which a container of some id may be described.
type place struct {
	file              string
	engine, namespace string
}

// line is what names the container, by its engine.
func (p place) line(id string, f facts) string {
	switch {
	case p.engine == "containerd" && p.namespace == "moby":
		return "" // docker's, which has the name elsewhere
	case p.engine == "containerd":
		return "containerd=" + p.namespace + "/" + id
	case p.engine == "docker" && f.name != "":
		return "docker=" + f.name
	case p.engine == "runc":
		return "runc=" + id
	}
	return ""
}

const (
	containerdBundles = "run/containerd/io.containerd.runtime.v2.task"
	containerdStates  = "run/containerd/runc"
	dockerBundles     = "run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby"
	dockerStates      = "run/docker/runtime-runc/moby"
	dockerContainers  = "var/lib/docker/containers"
	storageContainers = "run/containers/storage/overlay-containers" // CRI-O, podman
	runcStates        = "run/runc"
)

func (h *Host) places(id string) []place {
	var places []place
	for _, namespace := range h.folders(containerdBundles, maxNamespaces) {
		places = append(places, place{filepath.Join(containerdBundles, namespace, id, "config.json"), "containerd", namespace})
	}
	for _, namespace := range h.folders(containerdStates, maxNamespaces) {
		places = append(places, place{filepath.Join(containerdStates, namespace, id, "state.json"), "containerd", namespace})
	}
	return append(places,
		place{file: filepath.Join(dockerBundles, id, "config.json")},
		place{file: filepath.Join(dockerStates, id, "state.json")},
		place{file: filepath.Join(dockerContainers, id, "config.v2.json"), engine: "docker"},
		place{file: filepath.Join(storageContainers, id, "userdata/config.json")},
		place{file: filepath.Join(runcStates, id, "state.json"), engine: "runc"},
	)
}

// folders are the names in a folder, up to a number.
func (h *Host) folders(folder string, atMost int) []string {
	dir, err := os.Open(filepath.Join(h.root, folder))
	if err != nil {
		h.missing(err)
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(atMost)
	slices.Sort(names)
	return names
}

// facts is what one file says of a container.
type facts struct {
	lines   []string
	name    string   // docker's
	cgroups []string // as the runtime names them: ends of paths, or SLICE:PREFIX:NAME
}

// description is the parts in use of an OCI bundle's config.json, of runc's
// state.json and of docker's config.v2.json, of which none has a key of another.
type description struct {
	// config.json
	Annotations map[string]string `json:"annotations"`
	Linux       struct {
		CgroupsPath string `json:"cgroupsPath"`
	} `json:"linux"`
	// state.json
	CgroupPaths map[string]string `json:"cgroup_paths"`
	// config.v2.json, as Config
	Name   string          `json:"Name"`
	Config json.RawMessage `json:"config"`
}

func readFacts(path string) (facts, error) {
	file, err := os.Open(path)
	if err != nil {
		return facts{}, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return facts{}, err
	}
	if info.Size() > maxFile {
		return facts{}, fmt.Errorf("%s has %d bytes: at most %d are read", path, info.Size(), maxFile)
	}
	var d description
	if err := json.NewDecoder(file).Decode(&d); err != nil {
		// Runtimes rename it into place; one that does not is writing it.
		return facts{}, fmt.Errorf("%s: %w: %w", path, fs.ErrNotExist, err)
	}
	return d.facts(), nil
}

func (d *description) facts() facts {
	f := facts{name: clean(strings.TrimPrefix(d.Name, "/"))}
	for key, value := range d.Annotations {
		f.lines = append(f.lines, key+"="+value)
	}
	if d.Linux.CgroupsPath != "" {
		f.cgroups = append(f.cgroups, d.Linux.CgroupsPath)
	}
	for _, path := range d.CgroupPaths {
		f.cgroups = append(f.cgroups, path)
	}
	// runc's labels are a list, which holds the annotations; docker's a map.
	var list struct {
		Labels []string `json:"labels"`
	}
	var named struct {
		Labels map[string]string
	}
	if json.Unmarshal(d.Config, &list) == nil {
		f.lines = append(f.lines, list.Labels...)
	} else if json.Unmarshal(d.Config, &named) == nil {
		for key, value := range named.Labels {
			f.lines = append(f.lines, key+"="+value)
		}
	}
	return f
}

// isOf tells whether a cgroup is that of the container. The runtime may run in
// a cgroup namespace, and see less of the path.
func (f facts) isOf(cgroup string) bool {
	return slices.ContainsFunc(f.cgroups, func(path string) bool { return sameCgroup(path, cgroup) })
}

// sameCgroup compares a path as a runtime writes it with one in the hierarchy.
func sameCgroup(path, cgroup string) bool {
	if parts := strings.Split(path, ":"); len(parts) == 3 { // systemd's SLICE:PREFIX:NAME
		return filepath.Base(cgroup) == parts[1]+"-"+parts[2]+".scope"
	}
	if below, ok := strings.CutPrefix(path, "/sys/fs/cgroup"); ok {
		// cgroup v1 and the hybrid have the controller first.
		_, inside, _ := strings.Cut(strings.TrimPrefix(below, "/"), "/")
		return below == cgroup || "/"+inside == cgroup
	}
	path = "/" + strings.Trim(path, "/")
	return path != "/" && strings.HasSuffix(cgroup, path)
}

// text has each line once. A line break in a value is a space.
func (f facts) text() string {
	parts := make([][]byte, len(f.lines))
	for i, line := range f.lines {
		parts[i] = []byte(line)
	}
	lines := strings.Split(sortedLines(parts), "\n")
	return strings.Join(slices.Compact(lines), "\n")
}

// runcState is a state file that was read.
type runcState struct {
	written time.Time
	cgroups []string
}

// search looks through runc's state files for one of a cgroup: of the deepest of
// the paths that has one.
func (h *Host) search(paths []string) *ContainerInfo {
	type file struct{ place, id string }
	var files []file
	add := func(folder, engine string) {
		for _, id := range h.folders(folder, maxStates) {
			files = append(files, file{filepath.Join(folder, id, "state.json"), engine + id})
		}
	}
	add(runcStates, "runc=")
	for _, namespace := range h.folders(containerdStates, maxNamespaces) {
		add(filepath.Join(containerdStates, namespace), "containerd="+namespace+"/")
	}
	seen := map[string]runcState{}
	var found *ContainerInfo
	for _, file := range files {
		path := filepath.Join(h.root, file.place)
		state, err := h.state(path)
		if err != nil {
			h.missing(err)
			continue
		}
		seen[path] = state
		for _, cgroup := range paths {
			known := facts{cgroups: state.cgroups}
			if !known.isOf(cgroup) || found != nil && len(found.Cgroup) >= len(cgroup) {
				continue
			}
			f, err := readFacts(path)
			if err != nil {
				continue
			}
			f.lines = append(f.lines, file.id)
			found = &ContainerInfo{Cgroup: cgroup, Text: f.text()}
		}
	}
	h.states = seen
	return found
}

// state reads which cgroups a state file names, unless that is known.
func (h *Host) state(path string) (runcState, error) {
	info, err := os.Stat(path)
	if err != nil {
		return runcState{}, err
	}
	if known, ok := h.states[path]; ok && known.written.Equal(info.ModTime()) {
		return known, nil
	}
	f, err := readFacts(path)
	return runcState{written: info.ModTime(), cgroups: f.cgroups}, err
}
