package sim

// entry is what the heaps hold: a time and, to break ties, the place of a job
// in the order of arrival.
type entry struct {
	key   int64
	place int
}

func (e entry) less(f entry) bool {
	return e.key < f.key || e.key == f.key && e.place < f.place
}

// mirrored turns the order round: a heap of mirrored entries has the greatest
// on top. Mirroring twice gives the entry again.
func (e entry) mirrored() entry { return entry{-e.key, -e.place} }

// heap is a binary min-heap; h[0] is the least entry. It is not container/heap
// because the interface calls there cost more than the whole simulation.
type heap []entry

func (h *heap) push(e entry) {
	*h = append(*h, e)
	s := *h
	i := len(s) - 1
	for i > 0 {
		parent := (i - 1) / 2
		if !e.less(s[parent]) {
			break
		}
		s[i] = s[parent]
		i = parent
	}
	s[i] = e
}

// pop removes and returns the least entry. The heap must not be empty.
func (h *heap) pop() entry {
	s := *h
	top := s[0]
	n := len(s) - 1
	e := s[n]
	s = s[:n]
	*h = s
	if n == 0 {
		return top
	}
	i := 0
	for {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && s[child+1].less(s[child]) {
			child++
		}
		if !s[child].less(e) {
			break
		}
		s[i] = s[child]
		i = child
	}
	s[i] = e
	return top
}
