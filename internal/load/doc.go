// Package load is the last stage of the pipeline: it checks a window of the
// policy stream and puts it in force.
//
// The scheduler (bpf/sched.bpf.c) lives in the kernel and outlives the tool:
// its maps and its link are pinned in one directory of a BPF file system. The
// link is pinned last and removed first, so a directory without it is debris
// of a loader that was stopped half-way: the kernel has dropped the scheduler
// by then, and the next load begins anew.
//
//	t, err := load.Check(window)
//	if err != nil { … }
//	err = load.Options{Pins: "/sys/fs/bpf/alps"}.Load(t)
package load
