package vm

import (
	"os/exec"
	"testing"
)

func TestCompareVersions(t *testing.T) {
	ascending := []string{
		"6.1.170-3",
		"6.1.176-1",
		"6.12.90-1~bpo12+1",
		"6.12.90-2~bpo12+1",
		"6.12.90-2",
		"6.16.3-1~bpo13+1",
		"6.16.12-1~bpo13+1",
		"6.18.5-1~bpo13+1",
		"6.18.15-1~bpo13+1",
		"7.3~rc7-1~exp1",
		"7.3-1",
		"7.3.4-1~bpo13+1",
		"7.3.4-1",
		"7.3.4a-1",
		"7.3.4+b-1",
		"10.0-1",
	}
	_, err := exec.LookPath("dpkg")
	haveDpkg := err == nil
	for i, a := range ascending {
		for j, b := range ascending {
			want := min(max(i-j, -1), 1)
			if got := compareVersions(a, b); got != want {
				t.Errorf("compareVersions(%q, %q) = %d, want %d", a, b, got, want)
			}
			if haveDpkg && j == i+1 && exec.Command("dpkg", "--compare-versions", a, "lt", b).Run() != nil {
				t.Errorf("dpkg does not hold %s for less than %s", a, b)
			}
		}
	}
	if compareVersions("6.018-1", "6.18-1") != 0 {
		t.Error("leading zeros count")
	}
}
