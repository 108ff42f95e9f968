package stream

import (
	"strings"
	"testing"
)

// refusal is an input that a reader must not take.
type refusal struct {
	name    string
	input   string
	windows int // how many windows come before the error
	want    string
}

var invocationRefusals = []refusal{
	{
		name:  "empty input",
		input: "",
		want:  `stdin:1: the input is empty; a stream begins with a header`,
	}, {
		name:  "blank lines only",
		input: "\n\n\n",
		want:  `stdin:1: the input is empty; a stream begins with a header`,
	}, {
		name:  "missing column",
		input: strings.Replace(invocationHeader, "cpu_ns,", "", 1),
		want:  `stdin:1: column "cpu_ns" is missing`,
	}, {
		name:  "missing columns, after a blank line",
		input: "\nwindow,class,invocation,arrival_ns,end_ns,wait_ns,block_ns,cpus\n",
		want:  `stdin:2: columns "cpu_ns", "util_pct" are missing`,
	}, {
		name:  "column name with a blank",
		input: strings.Replace(invocationHeader, "cpu_ns", " cpu_ns", 1),
		want:  `stdin:1: column "cpu_ns" is missing`,
	}, {
		name:  "column name in capitals",
		input: strings.Replace(invocationHeader, "cpu_ns", "CPU_ns", 1),
		want:  `stdin:1: column "cpu_ns" is missing`,
	}, {
		name:  "doubled column",
		input: strings.Replace(invocationHeader, "cpus", "cpu_ns", 1),
		want:  `stdin:1: column "cpu_ns" stands twice`,
	}, {
		name:  "doubled unknown column",
		input: "x,x," + invocationHeader,
		want:  `stdin:1: column "x" stands twice`,
	}, {
		name:  "column name not UTF-8",
		input: "\xff," + invocationHeader,
		want:  `stdin:1: the column name "\xff" is not UTF-8`,
	}, {
		name:  "not a number",
		input: invocationHeader + "1,1,a,,i,0,x,,0,0,1,0\n",
		want:  `stdin:2: cpu_ns: "x" is not a whole number`,
	}, {
		name:  "second window, after a good one",
		input: invocationHeader + "1,1,a,,i,0,1,,0,0,1,0\n2,1,a,,i,0,1.9,,0,0,1,0\n",
		want:  `stdin:3: cpu_ns: "1.9" is not a whole number`, windows: 1,
	}, {
		name:  "line number after blank lines",
		input: invocationHeader + "\n\n1,2,a,,i,0,1,,0,0,1,0\n\n1,2,a,,j,0,010,,0,0,1,0\n",
		want:  `stdin:6: cpu_ns: "010" has a leading zero`,
	}, {
		name:  "line number after a cell of several lines",
		input: invocationHeader + "1,2,\"a\nb\nc\",,i,0,1,,0,0,1,0\n1,2,a,,j,0,1_000,,0,0,1,0\n",
		want:  `stdin:5: cpu_ns: "1_000" is not a whole number`,
	}, {
		name:  "line of the row where the cell is on a later one",
		input: invocationHeader + "1,1,\"a\nb\",,i,0,+1,,0,0,1,0\n",
		want:  `stdin:2: cpu_ns: "+1" is not a whole number`,
	}, {
		name:  "overflow",
		input: invocationHeader + "1,1,a,,i,9223372036854775808,1,,0,0,1,0\n",
		want:  `stdin:2: arrival_ns: "9223372036854775808" does not fit into 64 bits`,
	}, {
		name:  "negative time",
		input: invocationHeader + "1,1,a,,i,-1,1,,0,0,1,0\n",
		want:  `stdin:2: arrival_ns: "-1" is negative`,
	}, {
		name:  "empty cell",
		input: invocationHeader + "1,1,a,,i,0,1,,,0,1,0\n",
		want:  `stdin:2: wait_ns: the cell is empty`,
	}, {
		name:  "empty class",
		input: invocationHeader + "1,1,,k,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: class: the cell is empty`,
	}, {
		name:  "empty invocation",
		input: invocationHeader + "1,1,a,k,,0,1,,0,0,1,0\n",
		want:  `stdin:2: invocation: the cell is empty`,
	}, {
		name:  "class not UTF-8",
		input: invocationHeader + "1,1,\xe9,k,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: class: "\xe9" is not UTF-8`,
	}, {
		name:  "key not UTF-8",
		input: invocationHeader + "1,1,a,\xe9,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: key: "\xe9" is not UTF-8`,
	}, {
		name:  "unknown cell not UTF-8",
		input: "x," + invocationHeader + "\xe9,1,1,a,,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: x: "\xe9" is not UTF-8`,
	}, {
		name:  "no CPUs",
		input: invocationHeader + "1,1,a,,i,0,1,,0,0,0,0\n",
		want:  `stdin:2: cpus: "0" is less than 1`,
	}, {
		name:  "utilisation over 100",
		input: invocationHeader + "1,1,a,,i,0,1,,0,0,1,100.5\n",
		want:  `stdin:2: util_pct: "100.5" is more than 100`,
	}, {
		name:  "utilisation not a number",
		input: invocationHeader + "1,1,a,,i,0,1,,0,0,1,NaN\n",
		want:  `stdin:2: util_pct: "NaN" is not a decimal number from 0 to 100`,
	}, {
		name:  "row too short",
		input: invocationHeader + "1,1,a,,i,0,1,,0,0,1\n",
		want:  `stdin:2: the row has 11 cells, the header 12`,
	}, {
		name:  "row too long",
		input: invocationHeader + "1,1,a,,i,0,1,,0,0,1,0,9\n",
		want:  `stdin:2: the row has 13 cells, the header 12`,
	}, {
		name:  "bare quote",
		input: invocationHeader + "1,1,a\"b,,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: a quote stands within a cell that is not quoted`,
	}, {
		name:  "quote left open",
		input: invocationHeader + "1,1,\"a,,i,0,1,,0,0,1,0\n1,1,a,,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: a quoted cell is not closed, or text follows its closing quote`,
	}, {
		name:  "text after the closing quote",
		input: invocationHeader + "1,1,\"a\"b,,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: a quoted cell is not closed, or text follows its closing quote`,
	}, {
		name:  "window not a number",
		input: invocationHeader + "w,1,a,,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: window: "w" is not a whole number`,
	}, {
		name:  "no rows",
		input: invocationHeader + "1,0,a,,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: rows: "0" is less than 1`,
	}, {
		name:  "empty rows",
		input: invocationHeader + "1,,a,,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: rows: the cell is empty`,
	}, {
		name:  "rows beyond the bound",
		input: invocationHeader + "1,16777217,a,,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: rows: "16777217" is more than the 16777216 rows that a window may have`,
	}, {
		name:  "rows differ",
		input: invocationHeader + "1,3,a,,i,0,1,,0,0,1,0\n1,2,a,,j,0,1,,0,0,1,0\n",
		want:  `stdin:3: rows: "2" differs from 3 on the rows of window 1 before it`,
	}, {
		name:  "short at the end",
		input: invocationHeader + strings.Repeat("1764000000000,7,a,,i,0,1,,0,0,1,0\n", 3),
		want:  `stdin:4: window 1764000000000 ends after 3 of 7 rows; if rows were left out on purpose, leave out the column rows too`,
	}, {
		name:  "short before the next window",
		input: invocationHeader + "1,2,a,,i,0,1,,0,0,1,0\n2,1,a,,i,0,1,,0,0,1,0\n",
		want:  `stdin:2: window 1 ends after 1 of 2 rows; if rows were left out on purpose, leave out the column rows too`,
	}, {
		name:  "more rows than said",
		input: invocationHeader + "1,1,a,,i,0,1,,0,0,1,0\n1,1,a,,j,0,1,,0,0,1,0\n",
		want:  `stdin:3: window: window 1 goes on after row 1 of 1`, windows: 1,
	}, {
		name:  "window numbers fall",
		input: invocationHeader + "5,1,a,,i,0,1,,0,0,1,0\n-5,1,a,,i,0,1,,0,0,1,0\n",
		want:  `stdin:3: window: "-5" comes after window 5; window numbers must grow, and the rows of a window stand together`, windows: 1,
	}, {
		name:  "scattered rows, without the column rows",
		input: "window,class,invocation,arrival_ns,cpu_ns,end_ns,wait_ns,block_ns,cpus,util_pct\n1,a,i,0,1,,0,0,1,0\n2,a,i,0,1,,0,0,1,0\n1,a,j,0,1,,0,0,1,0\n",
		want:  `stdin:4: window: "1" comes after window 2; window numbers must grow, and the rows of a window stand together`, windows: 2,
	}, {
		name:  "cut in the last cell",
		input: invocationHeader + "1,2,a,,i,0,1,,0,0,1,95\n1,2,a,,i,0,1,,0,0,1,9",
		want:  `stdin:3: the last line of window 1 has no line end, so it may have been cut; end it with a newline`,
	}, {
		name:  "cut in the last cell, after a byte order mark",
		input: "\ufeff" + invocationHeader + "1,1,a,,i,0,1,,0,0,1,9",
		want:  `stdin:2: the last line of window 1 has no line end, so it may have been cut; end it with a newline`,
	}, {
		name:  "beyond the rows that gocsv maps at once",
		input: invocationHeader + strings.Repeat("1,2000,a,,i,0,1,,0,0,1,0\n", 1500) + "1,2000,a,,i,0,x,,0,0,1,0\n",
		want:  `stdin:1502: cpu_ns: "x" is not a whole number`,
	}, {
		name:  "the first of two errors is told",
		input: invocationHeader + "1,2,a,,i,0,x,,0,0,1,0\n1,2,a,,i,0\n",
		want:  `stdin:2: cpu_ns: "x" is not a whole number`,
	},
}

var turnRefusals = []refusal{
	{
		name:  "turns count from 1",
		input: turnHeader + "1,1,a,,i,0,5,0,1,0\n",
		want:  `stdin:2: turn: "0" is less than 1`,
	}, {
		name:  "start negative",
		input: "start_ns," + turnHeader + "-1,1,1,a,,i,1,5,0,1,0\n",
		want:  `stdin:2: start_ns: "-1" is negative`,
	}, {
		name:  "a kind that there is not",
		input: "kind," + turnHeader + "thread,1,1,a,,i,1,5,0,1,0\n",
		want:  `stdin:2: kind: "thread" is neither process, request nor cgroup`,
	}, {
		name:  "the invocations stream",
		input: invocationHeader,
		want:  `stdin:1: columns "turn", "slice_ns" are missing`,
	},
}

var policyRefusals = []refusal{
	{
		name:  "ranks count from 1",
		input: policyHeader + "1,1,a,,0,0,5\n",
		want:  `stdin:2: rank: "0" is less than 1`,
	}, {
		name:  "penalty over 1",
		input: "penalty," + policyHeader + "1.01,1,1,a,,0,1,5\n",
		want:  `stdin:2: penalty: "1.01" is more than 1`,
	}, {
		name:  "penalty with an exponent",
		input: "penalty," + policyHeader + "1e-3,1,1,a,,0,1,5\n",
		want:  `stdin:2: penalty: "1e-3" is not a decimal number from 0 to 1`,
	}, {
		name:  "a column that is there has no empty cells",
		input: "samples," + policyHeader + ",1,1,a,,0,1,5\n",
		want:  `stdin:2: samples: the cell is empty`,
	},
}

var stateRefusals = []refusal{
	{
		name:  "a row of nothing",
		input: stateHeader + "1,1,,a,,i,5,0\n",
		want:  `stdin:2: what: the cell is empty`,
	}, {
		name:  "no class",
		input: stateHeader + "1,1,turn,,,i,5,0\n",
		want:  `stdin:2: class: the cell is empty`,
	}, {
		name:  "slice negative",
		input: stateHeader + "1,1,turn,a,,i,-5,0\n",
		want:  `stdin:2: slice_ns: "-5" is negative`,
	}, {
		name:  "wait not whole",
		input: stateHeader + "1,1,turn,a,,i,5,0.5\n",
		want:  `stdin:2: wait_ns: "0.5" is not a whole number`,
	}, {
		name:  "the turns stream",
		input: turnHeader,
		want:  `stdin:1: column "what" is missing`,
	},
}

func testRefusals[T Row](t *testing.T, refusals []refusal) {
	for _, test := range refusals {
		t.Run(test.name, func(t *testing.T) {
			windows, _, err := readAll[T](test.input)
			wantError(t, err, test.want)
			if len(windows) != test.windows {
				t.Errorf("%d windows before the error, want %d", len(windows), test.windows)
			}
			crlf := strings.ReplaceAll(test.input, "\n", "\r\n")
			if _, _, err := readAll[T](crlf); err == nil || err.Error() != test.want {
				t.Errorf("with CRLF: error %v", err)
			}
		})
	}
}

func TestReaderRefuses(t *testing.T) {
	t.Run("invocations", func(t *testing.T) { testRefusals[Invocation](t, invocationRefusals) })
	t.Run("turns", func(t *testing.T) { testRefusals[Turn](t, turnRefusals) })
	t.Run("policy", func(t *testing.T) { testRefusals[Policy](t, policyRefusals) })
	t.Run("state", func(t *testing.T) { testRefusals[State](t, stateRefusals) })
}
