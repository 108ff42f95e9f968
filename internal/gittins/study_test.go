package gittins

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// The study's columns: what the CPU is served by.
const (
	srpt       = iota // the demand of each job is known
	staticMean        // the mean of the class's samples
	plain             // the index of the samples
	spread            // the index of the spread samples
	inSteps           // the same in 8 steps
	columns
)

var columnNames = [columns]string{"SRPT", "mean", "plain", "spread", "8 steps"}

// study returns by how much percent the mean turnaround is longer than if the
// distribution of each class were known, for each number of samples seen.
func study(s shape, samples []int, repetitions int) [][columns]float64 {
	var known float64
	sums := make([][columns]float64, len(samples))
	for seed := range uint64(repetitions) {
		r := rand.New(rand.NewPCG(seed, 1))
		w := newWorkload(s, 30, 6000, 0.8, r)
		known += meanTurnaroundNs(w.jobs, indexes(w.known(200), plainIndex))
		srptNs := meanTurnaroundNs(w.jobs, nil)
		for i, n := range samples {
			seen := w.seen(n, r)
			sums[i][srpt] += srptNs
			sums[i][staticMean] += meanTurnaroundNs(w.jobs, indexes(seen, meanIndex))
			sums[i][plain] += meanTurnaroundNs(w.jobs, indexes(seen, plainIndex))
			sums[i][spread] += meanTurnaroundNs(w.jobs, indexes(seen, func(samplesNs []int64) indexFunction {
				return must(Spread(samplesNs))
			}))
			sums[i][inSteps] += meanTurnaroundNs(w.jobs, indexes(seen, func(samplesNs []int64) indexFunction {
				return must(Spread(samplesNs)).Steps(8)
			}))
		}
	}
	for i := range sums {
		for c := range sums[i] {
			sums[i][c] = 100 * (sums[i][c]/known - 1)
		}
	}
	return sums
}

func must(samplesNs []int64) *Distribution {
	d, err := New(samplesNs)
	if err != nil {
		panic(err)
	}
	return d
}

func plainIndex(samplesNs []int64) indexFunction { return must(samplesNs) }

func meanIndex(samplesNs []int64) indexFunction {
	var sum float64
	for _, ns := range samplesNs {
		sum += float64(ns)
	}
	return never(sum / float64(len(samplesNs)))
}

func indexes(samplesNs [][]int64, index func(samplesNs []int64) indexFunction) []indexFunction {
	all := make([]indexFunction, len(samplesNs))
	for class := range all {
		all[class] = index(samplesNs[class])
	}
	return all
}

// TestStudy prints, with -v, the table of the package comment.
func TestStudy(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	samples := []int{1, 3, 10, 50}
	var table strings.Builder
	fmt.Fprintf(&table, "%-15s %7s", "", "samples")
	for _, name := range columnNames {
		fmt.Fprintf(&table, " %8s", name)
	}
	for _, s := range shapes {
		rows := study(s, samples, 3)
		for i, row := range rows {
			fmt.Fprintf(&table, "\n%-15s %7d", s.name, samples[i])
			for _, percent := range row {
				fmt.Fprintf(&table, " %+8.1f", percent)
			}
		}
		switch s.name {
		case "lognormal 1.5":
			if got := rows[1][inSteps]; got > 40 {
				t.Errorf("%s, 3 samples: in steps %+.1f%%", s.name, got)
			}
			continue
		case "lognormal 0.15":
		default:
			continue
		}
		for i, row := range rows {
			if row[spread] > 4 || row[inSteps] > 8 || samples[i] <= 10 && row[spread] > row[plain]-5 {
				t.Errorf("%d samples: spread %+.1f%%, in steps %+.1f%%, plain %+.1f%%", samples[i], row[spread], row[inSteps], row[plain])
			}
		}
	}
	t.Log("mean turnaround, % over that with known distributions\n" + table.String())
}
