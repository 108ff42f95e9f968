package load

import (
	"path"
	"strings"

	"alps/internal/patience"
	"alps/internal/stream"
)

// Bounds of a policy. The first three are those of bpf/sched.h.
const (
	MaxSteps      = 8             // rows (from_ns steps) a class
	MaxDepth      = 16            // levels of nested cgroups
	MaxRank       = 1<<20 - 1     // worst rank
	MaxClasses    = 65536         // keys a policy
	MaxSliceNs    = 1_000_000_000 // longest guaranteed slice
	maxComm       = 15            // bytes of a thread's name
	maxCgroupName = 255           // bytes of one component of a cgroup path
)

// A Step says how a class is scheduled once an invocation has used FromNs of
// CPU time.
type Step struct {
	FromNs  uint64
	SliceNs uint64 // guaranteed time slice; 0: none
	Rank    uint32 // 1 is served first
	// DemandNs is the CPU time that an invocation needs in all; 0: not known.
	DemandNs uint64
}

// A Class is what the scheduler knows of one key of the policy.
type Class struct {
	Name  string
	Key   string // as in the policy, such as cgroup:/openfaas-fn/figlet
	Hash  uint64
	Kind  stream.Kind // of its invocations; "" is a process
	Steps []Step      // by FromNs; the first has 0
}

// A Table is a checked policy, ready to be loaded.
type Table struct {
	Window  stream.Integer
	Classes []Class // in the order of their first rows
	Rows    []stream.Policy
}

// Check makes a table of one window of policy. It finds every fault that
// loading could meet, so that a table which passes is loaded whole. Errors are
// of type *stream.Error and name line and column.
func Check(w *stream.Window[stream.Policy]) (*Table, error) {
	t := &Table{Window: w.ID, Rows: w.Rows}
	byKey := make(map[string]int, len(w.Rows))
	byHash := make(map[uint64]string, len(w.Rows))
	for i := range w.Rows {
		row := &w.Rows[i]
		if row.Rank > MaxRank {
			return nil, w.Errorf(i, "rank", "%d is over %d", row.Rank, MaxRank)
		}
		if row.SliceNs > MaxSliceNs {
			return nil, w.Errorf(i, "slice_ns", "%d is over a second", row.SliceNs)
		}
		step := Step{FromNs: uint64(row.FromNs), SliceNs: uint64(row.SliceNs), Rank: uint32(row.Rank), DemandNs: uint64(row.DemandNs)}
		at, seen := byKey[row.Key]
		if !seen {
			hash, fault := parseKey(row.Key)
			if fault != "" {
				return nil, w.Errorf(i, "key", "%q %s", row.Key, fault)
			}
			if other, taken := byHash[hash]; taken {
				return nil, w.Errorf(i, "key", "%q and %q have one hash; rename one of the two", row.Key, other)
			}
			if step.FromNs != 0 {
				return nil, w.Errorf(i, "from_ns", "the first row of %s has to begin at 0", row.Key)
			}
			if len(t.Classes) == MaxClasses {
				return nil, w.Errorf(i, "key", "more than %d keys", MaxClasses)
			}
			byHash[hash] = row.Key
			byKey[row.Key] = len(t.Classes)
			t.Classes = append(t.Classes, Class{Name: string(row.Class), Key: row.Key, Hash: hash, Kind: row.Kind, Steps: []Step{step}})
			continue
		}
		class := &t.Classes[at]
		switch last := class.Steps[len(class.Steps)-1]; {
		case class.Name != string(row.Class):
			return nil, w.Errorf(i, "key", "%s is of class %q and of class %q", row.Key, class.Name, row.Class)
		case class.Kind != row.Kind:
			return nil, w.Errorf(i, "kind", "%s is of kind %q and of kind %q", row.Key, class.Kind, row.Kind)
		case step.FromNs == last.FromNs:
			return nil, w.Errorf(i, "key", "%s has a row from %d ns already", row.Key, step.FromNs)
		case step.FromNs < last.FromNs:
			return nil, w.Errorf(i, "from_ns", "%d comes after %d; the rows of a class go by from_ns", step.FromNs, last.FromNs)
		case len(class.Steps) == MaxSteps:
			return nil, w.Errorf(i, "from_ns", "more than %d rows of %s", MaxSteps, row.Key)
		}
		class.Steps = append(class.Steps, step)
	}
	return t, nil
}

// names is how many classes the policy has; one may have several keys.
func (t *Table) names() uint32 {
	names := make(map[string]bool, len(t.Classes))
	for _, class := range t.Classes {
		names[class.Name] = true
	}
	return uint32(len(names))
}

// stretch is the one that holds, of the one that is asked for: 0 where ranks are
// strict.
func (t *Table) stretch(asked int) uint32 {
	if t.needs(asked) == nil {
		return 0
	}
	return uint32(asked)
}

// needs returns for each rank of the policy the CPU time from which the patience of
// its functions comes; see [patience.NeedByRank]. It returns nil where ranks are to
// be strict: with a stretch of 0, and if some row has no demand.
func (t *Table) needs(stretch int) map[uint32]uint64 {
	if stretch == 0 {
		return nil
	}
	demandNs := make(map[uint32]uint64)
	for _, class := range t.Classes {
		for _, step := range class.Steps {
			if step.DemandNs == 0 {
				return nil
			}
			demandNs[step.Rank] = max(demandNs[step.Rank], step.DemandNs)
		}
	}
	return patience.NeedByRank(demandNs, stretch)
}

// parseKey returns the hash of a key, or what is wrong with it.
func parseKey(key string) (hash uint64, fault string) {
	kind, name, found := strings.Cut(key, ":")
	switch {
	case key == "":
		return 0, "is empty; a policy to be loaded needs the key of each class (cgroup:PATH or comm:NAME)"
	case !found || kind != "cgroup" && kind != "comm":
		return 0, "is neither cgroup:PATH nor comm:NAME"
	case strings.ContainsRune(name, 0):
		return 0, "has a zero byte"
	case kind == "comm" && name == "":
		return 0, "has no name"
	case kind == "comm" && len(name) > maxComm:
		return 0, "has a name of more than 15 bytes, which no thread can have"
	case kind == "comm":
		return hashThreadName(name), ""
	case !strings.HasPrefix(name, "/") || path.Clean(name) != name:
		return 0, "is not an absolute path in its shortest form"
	case name == "/":
		return 0, "is the root cgroup, which holds the system's tasks"
	case strings.Count(name, "/") > MaxDepth:
		return 0, "is nested more than 16 deep"
	}
	for component := range strings.SplitSeq(name[1:], "/") {
		if len(component) > maxCgroupName {
			return 0, "has a component of more than 255 bytes"
		}
	}
	return hashCgroupPath(name), ""
}
