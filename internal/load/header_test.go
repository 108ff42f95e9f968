package load

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"alps/bpf"
	"alps/internal/patience"
)

// hashGoldens are hashes as the C header computes them; TestHeader computes
// them anew.
var hashGoldens = []struct {
	key  string
	hash uint64
}{
	{"comm:a", 0xc7897695f2aced92},
	{"comm:fn-resize", 0x6dd9ad506d95866d},
	{"comm:12345678", 0xaf8c0c2b00037843},
	{"comm:0123456789abcde", 0x9c987d64eccf8309},
	{"cgroup:/a", 0xecb3dcbf3ed61f},
	{"cgroup:/openfaas-fn/figlet", 0x4c4249b27b746003},
	{"cgroup:/12345678/123456789", 0xaab0e04f1d2135b},
	{"cgroup:/ab/c", 0x160d513847904c35},
	{"cgroup:/a/bc", 0xc0c3c9865b322060},
	{"cgroup:/kubepods.slice/" + strings.Repeat("x", 255), 0x585beac0c747242a},
}

func TestHashes(t *testing.T) {
	for _, golden := range hashGoldens {
		hash, fault := parseKey(golden.key)
		if fault != "" || hash != golden.hash {
			t.Errorf("%s has the hash %#x (%s), want %#x", golden.key, hash, fault, golden.hash)
		}
	}
}

// The maps in the object have the sizes of the records.
func TestRecordsFitTheObject(t *testing.T) {
	spec, err := bpf.LoadSched()
	if err != nil {
		t.Fatal(err)
	}
	maps := spec.Maps
	for _, c := range []struct {
		what      string
		got, want int
	}{
		{"key of the policy", int(maps[pinPolicy].InnerMap.KeySize), binary.Size(noClass)},
		{"value of the policy", int(maps[pinPolicy].InnerMap.ValueSize), binary.Size(classRecord{})},
		{"chunk of the text", int(maps[pinTexts].InnerMap.ValueSize), textChunk},
		{"exit record", int(maps[pinLeft].ValueSize), binary.Size(exitRecord{})},
		{"number of counters", int(maps[pinCounters].MaxEntries), len(counterNames)},
		{"generations of the text", int(maps[pinTexts].MaxEntries), 2},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d in the object, %d here", c.what, c.got, c.want)
		}
	}
	if spec.Maps[Name] == nil {
		t.Errorf("no scheduler %q in the object", Name)
	}
	for _, name := range []string{"possible_cpus", "fair_slice_ns", "max_wait_ns"} {
		if spec.Variables[name] == nil {
			t.Errorf("no variable %s in the object", name)
		}
	}
}

// layoutSum is the hash of what the pinned maps hold, in layout.
const layoutSum = 0x14188afa

// What is in the pinned maps is that of the layout's number: another loader goes by
// the number alone where the sizes are the same.
func TestLayoutIsRaised(t *testing.T) {
	hash := fnv.New32a()
	fmt.Fprintf(hash, "%+v%+v%+v%+v%q", classRecord{}, textHead{}, exitRecord{}, settingsRecord{}, counterNames)
	if sum := hash.Sum32(); sum != layoutSum {
		t.Errorf("the maps hold something else than in layout %d: raise ALPS_LAYOUT and layout, and set layoutSum to %#x", layout, sum)
	}
}

// expression is a value in C and what it has to be.
type expression struct {
	c    string
	want uint64
}

// TestHeader compiles bpf/sched.h for the host and compares constants, layout,
// counters and hashes with those of this package.
func TestHeader(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		t.Skip("gcc is not installed: only the stored hashes and the object's sizes are compared")
	}
	header, err := filepath.Abs("../../bpf/sched.h")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(header); err != nil {
		t.Skip("no source here: ", err)
	}
	var step stepRecord
	var class classRecord
	var head textHead
	var exit exitRecord
	expressions := []expression{
		{"ALPS_LAYOUT", layout},
		{"ALPS_MAX_STEPS", MaxSteps},
		{"ALPS_MAX_DEPTH", MaxDepth},
		{"ALPS_MAX_RANK", MaxRank},
		{"ALPS_NAME_LEN - 1", maxCgroupName},
		{"ALPS_NO_CLASS", noClass},
		{"ALPS_FALLBACK", flagFallback},
		{"ALPS_PAPER", flagPaper},
		{"ALPS_REQUEST", flagRequest},
		{"ALPS_CGROUP", flagCgroup},
		{"ALPS_TEXT_CHUNK", textChunk},
		{"ALPS_REASON_LEN", maxReason},
		{"ALPS_MSG_LEN", maxMessage},

		{"sizeof(struct alps_step)", uint64(binary.Size(step))},
		{"offsetof(struct alps_step, from_ns)", uint64(unsafe.Offsetof(step.FromNs))},
		{"offsetof(struct alps_step, slice_ns)", uint64(unsafe.Offsetof(step.SliceNs))},
		{"offsetof(struct alps_step, need_ns)", uint64(unsafe.Offsetof(step.NeedNs))},
		{"offsetof(struct alps_step, rank)", uint64(unsafe.Offsetof(step.Rank))},
		{"offsetof(struct alps_step, stretch)", uint64(unsafe.Offsetof(step.Stretch))},

		{"alps_patience_ns(&(struct alps_step){ .rank = 3, .stretch = 0 }, 100, 2)", 3 << 40},
		{"alps_patience_ns(&(struct alps_step){ .rank = 3, .stretch = 4 }, 100, 1)", patience.Ns(100, 4, 1)},
		{"alps_patience_ns(&(struct alps_step){ .rank = 3, .stretch = 4 }, 101, 2)", patience.Ns(101, 4, 2)},
		{"alps_patience_ns(&(struct alps_step){ .rank = 3, .stretch = 1000 }, 3600000000, 7)", patience.Ns(3600000000, 1000, 7)},

		{"sizeof(struct alps_class)", uint64(binary.Size(class))},
		{"offsetof(struct alps_class, generation)", uint64(unsafe.Offsetof(class.Generation))},
		{"offsetof(struct alps_class, steps_len)", uint64(unsafe.Offsetof(class.StepsLen))},
		{"offsetof(struct alps_class, flags)", uint64(unsafe.Offsetof(class.Flags))},
		{"offsetof(struct alps_class, steps)", uint64(unsafe.Offsetof(class.Steps))},
		{"offsetof(struct alps_class, stats)", uint64(unsafe.Offsetof(class.Stats))},

		{"sizeof(struct alps_class_stats)", uint64(binary.Size(class.Stats))},
		{"offsetof(struct alps_class_stats, turns)", uint64(unsafe.Offsetof(class.Stats.Turns))},
		{"offsetof(struct alps_class_stats, cpu_ns)", uint64(unsafe.Offsetof(class.Stats.CPUNs))},
		{"offsetof(struct alps_class_stats, wait_ns)", uint64(unsafe.Offsetof(class.Stats.WaitNs))},
		{"offsetof(struct alps_class_stats, preempted)", uint64(unsafe.Offsetof(class.Stats.Preempted))},
		{"offsetof(struct alps_class_stats, promotions)", uint64(unsafe.Offsetof(class.Stats.Promotions))},
		{"offsetof(struct alps_class_stats, slices_used_up)", uint64(unsafe.Offsetof(class.Stats.SlicesUsedUp))},

		{"sizeof(struct alps_text_head)", uint64(binary.Size(head))},
		{"offsetof(struct alps_text_head, generation)", uint64(unsafe.Offsetof(head.Generation))},
		{"offsetof(struct alps_text_head, bytes)", uint64(unsafe.Offsetof(head.Bytes))},
		{"offsetof(struct alps_text_head, window)", uint64(unsafe.Offsetof(head.Window))},
		{"offsetof(struct alps_text_head, loaded_unix)", uint64(unsafe.Offsetof(head.LoadedUnix))},
		{"offsetof(struct alps_text_head, max_age_ns)", uint64(unsafe.Offsetof(head.MaxAgeNs))},
		{"offsetof(struct alps_text_head, classes)", uint64(unsafe.Offsetof(head.Classes))},
		{"offsetof(struct alps_text_head, stretch)", uint64(unsafe.Offsetof(head.Stretch))},

		{"sizeof(struct alps_exit)", uint64(binary.Size(exit))},
		{"offsetof(struct alps_exit, kind)", uint64(unsafe.Offsetof(exit.Kind))},
		{"offsetof(struct alps_exit, code)", uint64(unsafe.Offsetof(exit.Code))},
		{"offsetof(struct alps_exit, reason)", uint64(unsafe.Offsetof(exit.Reason))},
		{"offsetof(struct alps_exit, msg)", uint64(unsafe.Offsetof(exit.Msg))},

		{"ALPS_COUNTERS_LEN", uint64(len(counterNames))},
	}
	for i, name := range counterNames {
		expressions = append(expressions, expression{"ALPS_" + strings.ToUpper(name), uint64(i)})
	}
	for _, golden := range hashGoldens {
		expressions = append(expressions, expression{fmt.Sprintf("hash_of(%q)", golden.key), golden.hash})
	}

	var program strings.Builder
	program.WriteString(hashProgram)
	for _, e := range expressions {
		fmt.Fprintf(&program, "\tprintf(\"%%llu\\n\", (unsigned long long)(%s));\n", e.c)
	}
	program.WriteString("}\n")
	dir := t.TempDir()
	source, binary := filepath.Join(dir, "header.c"), filepath.Join(dir, "header")
	if err := os.WriteFile(source, []byte(program.String()), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(gcc, "-Wall", "-Werror", "-include", header, "-o", binary, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out, err := exec.Command(binary).Output()
	if err != nil {
		t.Fatal(err)
	}
	values := strings.Fields(string(out))
	if len(values) != len(expressions) {
		t.Fatalf("%d values of %d", len(values), len(expressions))
	}
	for i, e := range expressions {
		if values[i] != fmt.Sprint(e.want) {
			t.Errorf("%s is %s, want %d", e.c, values[i], e.want)
		}
	}
}

// hashProgram hashes keys as bpf/sched.bpf.c does: names are in a buffer of
// zeros, and words beyond the end of a cgroup's name do not count.
const hashProgram = `
#include <stddef.h>
#include <stdio.h>
#include <string.h>

static __attribute__((unused)) __u64 hash_of(const char *key)
{
	__u64 words[ALPS_NAME_LEN / 8], hash = ALPS_HASH_CGROUP;
	const char *name = strchr(key, ':') + 1;

	if (!strncmp(key, "comm:", 5)) {
		memset(words, 0, sizeof(words));
		memcpy(words, name, strlen(name));
		return alps_hash_word(alps_hash_word(ALPS_HASH_COMM, words[0]), words[1]);
	}
	while (*name++ == '/') {
		size_t len = strcspn(name, "/");

		memset(words, 0, sizeof(words));
		memcpy(words, name, len);
		for (size_t w = 0; w * 8 < len; w++)
			hash = alps_hash_word(hash, words[w]);
		hash = alps_hash_word(hash, '/');
		name += len;
	}
	return hash;
}

int main(void)
{
`
