// Package ids numbers the invocations of a window by their ids. alps-sim and alps-tune
// look up the id of each row of a window, which may have millions: as strings in a map
// they would take several times the memory and the time, and the garbage collector would
// look through all of them again and again.
package ids

import (
	"errors"
	"hash/maphash"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// Table numbers ids from 0 in the order in which they are added.
type Table struct {
	Texts
	text   strings.Builder // of the Texts
	places []uint32        // hash table: number + 1, or 0
	seed   maphash.Seed
	looked uint32 // what Hash saw; only so that it looks
}

// Texts are the ids by number.
type Texts struct {
	all  string   // the ids, one after another
	ends []uint32 // where each ends
}

// NewTable returns a table without ids.
func NewTable() *Table { return &Table{seed: maphash.MakeSeed()} }

// Len is how many ids there are.
func (t *Texts) Len() int { return len(t.ends) }

// Of is the id of a number below Len.
func (t *Texts) Of(number int) string {
	var from uint32
	if number > 0 {
		from = t.ends[number-1]
	}
	return t.all[from:t.ends[number]]
}

// Reset empties the table. It keeps its memory, but for that of the Texts, which stay as
// they are.
func (t *Table) Reset() {
	bytes := t.text.Len()
	t.text.Reset()
	t.text.Grow(bytes)
	t.all, t.ends = "", t.ends[:0]
	clear(t.places)
}

// Reserve makes room for so many ids in all.
func (t *Table) Reserve(ids int) {
	t.ends = slices.Grow(t.ends, max(ids-t.Len(), 0))
	if ids <= len(t.places)/2 {
		return
	}
	t.places = make([]uint32, 1<<bits.Len(uint(2*ids)))
	for i := range t.Len() {
		at := t.place(t.Hash(t.Of(i)))
		for t.places[at] != 0 {
			at = t.after(at)
		}
		t.places[at] = uint32(i + 1)
	}
}

// Hash is the hash of an id, for Add. It looks where that belongs in the table, which is
// mostly not in the cache: who hashes the ids of many rows before the first is added does
// not have the CPU wait for one row before it goes on to the next.
func (t *Table) Hash(id string) uint64 {
	hash := maphash.String(t.seed, id)
	t.looked |= t.places[t.place(hash)]
	return hash
}

// ErrTooLong says that the ids of a table take more than 4 GiB.
var ErrTooLong = errors.New("the ids of the window take more than 4 GiB")

// Add returns the number of an id, and whether it had that already. There must be room
// for another one. The only error is [ErrTooLong].
func (t *Table) Add(id string, hash uint64) (number int, again bool, err error) {
	at := t.place(hash)
	for ; t.places[at] != 0; at = t.after(at) {
		if number := int(t.places[at] - 1); t.Of(number) == id {
			return number, true, nil
		}
	}
	if len(id) > math.MaxUint32-t.text.Len() {
		return 0, false, ErrTooLong
	}
	t.text.WriteString(id)
	t.all = t.text.String()
	t.ends = append(t.ends, uint32(len(t.all)))
	t.places[at] = uint32(t.Len())
	return t.Len() - 1, false, nil
}

// Has tells whether an id is in the table.
func (t *Table) Has(id string) bool {
	if t.Len() == 0 {
		return false
	}
	for at := t.place(t.Hash(id)); t.places[at] != 0; at = t.after(at) {
		if t.Of(int(t.places[at]-1)) == id {
			return true
		}
	}
	return false
}

func (t *Table) place(hash uint64) int { return int(hash & uint64(len(t.places)-1)) }
func (t *Table) after(at int) int      { return (at + 1) & (len(t.places) - 1) }
