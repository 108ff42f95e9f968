package tune

// place is a slice in the sequence that a regression tree is grown on.
type place struct {
	ns     float64
	weight float64 // how often it was drawn, at least 1
}

// treeAtNext is what a regression tree (CART: L. Breiman and others, "Classification
// and Regression Trees", 1984) grown on the places, at least one, says of a place
// after all of them. Of the tree only the way to that leaf is grown.
func treeAtNext(places []place) float64 {
	for {
		split := bestSplit(places)
		if split == 0 {
			return places[0].ns
		}
		places = places[split:]
	}
}

// bestSplit is where to divide the places in two such that the squared errors about
// the means of the parts add up to the least: the number of places in the first part.
// It is 0 for a leaf, whose places are one or have equal slices.
func bestSplit(places []place) int {
	var weight, sumNs float64
	equal := true
	for _, p := range places {
		weight += p.weight
		sumNs += float64(p.weight * p.ns)
		equal = equal && p.ns == places[0].ns
	}
	if equal {
		return 0
	}
	// A split takes off the squared errors the squared difference of the parts'
	// means, weighted by left*right/(left+right). With deviations from the mean
	// of all, whose sums are equal but for the sign, that is
	// deviation²*(left+right)/(left*right).
	meanNs := sumNs / weight
	var best, left, deviation float64
	split := 1
	for i, p := range places[:len(places)-1] {
		left += p.weight
		deviation += float64(p.weight * (p.ns - meanNs))
		if gain := deviation / left * deviation / (weight - left); gain > best {
			best, split = gain, i+1
		}
	}
	return split
}
