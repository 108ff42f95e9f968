package stream

import (
	"io"
	"strings"
	"testing"
)

const noUtil = "window,rows,class,invocation,turn,slice_ns,wait_ns,cpus\n"

func TestOptional(t *testing.T) {
	r := NewReader[Turn](strings.NewReader(noUtil+"1,1,a,i,1,5,0,2\n"), "stdin", Optional("util_pct"))
	w, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if row := w.Rows[0]; row.UtilPct != 0 || row.CPUs != 2 {
		t.Errorf("row is %+v", row)
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("error is %v, want EOF", err)
	}

	// Where it is there, it is as ever.
	r = NewReader[Turn](strings.NewReader("util_pct,"+noUtil+"NaN,1,1,a,i,1,5,0,2\n"), "stdin", Optional("util_pct"))
	_, err = r.Next()
	wantError(t, err, `stdin:2: util_pct: "NaN" is not a decimal number from 0 to 100`)

	// The others must be there.
	r = NewReader[Turn](strings.NewReader(strings.Replace(noUtil, "cpus", "cpu", 1)), "stdin", Optional("util_pct"))
	_, err = r.Next()
	wantError(t, err, `stdin:1: column "cpus" is missing`)
}

func TestHint(t *testing.T) {
	tests := []struct{ header, want string }{
		{noUtil, `stdin:1: column "util_pct" is missing; --util PCT gives it`},
		{strings.Replace(noUtil, "turn,", "", 1), `stdin:1: columns "turn", "util_pct" are missing`},
		{strings.Replace("util_pct,"+noUtil, "turn,", "", 1), `stdin:1: column "turn" is missing`},
	}
	for _, test := range tests {
		r := NewReader[Turn](strings.NewReader(test.header), "stdin", Hint("util_pct", "--util PCT gives it"))
		_, err := r.Next()
		wantError(t, err, test.want)
	}
}
