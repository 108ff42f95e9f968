package load

import (
	"encoding/binary"
	"strings"
)

// The constants and the arithmetic of bpf/sched.h.
const (
	hashCgroup = 0x9ae16a3b2f90404f
	hashComm   = 0xc3a5c85c97cb3127
	hashFactor = 0x9fb21c651e98df25
)

func hashWord(hash, word uint64) uint64 {
	hash ^= word
	hash *= hashFactor
	return hash ^ hash>>32
}

// hashPadded hashes a text in words of 8 bytes, the last one padded with
// zeros, and at least minWords of them.
func hashPadded(hash uint64, text string, minWords int) uint64 {
	for n := 0; len(text) > 0 || n < minWords; n++ {
		var word [8]byte
		text = text[copy(word[:], text):]
		hash = hashWord(hash, binary.NativeEndian.Uint64(word[:]))
	}
	return hash
}

// hashCgroupPath is the hash of a clean absolute cgroup path.
func hashCgroupPath(path string) uint64 {
	hash := uint64(hashCgroup)
	for name := range strings.SplitSeq(path[1:], "/") {
		hash = hashWord(hashPadded(hash, name, 0), '/')
	}
	return hash
}

// hashThreadName is the hash of a thread's name as the kernel keeps it.
func hashThreadName(comm string) uint64 {
	return hashPadded(hashComm, comm, 2)
}
