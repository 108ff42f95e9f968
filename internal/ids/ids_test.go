package ids

import (
	"testing"

	"pgregory.net/rapid"
)

// A table numbers ids as a map does, however its memory grows and what was in it before.
func TestTableIsAMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable()
		for range rapid.IntRange(1, 3).Draw(t, "windows") {
			numbers := make(map[string]int)
			var want []string
			for _, id := range rapid.SliceOf(rapid.StringMatching(`[a-c]{0,5}`)).Draw(t, "ids") {
				table.Reserve(table.Len() + rapid.IntRange(1, 100).Draw(t, "room"))
				number, known := numbers[id]
				if table.Has(id) != known {
					t.Fatalf("%q is in it: %v, want %v", id, !known, known)
				}
				if !known {
					number = len(want)
					numbers[id] = number
					want = append(want, id)
				}
				got, again, err := table.Add(id, table.Hash(id))
				if got != number || again != known || err != nil {
					t.Fatalf("%q has number %d, again %v, error %v; want %d, %v", id, got, again, err, number, known)
				}
			}
			texts := table.Texts
			if texts.Len() != len(want) {
				t.Fatalf("%d ids, want %d", texts.Len(), len(want))
			}
			for i, id := range want {
				if got := texts.Of(i); got != id {
					t.Fatalf("number %d is %q, want %q", i, got, id)
				}
			}
			table.Reset()
			if table.Len() != 0 || len(want) > 0 && table.Has(want[0]) {
				t.Fatal("it is not empty after Reset")
			}
		}
	})
}

// What was taken out of a table stays after Reset, when others take its place.
func TestTextsOutliveReset(t *testing.T) {
	table := NewTable()
	table.Reserve(2)
	table.Add("first", table.Hash("first"))
	first := table.Of(0)
	table.Reset()
	table.Add("other", table.Hash("other"))
	if first != "first" || table.Of(0) != "other" {
		t.Errorf("they are %q and %q", first, table.Of(0))
	}
}
