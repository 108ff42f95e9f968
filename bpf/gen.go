// Package bpf holds the programs that run in the kernel, compiled, and the
// types they share with Go. The objects are committed, so that building needs
// only Go; generating them anew needs clang-19 and libbpf-dev.
package bpf

//go:generate go tool bpf2go -cc clang-19 -target bpfel -cflags "-O2 -g -Wall -Werror -mcpu=v3" -no-global-types -type process -type head -type loss Collect collect.bpf.c
//go:generate go tool bpf2go -cc clang-19 -target bpfel -cflags "-O2 -g -Wall -Werror -mcpu=v3" -no-global-types Sched sched.bpf.c
//go:generate go tool bpf2go -cc clang-19 -target bpfel -cflags "-O2 -g -Wall -Werror -mcpu=v3" -no-global-types -type spell Cgroup cgroup.bpf.c
//go:generate go tool bpf2go -cc clang-19 -target bpfel -cflags "-O2 -g -Wall -Werror -mcpu=v3" -no-global-types -type wait Request request.bpf.c
//go:generate go tool bpf2go -cc clang-19 -target bpfel -cflags "-O2 -g -Wall -Werror -mcpu=v3" -no-global-types -type exec -type place Exec exec.bpf.c

import "hash/fnv"

// SchedHash tells one build of the scheduler's object from another.
func SchedHash() uint64 {
	hash := fnv.New64a()
	hash.Write(_SchedBytes)
	return hash.Sum64()
}
