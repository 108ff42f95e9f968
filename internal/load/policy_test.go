package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"alps/internal/patience"
	"alps/internal/stream"
)

const policyHeader = "window,class,key,from_ns,rank,slice_ns,demand_ns\n"

// window is the first window of a policy stream without the column rows.
func window(t *testing.T, rows string) *stream.Window[stream.Policy] {
	t.Helper()
	w, err := stream.NewReader[stream.Policy](strings.NewReader(policyHeader+rows), "stdin").Next()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// table is the checked table of a window.
func table(t *testing.T, rows string) *Table {
	t.Helper()
	checked, err := Check(window(t, rows))
	if err != nil {
		t.Fatal(err)
	}
	return checked
}

func TestCheckRefuses(t *testing.T) {
	deep := "cgroup:" + strings.Repeat("/d", MaxDepth+1)
	var nineSteps strings.Builder
	for step := range MaxSteps + 1 {
		fmt.Fprintf(&nineSteps, "1,a,comm:a,%d,1,0,0\n", step)
	}
	for _, c := range []struct{ name, rows, want string }{
		{"no key", "1,a,comm:a,0,1,0,0\n1,b,,0,2,0,0\n", `stdin:3: key: "" is empty; a policy to be loaded needs the key of each class (cgroup:PATH or comm:NAME)`},
		{"unknown kind", "1,a,pid:7,0,1,0,0\n", `stdin:2: key: "pid:7" is neither cgroup:PATH nor comm:NAME`},
		{"no kind", "1,a,figlet,0,1,0,0\n", `stdin:2: key: "figlet" is neither cgroup:PATH nor comm:NAME`},
		{"kind alone", "1,a,comm,0,1,0,0\n", `stdin:2: key: "comm" is neither cgroup:PATH nor comm:NAME`},
		{"comm without a name", "1,a,comm:,0,1,0,0\n", `stdin:2: key: "comm:" has no name`},
		{"comm too long", "1,a,comm:0123456789abcdef,0,1,0,0\n", `stdin:2: key: "comm:0123456789abcdef" has a name of more than 15 bytes, which no thread can have`},
		{"zero byte", "1,a,comm:a\x00b,0,1,0,0\n", `stdin:2: key: "comm:a\x00b" has a zero byte`},
		{"no path", "1,a,cgroup:,0,1,0,0\n", `stdin:2: key: "cgroup:" is not an absolute path in its shortest form`},
		{"relative path", "1,a,cgroup:fn/a,0,1,0,0\n", `stdin:2: key: "cgroup:fn/a" is not an absolute path in its shortest form`},
		{"slash at the end", "1,a,cgroup:/fn/,0,1,0,0\n", `stdin:2: key: "cgroup:/fn/" is not an absolute path in its shortest form`},
		{"two slashes", "1,a,cgroup://fn,0,1,0,0\n", `stdin:2: key: "cgroup://fn" is not an absolute path in its shortest form`},
		{"dots", "1,a,cgroup:/fn/../a,0,1,0,0\n", `stdin:2: key: "cgroup:/fn/../a" is not an absolute path in its shortest form`},
		{"root", "1,a,cgroup:/,0,1,0,0\n", `stdin:2: key: "cgroup:/" is the root cgroup, which holds the system's tasks`},
		{"too deep", "1,a," + deep + ",0,1,0,0\n", `stdin:2: key: "` + deep + `" is nested more than 16 deep`},
		{"component too long", "1,a,cgroup:/a/" + strings.Repeat("n", maxCgroupName+1) + ",0,1,0,0\n", `stdin:2: key: "cgroup:/a/` + strings.Repeat("n", maxCgroupName+1) + `" has a component of more than 255 bytes`},
		{"two classes of one key", "1,a,comm:a,0,1,0,0\n1,b,comm:a,5,2,0,0\n", `stdin:3: key: comm:a is of class "a" and of class "b"`},
		{"one from_ns twice", "1,a,comm:a,0,1,0,0\n1,b,comm:b,0,2,0,0\n1,a,comm:a,0,3,0,0\n", `stdin:4: key: comm:a has a row from 0 ns already`},
		{"from_ns falls", "1,a,comm:a,0,1,0,0\n1,a,comm:a,9,2,0,0\n1,a,comm:a,8,3,0,0\n", `stdin:4: from_ns: 8 comes after 9; the rows of a class go by from_ns`},
		{"first row not 0", "1,a,comm:a,5,1,0,0\n", `stdin:2: from_ns: the first row of comm:a has to begin at 0`},
		{"too many steps", nineSteps.String(), `stdin:10: from_ns: more than 8 rows of comm:a`},
		{"rank", fmt.Sprintf("1,a,comm:a,0,%d,0,0\n", MaxRank+1), `stdin:2: rank: 1048576 is over 1048575`},
		{"slice", fmt.Sprintf("1,a,comm:a,0,1,%d,0\n", MaxSliceNs+1), `stdin:2: slice_ns: 1000000001 is over a second`},
		{"line after blank lines", "1,a,comm:a,0,1,0,0\n\n\n1,b,comm:,0,2,0,0\n", `stdin:5: key: "comm:" has no name`},
	} {
		t.Run(c.name, func(t *testing.T) {
			checked, err := Check(window(t, c.rows))
			if err == nil {
				t.Fatalf("passes: %+v", checked)
			}
			if err.Error() != c.want {
				t.Errorf("refused with\n%s\nwant\n%s", err, c.want)
			}
		})
	}
}

// What is just within the bounds passes, and becomes what the rows say.
func TestCheckTakes(t *testing.T) {
	deep := "cgroup:" + strings.Repeat("/d", MaxDepth)
	long := "cgroup:/" + strings.Repeat("n", maxCgroupName)
	got := table(t, fmt.Sprintf("1,a,comm:0123456789abcde,0,%d,%d,5\n", MaxRank, MaxSliceNs)+
		"1,b,"+deep+",0,2,0,0\n"+
		"1,a,comm:0123456789abcde,7,3,1,6\n"+
		"1,b,"+long+",0,2,0,0\n")
	want := []Class{
		{Name: "a", Key: "comm:0123456789abcde", Steps: []Step{
			{FromNs: 0, SliceNs: MaxSliceNs, Rank: MaxRank, DemandNs: 5},
			{FromNs: 7, SliceNs: 1, Rank: 3, DemandNs: 6},
		}},
		{Name: "b", Key: deep, Steps: []Step{{Rank: 2}}},
		{Name: "b", Key: long, Steps: []Step{{Rank: 2}}},
	}
	if len(got.Classes) != len(want) {
		t.Fatalf("classes %+v", got.Classes)
	}
	for i, class := range got.Classes {
		if class.Name != want[i].Name || class.Key != want[i].Key || !slices.Equal(class.Steps, want[i].Steps) {
			t.Errorf("class %d is %+v, want %+v", i, class, want[i])
		}
		if hash, _ := parseKey(class.Key); class.Hash != hash || hash == noClass {
			t.Errorf("%s has the hash %#x, want %#x", class.Key, class.Hash, hash)
		}
	}
	if got.Window != 1 || len(got.Rows) != 4 {
		t.Errorf("window %d of %d rows, want 1 of 4", got.Window, len(got.Rows))
	}
}

func TestCheckMostSteps(t *testing.T) {
	var rows strings.Builder
	for step := range MaxSteps {
		fmt.Fprintf(&rows, "1,a,comm:a,%d,1,0,0\n", step)
	}
	if got := table(t, rows.String()); len(got.Classes[0].Steps) != MaxSteps {
		t.Errorf("%+v", got.Classes)
	}
}

// manyKeys are n rows, each of a class of its own, in cgroups.
func manyKeys(n int) string {
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, "1,f%d,cgroup:/fn/f%d,0,%d,0,%d\n", i, i, i+1, i+1)
	}
	return rows.String()
}

func TestCheckMostKeys(t *testing.T) {
	if inGuest {
		t.Skip("is the same on any kernel, and slow in emulation")
	}
	if got := table(t, manyKeys(MaxClasses)); len(got.Classes) != MaxClasses {
		t.Errorf("%d classes, want %d", len(got.Classes), MaxClasses)
	}
	_, err := Check(window(t, manyKeys(MaxClasses+1)))
	if want := "stdin:65538: key: more than 65536 keys"; err == nil || err.Error() != want {
		t.Errorf("%d keys: %v, want %s", MaxClasses+1, err, want)
	}
}

func TestNeeds(t *testing.T) {
	for _, c := range []struct {
		name, rows string
		stretch    int
		want       map[uint32]uint64
	}{
		{"the demand", "1,a,comm:a,0,1,0,100\n1,b,comm:b,0,2,0,300\n", 15, map[uint32]uint64{1: 100, 2: 300}},
		{"no less than a better rank's", "1,a,comm:a,0,1,0,300\n1,b,comm:b,0,2,0,100\n1,c,comm:c,0,3,0,301\n", 2, map[uint32]uint64{1: 300, 2: 300, 3: 301}},
		{"the longest of a rank's", "1,a,comm:a,0,4,0,10\n1,b,comm:b,0,4,0,30\n1,c,comm:c,0,4,0,20\n", 1, map[uint32]uint64{4: 30}},
		{"steps have ranks of their own", "1,a,comm:a,0,1,0,10\n1,a,comm:a,50,3,0,90\n1,b,comm:b,0,2,0,20\n", 1, map[uint32]uint64{1: 10, 2: 20, 3: 90}},
		{"at most an hour's stretch", "1,a,comm:a,0,1,0,5\n1,b,comm:b,0,2,0,9223372036854775807\n", 1000, map[uint32]uint64{1: 5, 2: patience.MaxNs / 1000}},
		{"strict with a stretch of 0", "1,a,comm:a,0,1,0,100\n", 0, nil},
		{"strict without a demand", "1,a,comm:a,0,1,0,100\n1,b,comm:b,0,2,0,0\n", 15, nil},
		{"strict without a step's demand", "1,a,comm:a,0,1,0,100\n1,a,comm:a,7,2,0,0\n", 15, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := table(t, c.rows).needs(c.stretch)
			if (got == nil) != (c.want == nil) || !maps.Equal(got, c.want) {
				t.Errorf("needs %v, want %v", got, c.want)
			}
		})
	}
}

// Where ranks are strict, nothing is needed and nothing stretches.
func TestRecords(t *testing.T) {
	rows := "1,a,comm:a,0,1,11,100\n1,b,comm:b,0,3,0,200\n1,a,comm:a,50,2,12,300\n"
	for stretch, want := range map[int][]stepRecord{
		0: {{0, 11, 0, 1, 0}, {50, 12, 0, 2, 0}, {0, 0, 0, 3, 0}},
		2: {{0, 11, 100, 1, 2}, {50, 12, 300, 2, 2}, {0, 0, 300, 3, 2}},
	} {
		checked := table(t, rows)
		got := checked.records(classRecord{Generation: 7, ExpiresNs: 9}, stretch)
		if len(got.keys) != 3 || got.keys[0] != noClass || got.keys[1] != checked.Classes[0].Hash || got.keys[2] != checked.Classes[1].Hash {
			t.Errorf("keys %#x", got.keys)
		}
		entries := []classRecord{
			{Generation: 7, ExpiresNs: 9},
			{Generation: 7, ExpiresNs: 9, StepsLen: 2, Steps: [MaxSteps]stepRecord{want[0], want[1]}},
			{Generation: 7, ExpiresNs: 9, StepsLen: 1, Steps: [MaxSteps]stepRecord{want[2]}},
		}
		if !slices.Equal(got.records, entries) {
			t.Errorf("stretch %d: %+v\nwant %+v", stretch, got.records, entries)
		}
	}
}
