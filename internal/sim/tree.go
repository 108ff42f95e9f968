package sim

// vtime is a virtual time in ns. Like the kernel's, it is compared by the
// difference of two, so that it may wrap.
type vtime uint64

// firstVtime is where virtual time starts: times may lie before it.
const firstVtime = vtime(1) << 62

func (t vtime) before(u vtime) bool { return t.minus(u) < 0 }
func (t vtime) minus(u vtime) int64 { return int64(t - u) }
func (t vtime) plus(ns int64) vtime { return t + vtime(ns) }

func later(t, u vtime) vtime {
	if t.before(u) {
		return u
	}
	return t
}

// jobTree is a set of jobs, ordered by key and, among equal keys, by when they
// came in. Each job has a second value too, of which every subtree knows the
// least, so that the first job whose value is not over a limit is found in
// O(log n): the search of the kernel's __pick_eevdf.
//
// It is a treap: a binary search tree that is a heap by a random number of each
// node, here a hash of the job, which keeps it balanced without more state.
type jobTree struct {
	nodes []treeNode // by job
	root  int32
	n     int
	came  uint64
}

type treeNode struct {
	key, value, least vtime
	came              uint64
	left, right       int32
	in                bool
}

func newJobTree(jobs int) jobTree { return jobTree{nodes: make([]treeNode, jobs), root: none} }

func (t *jobTree) has(job int32) bool { return t.nodes[job].in }

// first returns the job with the least key, or none.
func (t *jobTree) first() int32 {
	job := t.root
	if job == none {
		return none
	}
	for t.nodes[job].left != none {
		job = t.nodes[job].left
	}
	return job
}

// firstWithin returns the job with the least key of those whose value is not
// over the limit, or none.
func (t *jobTree) firstWithin(limit vtime) int32 {
	job := t.root
	for job != none {
		node := &t.nodes[job]
		switch {
		case limit.before(node.least):
			return none
		case node.left != none && !limit.before(t.nodes[node.left].least):
			job = node.left
		case !limit.before(node.value):
			return job
		default:
			job = node.right
		}
	}
	return none
}

// least returns the least value of a tree that is not empty.
func (t *jobTree) least() vtime { return t.nodes[t.root].least }

func (t *jobTree) insert(job int32, key, value vtime) {
	t.came++
	t.nodes[job] = treeNode{key: key, value: value, least: value, came: t.came, left: none, right: none, in: true}
	t.n++
	t.root = t.insertUnder(t.root, job)
}

func (t *jobTree) remove(job int32) {
	t.nodes[job].in = false
	t.n--
	t.root = t.removeUnder(t.root, job)
}

// order is a job's priority in the heap (the finisher of SplitMix64).
func order(job int32) uint64 {
	x := (uint64(job) + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (t *jobTree) less(a, b int32) bool {
	x, y := &t.nodes[a], &t.nodes[b]
	return x.key.before(y.key) || x.key == y.key && x.came < y.came
}

func (t *jobTree) insertUnder(root, job int32) int32 {
	if root == none {
		return job
	}
	node := &t.nodes[root]
	switch {
	case order(job) > order(root):
		new := &t.nodes[job]
		new.left, new.right = t.split(root, job)
		t.update(job)
		return job
	case t.less(job, root):
		node.left = t.insertUnder(node.left, job)
	default:
		node.right = t.insertUnder(node.right, job)
	}
	t.update(root)
	return root
}

func (t *jobTree) removeUnder(root, job int32) int32 {
	node := &t.nodes[root]
	switch {
	case root == job:
		return t.merge(node.left, node.right)
	case t.less(job, root):
		node.left = t.removeUnder(node.left, job)
	default:
		node.right = t.removeUnder(node.right, job)
	}
	t.update(root)
	return root
}

// split parts a subtree into what is before a job and what is after it.
func (t *jobTree) split(root, at int32) (before, after int32) {
	if root == none {
		return none, none
	}
	node := &t.nodes[root]
	if t.less(root, at) {
		node.right, after = t.split(node.right, at)
		before = root
	} else {
		before, node.left = t.split(node.left, at)
		after = root
	}
	t.update(root)
	return before, after
}

// merge joins two subtrees of which all of a is before all of b.
func (t *jobTree) merge(a, b int32) int32 {
	switch {
	case a == none:
		return b
	case b == none:
		return a
	case order(a) > order(b):
		t.nodes[a].right = t.merge(t.nodes[a].right, b)
		t.update(a)
		return a
	default:
		t.nodes[b].left = t.merge(a, t.nodes[b].left)
		t.update(b)
		return b
	}
}

func (t *jobTree) update(job int32) {
	node := &t.nodes[job]
	node.least = node.value
	for _, child := range [...]int32{node.left, node.right} {
		if child != none && t.nodes[child].least.before(node.least) {
			node.least = t.nodes[child].least
		}
	}
}
