package stream

import (
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const contractFile = "../../docs/pipeline.md"

// cellTypes is what the contract calls the cell types.
var cellTypes = map[reflect.Type]string{
	reflect.TypeFor[Integer]():  "integer",
	reflect.TypeFor[Count]():    "count",
	reflect.TypeFor[Whole]():    "whole",
	reflect.TypeFor[Nanos]():    "ns",
	reflect.TypeFor[OptNanos](): "ns or empty",
	reflect.TypeFor[Percent]():  "percent",
	reflect.TypeFor[Factor]():   "factor",
	reflect.TypeFor[Name]():     "name",
	reflect.TypeFor[Kind]():     "kind",
	reflect.TypeFor[string]():   "text",
}

// The tables of the contract have the columns of the row types, in their
// order, with their types, and its examples are streams.
func TestContractIsTheCode(t *testing.T) {
	t.Run("invocations", testContract[Invocation])
	t.Run("turns", testContract[Turn])
	t.Run("policy", testContract[Policy])
	t.Run("state", testContract[State])
}

func testContract[T Row](t *testing.T) {
	_, name, _ := strings.Cut(t.Name(), "/")
	section := contractSection(t, "## `"+name+"`\n")

	type documented struct{ Name, Type, Optional string }
	var want, got []documented
	for _, field := range reflect.VisibleFields(reflect.TypeFor[T]()) {
		if !field.Anonymous {
			want = append(want, documented{field.Tag.Get("csv"), cellTypes[field.Type], field.Tag.Get("stream")})
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\| ([a-z ]+) \\| ?([a-z]*) \\| .* \\|$").FindAllStringSubmatch(section, -1) {
		got = append(got, documented{row[1], row[2], row[3]})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("columns (-code +%s):\n%s", contractFile, diff)
	}

	examples := regexp.MustCompile("(?s)```csv\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(examples) == 0 {
		t.Error("no example")
	}
	for _, example := range examples {
		windows, warnings, err := readAll[T](example[1])
		if err != nil || warnings != "" || len(windows) == 0 {
			t.Errorf("%d windows, warnings %q, error %v, of the example\n%s", len(windows), warnings, err, example[1])
		}
	}
}

// The contract's filter makes of the invocations in it a stream of one class.
func TestContractFilter(t *testing.T) {
	filter := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(contractSection(t, "## Filters\n"))
	example := regexp.MustCompile("(?s)```csv\n(.*?)```").FindStringSubmatch(contractSection(t, "## `invocations`\n"))
	if filter == nil || example == nil {
		t.Fatal("no filter, or no example to run it on")
	}
	shell := exec.Command("sh", "-c", filter[1])
	shell.Stdin = strings.NewReader(example[1])
	out, err := shell.Output()
	if err != nil {
		t.Fatal(err)
	}
	windows, warnings, err := readAll[Invocation](string(out))
	if diff := cmp.Diff([]int{2}, sizes(windows)); diff != "" || warnings != "" || err != nil {
		t.Errorf("warnings %q, error %v, rows of the windows (-want +got):\n%s", warnings, err, diff)
	}
}

// contractSection returns the contract from a heading to the next.
func contractSection(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile(contractFile)
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), heading)
	if !found {
		t.Fatalf("%s has no section %q", contractFile, heading)
	}
	section, _, _ = strings.Cut(section, "\n## ")
	return section
}
