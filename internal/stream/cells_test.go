package stream

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// canonical tells whether the text is an int64 as strconv prints it.
func canonical(text string) bool {
	value, err := strconv.ParseInt(text, 10, 64)
	return err == nil && strconv.FormatInt(value, 10) == text
}

// textOf is the text that a cell, given by a pointer, is written as.
func textOf(cell any) string {
	var t texts
	switch v := cell.(type) {
	case *Integer:
		return strings.TrimSuffix(framePrefix(Frame{Window: *v}), ",0,")
	case *Count:
		return t.whole(int64(*v))
	case *Nanos:
		return t.whole(int64(*v))
	case *Whole:
		return t.whole(int64(*v))
	case *OptNanos:
		return t.optNanos(*v)
	case *Percent:
		return t.decimal(float64(*v))
	case *Factor:
		return t.decimal(float64(*v))
	case *Name:
		return string(*v)
	}
	panic(fmt.Sprintf("%T is no cell", cell))
}

func sorted[T cmp.Ordered](values []T) []T {
	slices.Sort(values)
	return values
}

// cell is any pointer to a cell type.
type cell interface {
	UnmarshalCSV(text string) error
}

func TestCells(t *testing.T) {
	const whole, decimal100, decimal1 = " is not a whole number", " is not a decimal number from 0 to 100", " is not a decimal number from 0 to 1"
	tests := []struct {
		cell cell
		text string
		want string // the error after the quoted text; empty where it is taken
	}{
		{new(Integer), "0", ""},
		{new(Integer), "9223372036854775807", ""},
		{new(Integer), "-9223372036854775808", ""},
		{new(Integer), "9223372036854775808", " does not fit into 64 bits"},
		{new(Integer), "-9223372036854775809", " does not fit into 64 bits"},
		{new(Integer), "18446744073709551616", " does not fit into 64 bits"},
		{new(Integer), "99999999999999999999x", whole},
		{new(Integer), "-", whole},
		{new(Integer), "-0", whole},
		{new(Integer), "--1", whole},
		{new(Integer), "+1", whole},
		{new(Integer), "1.9", whole},
		{new(Integer), "1.0", whole},
		{new(Integer), "1e3", whole},
		{new(Integer), "1_000", whole},
		{new(Integer), "1,000", whole},
		{new(Integer), "0x1f", whole},
		{new(Integer), " 1", whole},
		{new(Integer), "1 ", whole},
		{new(Integer), "\u0661", whole}, // a digit, but not a decimal one of ASCII
		{new(Integer), "010", " has a leading zero"},
		{new(Integer), "-01", " has a leading zero"},
		{new(Integer), "00", " has a leading zero"},
		{new(Count), "1", ""},
		{new(Count), "0", " is less than 1"},
		{new(Count), "-1", " is less than 1"},
		{new(Nanos), "0", ""},
		{new(Nanos), "-1", " is negative"},
		{new(Nanos), "1ms", whole},
		{new(Whole), "0", ""},
		{new(Whole), "-1", " is negative"},
		{new(OptNanos), "", ""},
		{new(OptNanos), "0", ""},
		{new(OptNanos), "7", ""},
		{new(OptNanos), " ", whole},
		{new(OptNanos), "-1", " is negative"},
		{new(Percent), "0", ""},
		{new(Percent), "100", ""},
		{new(Percent), "99.9", ""},
		{new(Percent), "100.1", " is more than 100"},
		{new(Percent), "-1", decimal100},
		{new(Percent), "-0", decimal100},
		{new(Percent), ".5", decimal100},
		{new(Percent), "5.", decimal100},
		{new(Percent), "5.5.5", decimal100},
		{new(Percent), "5,5", decimal100},
		{new(Percent), "1e1", decimal100},
		{new(Percent), "0x1p1", decimal100},
		{new(Percent), "1_0", decimal100},
		{new(Percent), "NaN", decimal100},
		{new(Percent), "Inf", decimal100},
		{new(Percent), "05", " has a leading zero"},
		{new(Factor), "1", ""},
		{new(Factor), "0.25", ""},
		{new(Factor), "1.01", " is more than 1"},
		{new(Factor), "nan", decimal1},
		{new(Name), "a", ""},
		{new(Name), " ", ""},
		{new(Name), "\xff", " is not UTF-8"},
		{new(Name), "a\r\nb", " holds a CR LF, which CSV does not carry"},
	}
	for _, test := range tests {
		err := test.cell.UnmarshalCSV(test.text)
		switch {
		case test.want == "" && err != nil:
			t.Errorf("%T %q: error %v", test.cell, test.text, err)
		case test.want == "":
			if text := textOf(test.cell); text != test.text {
				t.Errorf("%T %q: written as %q", test.cell, test.text, text)
			}
		case err == nil || err.Error() != strconv.Quote(test.text)+test.want:
			t.Errorf("%T %q: error %v, want %q%s", test.cell, test.text, err, test.text, test.want)
		}
	}
	for _, empty := range []cell{new(Integer), new(Count), new(Nanos), new(Whole), new(Percent), new(Factor), new(Name)} {
		if err := empty.UnmarshalCSV(""); err != errEmptyCell {
			t.Errorf("%T of an empty cell: error %v", empty, err)
		}
	}
}

func TestQuoteIsBounded(t *testing.T) {
	if got := quote(string(make([]byte, 1<<20))); len(got) > 300 {
		t.Errorf("an error message repeats %d bytes", len(got))
	}
}
