package stream

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Lines are cut as by strings.Split, whatever stands around the commas.
func TestSplitIsThatOfStrings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := string(rapid.SliceOfN(rapid.OneOf(rapid.Just(byte(',')), rapid.SampledFrom([]byte("+-\xac\x00a9")), rapid.Byte()), 0, 40).Draw(t, "line"))
		want := strings.Split(line, ",")
		got := make([]string, len(want))
		split(got, []byte(line), line)
		if !slices.Equal(got, want) {
			t.Fatalf("%q is cut into %q, want %q", line, got, want)
		}
	})
}
