package evaluate

import "math"

// Errors is how far predictions were off the turns that came after them.
type Errors struct {
	// Turns is how many turns were judged.
	Turns int
	// New is how many were not, as nothing was predicted: their class was in none
	// of the windows learnt from.
	New int
	// Zero is how many of Turns lasted 0 ns. They are in all figures but the mean
	// absolute error, which is in percent of the turn.
	Zero int

	within       int     // off by at most withinShare of the turn
	absolutes    float64 // sum of the absolute errors, as shares of the turns
	sliceSumNs   float64
	predictSumNs float64
}

// withinShare of a turn is how far off a prediction may be to be near enough.
const withinShare = 0.2

// judge counts a turn of which a slice was predicted.
func (e *Errors) judge(predictedNs, sliceNs int64) {
	e.Turns++
	off := math.Abs(float64(predictedNs) - float64(sliceNs))
	if off <= withinShare*float64(sliceNs) {
		e.within++
	}
	e.sliceSumNs += float64(sliceNs)
	e.predictSumNs += float64(predictedNs)
	if sliceNs == 0 {
		e.Zero++
		return
	}
	e.absolutes += off / float64(sliceNs)
}

func (e *Errors) add(other Errors) {
	e.Turns += other.Turns
	e.New += other.New
	e.Zero += other.Zero
	e.within += other.within
	e.absolutes += other.absolutes
	e.sliceSumNs += other.sliceSumNs
	e.predictSumNs += other.predictSumNs
}

// MeanAbsolutePct is the mean of the absolute errors, each in percent of its
// turn. NaN if no turn that lasted was judged.
func (e *Errors) MeanAbsolutePct() float64 { return 100 * e.absolutes / float64(e.Turns-e.Zero) }

// BiasPct is by how much the predicted slices are longer, all in all, than the
// turns, in percent of these: below 0 if they are shorter. NaN if no turn that
// lasted was judged.
func (e *Errors) BiasPct() float64 {
	if e.sliceSumNs == 0 {
		return math.NaN()
	}
	return 100 * (e.predictSumNs/e.sliceSumNs - 1)
}

// WithinPct is the share of the turns whose prediction was off by no more than
// 20% of the turn. NaN if none was judged.
func (e *Errors) WithinPct() float64 { return 100 * float64(e.within) / float64(e.Turns) }
