package collect

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"

	"alps/bpf"
	"alps/internal/stream"
)

// kind is a kind of invocation as the kernel side has it: an object of its own,
// with programs and a table.
type kind struct {
	load func() (*ebpf.CollectionSpec, error)
	// table has an entry for each invocation that lives, or may.
	table string
	// perCPU are the arrays with an element for each CPU.
	perCPU []string
	// programs are those of tracepoints, in the order in which they are attached.
	programs []string
	// returns are those that are attached to the return of system calls, after the
	// others, and instead is what is where the kernel cannot do that.
	returns []string
	instead string
	// recovered are those of the programs all of whose events are found out in
	// another way, or by the next, where the kernel leaves them out.
	recovered []string
	// invoked reads the invocations in the table; nil where it cannot tell them.
	invoked func(table *ebpf.Map) (map[processID]bool, error)
	// setUp, if not nil, sets what depends on the options.
	setUp func(spec *ebpf.CollectionSpec, o *Options) error
}

// The names that all objects have in common.
const (
	ringMap         = bpf.CollectMapEnded
	lostMap         = bpf.CollectMapLost
	clocksMap       = bpf.CollectMapClocks
	iteratorProgram = bpf.CollectProgOnLiving
)

// kinds are the kinds of invocations that there are. What begins invocations is
// attached last: then none is known whose end could be missed.
var kinds = map[stream.Kind]*kind{
	stream.Process: {
		load:      bpf.LoadCollect,
		table:     bpf.CollectMapProcesses,
		perCPU:    []string{clocksMap},
		programs:  []string{bpf.CollectProgOnSwitch, bpf.CollectProgOnExec, bpf.CollectProgOnRename, bpf.CollectProgOnFork},
		recovered: []string{bpf.CollectProgOnExec, bpf.CollectProgOnRename, bpf.CollectProgOnFork},
		invoked: readTable(func(_ uint64, p bpf.CollectProcess) (processID, bool) {
			return processID{uint64(p.Tgid), int64(p.StartNs)}, p.Invoked != 0
		}),
	},
	stream.Request: {
		load:     bpf.LoadRequest,
		table:    bpf.RequestMapBursts,
		perCPU:   []string{clocksMap},
		programs: []string{bpf.RequestProgOnSwitch},
		returns: []string{
			bpf.RequestProgOnAccept, bpf.RequestProgOnAccept4,
			bpf.RequestProgOnEpollWait, bpf.RequestProgOnEpollPwait, bpf.RequestProgOnEpollPwait2,
			bpf.RequestProgOnRecvfrom, bpf.RequestProgOnRecvmsg, bpf.RequestProgOnRecvmmsg,
			bpf.RequestProgOnRead, bpf.RequestProgOnReadv,
		},
		instead: bpf.RequestProgOnSysExit,
		// They tell of a thread that it serves requests, until it is known.
		recovered: []string{
			bpf.RequestProgOnRecvfrom, bpf.RequestProgOnRecvmsg, bpf.RequestProgOnRecvmmsg,
			bpf.RequestProgOnRead, bpf.RequestProgOnReadv,
		},
		setUp: setUpRequests,
	},
	stream.Cgroup: {
		load:   bpf.LoadCgroup,
		table:  bpf.CgroupMapSpells,
		perCPU: []string{clocksMap, bpf.CgroupMapStints},
		programs: []string{
			bpf.CgroupProgOnSwitch, bpf.CgroupProgOnFrozen, bpf.CgroupProgOnFreeze, bpf.CgroupProgOnUnfreeze, bpf.CgroupProgOnPopulated,
		},
		invoked: readTable(func(id uint64, s bpf.CgroupSpell) (processID, bool) {
			return processID{id, int64(s.StartNs)}, true
		}),
	},
}

// readTable returns what reads a table of values of one type, each of which may be
// an invocation.
func readTable[T any](id func(key uint64, value T) (processID, bool)) func(*ebpf.Map) (map[processID]bool, error) {
	return func(table *ebpf.Map) (map[processID]bool, error) {
		invoked := map[processID]bool{}
		var key uint64
		var value T
		entries := table.Iterate()
		for entries.Next(&key, &value) {
			if id, ok := id(key, value); ok {
				invoked[id] = true
			}
		}
		return invoked, entries.Err()
	}
}

// checkKind says what is wrong with the options that depend on the kind.
func (o Options) checkKind() error {
	if kinds[o.kind()] == nil {
		return fmt.Errorf("invocation %q: want %s, %s or %s", o.Invocation, stream.Process, stream.Request, stream.Cgroup)
	}
	if o.kind() == stream.Cgroup && (o.Class == ByComm || o.Filter.Comms != nil) {
		return errors.New("an invocation that is a cgroup's has no name; its class is found by its cgroup")
	}
	if o.MinRequest < 0 || o.MergeRequest < 0 {
		return errors.New("times of requests cannot be negative")
	}
	return nil
}

// setUpRequests tells the kernel side what a request is.
func setUpRequests(spec *ebpf.CollectionSpec, o *Options) error {
	if err := checkVersion(oldestForRequests, "collecting requests"); err != nil {
		return err
	}
	waits := spec.Maps[bpf.RequestMapWaits]
	for number, class := range waitCalls {
		waits.Contents = append(waits.Contents, ebpf.MapKV{Key: uint32(number), Value: class})
	}
	return errors.Join(
		spec.Variables[bpf.RequestVarMinRequestNs].Set(uint64(o.MinRequest)),
		spec.Variables[bpf.RequestVarMergeRequestNs].Set(uint64(o.MergeRequest)))
}

// kind is what one invocation is.
func (o Options) kind() stream.Kind {
	if o.Invocation == "" {
		return stream.Process
	}
	return o.Invocation
}
