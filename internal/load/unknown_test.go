package load

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"alps/internal/unknown"
)

// What is made for functions that the policy does not know: for each row its key,
// from_ns, rank and demand_ns.
func TestWithUnknown(t *testing.T) {
	const a, b = "1,a,cgroup:/fn/a,0,3,7,100\n", "1,b,cgroup:/fn/b,0,1,0,20\n"
	var many strings.Builder
	for i := range 16 {
		fmt.Fprintf(&many, "1,c%d,cgroup:/fn/%d,0,%d,0,%d\n", i, i, i+1, 10*(i+1))
	}
	for _, c := range []struct {
		name, rows, functions string
		want                  []string
	}{
		{"by demand", a + b, "", []string{"cgroup:/fn 0 1 20", "cgroup:/fn 20 3 100"}},
		{"a cgroup of one's own", a + b, "/k/pods", []string{"cgroup:/k/pods 0 1 20", "cgroup:/k/pods 20 3 100"}},
		{"none", a + b, NoFunctions, nil},
		{"the least rank counts, not the demand", "1,a,cgroup:/fn/a,0,2,0,10\n1,b,cgroup:/fn/b,0,1,0,90\n", "",
			[]string{"cgroup:/fn 0 2 10", "cgroup:/fn 10 2 90"}},
		{"as many steps as a class may have", many.String(), "", []string{
			"cgroup:/fn 0 2 20", "cgroup:/fn 20 4 40", "cgroup:/fn 40 6 60", "cgroup:/fn 60 8 80",
			"cgroup:/fn 80 10 100", "cgroup:/fn 100 12 120", "cgroup:/fn 120 14 140", "cgroup:/fn 140 16 160"}},
		{"one demand, one step", "1,a,cgroup:/fn/a,0,1,0,10\n1,b,cgroup:/fn/b,0,2,0,10\n", "", []string{"cgroup:/fn 0 1 10"}},
		{"without demands the middle rank", "1,a,cgroup:/fn/a,0,5,0,0\n1,b,cgroup:/fn/b,0,9,0,0\n1,c,cgroup:/fn/c,0,6,0,0\n", "",
			[]string{"cgroup:/fn 0 6 0"}},
		{"names have no parent", "1,a,comm:a,0,1,0,10\n", "", nil},
		{"names may be in a cgroup all the same", "1,a,comm:a,0,1,0,10\n", "/fn", []string{"cgroup:/fn 0 1 10"}},
		{"rows of the policy's own are taken", a + "1,*,cgroup:/fn,0,2,0,30\n", "", []string{"cgroup:/fn 0 2 30"}},
		{"for another cgroup", a + "1,*,cgroup:/fn,0,2,0,30\n1,*,cgroup:/fn,30,4,0,50\n", "/k", []string{"cgroup:/k 0 2 30", "cgroup:/k 30 4 50"}},
		{"and left out", a + "1,*,cgroup:/fn,0,2,0,30\n", NoFunctions, nil},
		{"a class has the cgroup", a + "1,c,cgroup:/fn,0,2,0,30\n", "/fn", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := table(t, c.rows)
			got, err := before.withUnknown(c.functions)
			if err != nil {
				t.Fatal(err)
			}
			var rows []string
			known := 0
			for _, row := range got.Rows {
				if row.Class == unknown.Class {
					rows = append(rows, fmt.Sprintf("%s %d %d %d", row.Key, row.FromNs, row.Rank, row.DemandNs))
				} else {
					known++
				}
			}
			if diff := cmp.Diff(c.want, rows); diff != "" {
				t.Errorf("rows (-want +got):\n%s", diff)
			}
			if want := len(before.Rows) - strings.Count(c.rows, ",*,"); known != want {
				t.Errorf("%d rows of other classes, want %d", known, want)
			}
		})
	}
}

func TestNoRoomForUnknown(t *testing.T) {
	full, err := Check(window(t, manyKeys(MaxClasses)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := full.withUnknown("/fn"); err != nil || len(got.Classes) != MaxClasses {
		t.Errorf("%d classes, %v", len(got.Classes), err)
	}
}

// A function that the policy does not know has the class of the unknown, and none of
// the system's tasks: who is known and better goes before it, and it before who is
// worse. A name that the policy lists counts before that.
func TestUnknownFunctions(t *testing.T) {
	o := guest(t)
	for _, group := range []string{"/alps-test/known", "/alps-test/new"} {
		cgroup(t, group)
	}
	known := start(t, "/alps-test/known", body(t, "known", "spin"))
	stranger := start(t, "/alps-test/new", body(t, "stranger", "spin"))
	with := func(rows string) *Table {
		t.Helper()
		policy, err := table(t, rows).withUnknown("/alps-test")
		if err != nil {
			t.Fatal(err)
		}
		return policy
	}
	load(t, o, with("1,a,cgroup:/alps-test/known,0,1,0,0\n1,*,cgroup:/x,0,2,0,0\n"))
	isFirst(t, known, stranger)
	load(t, o, with("2,a,cgroup:/alps-test/known,0,3,0,0\n2,*,cgroup:/x,0,2,0,0\n"))
	isFirst(t, stranger, known)
	load(t, o, with("3,a,cgroup:/alps-test/known,0,3,0,0\n3,*,cgroup:/x,0,2,0,0\n3,b,comm:stranger,0,4,0,0\n"))
	isFirst(t, known, stranger)
}
