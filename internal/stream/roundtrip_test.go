package stream

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Generators of the cells, over all that each may hold.
var (
	anyInteger = rapid.Int64()
	anyNanos   = rapid.Map(rapid.Int64Range(0, math.MaxInt64), func(v int64) Nanos { return Nanos(v) })
	anyWhole   = rapid.Map(rapid.Int64Range(0, math.MaxInt64), func(v int64) Whole { return Whole(v) })
	anyCount   = rapid.Map(rapid.Int64Range(1, math.MaxInt64), func(v int64) Count { return Count(v) })
	anyPercent = rapid.Map(rapid.Float64Range(0, 100), func(v float64) Percent { return Percent(v) })
	anyFactor  = rapid.Map(rapid.Float64Range(0, 1), func(v float64) Factor { return Factor(v) })
	anyText    = rapid.Map(rapid.OneOf(rapid.String(), rapid.StringMatching(`[a ,;"\r\n\\\t-]*`)), func(v string) string {
		return crlf.ReplaceAllString(v, "\n")
	})
	anyKind     = rapid.SampledFrom([]Kind{"", Process, Request, Cgroup})
	anyName     = rapid.Map(anyText.Filter(func(v string) bool { return v != "" }), func(v string) Name { return Name(v) })
	anyOptNanos = rapid.Custom(func(t *rapid.T) OptNanos {
		if rapid.Bool().Draw(t, "absent") {
			return OptNanos{}
		}
		return OptNanos{anyNanos.Draw(t, "nanos"), true}
	})
)

// crlf is what CSV does not carry, and what would become it.
var crlf = regexp.MustCompile(`\r+\n`)

func anyInvocation(t *rapid.T) Invocation {
	return Invocation{
		Class: anyName.Draw(t, "class"), Key: anyText.Draw(t, "key"), Invocation: anyName.Draw(t, "invocation"),
		ArrivalNs: anyNanos.Draw(t, "arrival"), CPUNs: anyNanos.Draw(t, "cpu"), EndNs: anyOptNanos.Draw(t, "end"), BeginNs: anyOptNanos.Draw(t, "begin"),
		Sleeps: anyWhole.Draw(t, "sleeps"), Switches: anyWhole.Draw(t, "switches"), Lost: anyWhole.Draw(t, "lost"), Kind: anyKind.Draw(t, "kind"),
		WaitNs: anyNanos.Draw(t, "wait"), BlockNs: anyNanos.Draw(t, "block"),
		CPUs: anyCount.Draw(t, "cpus"), UtilPct: anyPercent.Draw(t, "util"),
	}
}

func anyTurn(t *rapid.T) Turn {
	return Turn{
		Class: anyName.Draw(t, "class"), Key: anyText.Draw(t, "key"), Invocation: anyName.Draw(t, "invocation"),
		Turn: anyCount.Draw(t, "turn"), SliceNs: anyNanos.Draw(t, "slice"), WaitNs: anyNanos.Draw(t, "wait"),
		CPUs: anyCount.Draw(t, "cpus"), UtilPct: anyPercent.Draw(t, "util"), StartNs: anyOptNanos.Draw(t, "start"), Kind: anyKind.Draw(t, "kind"),
	}
}

func anyPolicy(t *rapid.T) Policy {
	return Policy{
		Class: anyName.Draw(t, "class"), Key: anyText.Draw(t, "key"), FromNs: anyNanos.Draw(t, "from"),
		Rank: anyCount.Draw(t, "rank"), SliceNs: anyNanos.Draw(t, "slice"), Samples: anyWhole.Draw(t, "samples"),
		PredictedNs: anyNanos.Draw(t, "predicted"), StdevNs: anyNanos.Draw(t, "stdev"), Penalty: anyFactor.Draw(t, "penalty"),
		WaitNs: anyNanos.Draw(t, "wait"), LastNs: anyNanos.Draw(t, "last"), DemandNs: anyNanos.Draw(t, "demand"), Kind: anyKind.Draw(t, "kind"),
	}
}

func anyState(t *rapid.T) State {
	return State{
		What: anyName.Draw(t, "what"), Class: anyName.Draw(t, "class"), Key: anyText.Draw(t, "key"),
		Invocation: anyText.Draw(t, "invocation"), SliceNs: anyNanos.Draw(t, "slice"), WaitNs: anyOptNanos.Draw(t, "wait"), Kind: anyKind.Draw(t, "kind"),
	}
}

// What is written is read as it was.
func TestRoundTrip(t *testing.T) {
	t.Run("invocations", rapid.MakeCheck(func(t *rapid.T) { checkRoundTrip(t, anyInvocation) }))
	t.Run("turns", rapid.MakeCheck(func(t *rapid.T) { checkRoundTrip(t, anyTurn) }))
	t.Run("policy", rapid.MakeCheck(func(t *rapid.T) { checkRoundTrip(t, anyPolicy) }))
	t.Run("state", rapid.MakeCheck(func(t *rapid.T) { checkRoundTrip(t, anyState) }))
}

func checkRoundTrip[T Row](t *rapid.T, anyRow func(*rapid.T) T) {
	var out strings.Builder
	var want []window[T]
	writer := NewWriter[T](&out)
	ids := rapid.SliceOfNDistinct(anyInteger, 0, 4, rapid.ID[int64]).Draw(t, "ids")
	for _, id := range sorted(ids) {
		w := window[T]{ID: Integer(id), Rows: rapid.SliceOfN(rapid.Custom(anyRow), 1, 4).Draw(t, "rows")}
		if err := writer.Write(w.ID, w.Rows); err != nil {
			t.Fatalf("writing: %v", err)
		}
		want = append(want, w)
	}
	if err := writer.Close(); err != nil {
		t.Fatalf("closing: %v", err)
	}
	got, warnings, err := readAll[T](out.String())
	if err != nil || warnings != "" {
		t.Fatalf("reading: error %v, warnings %q", err, warnings)
	}
	for i := range got {
		got[i].Lines = nil
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("stream %q (-want +got):\n%s", out.String(), diff)
	}
}

// A whole number is taken exactly if it is what strconv would have printed.
func TestWholeNumbersAreCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(
			rapid.StringMatching(`[-+]?[0-9_. eExX]{0,21}`),
			rapid.StringMatching(`-?[1-9][0-9]{17,19}`),
			rapid.Map(anyInteger, func(v int64) string { return textOf((*Integer)(&v)) }),
		).Draw(t, "text")
		var value Integer
		err := value.UnmarshalCSV(text)
		if (err == nil) != canonical(text) {
			t.Fatalf("%q: error %v", text, err)
		}
		if err == nil && textOf(&value) != text {
			t.Fatalf("%q read as %d", text, value)
		}
	})
}
