package vm

import (
	"errors"
	"testing"
)

func TestMirrorIn(t *testing.T) {
	for _, test := range []struct{ name, sources, want string }{
		{"one line", "deb http://mirror.example/debian/ bookworm main\n", "http://mirror.example/debian"},
		{"options", "# deb http://old.example/debian bookworm main\ndeb [arch=amd64 signed-by=/a] https://mirror.example/debian bookworm main contrib\n", "https://mirror.example/debian"},
		{"sources only", "deb-src http://mirror.example/debian bookworm main\n", ""},
		{"security alone", "deb http://security.example/debian bookworm-security main\n", ""},
		{"another archive", "deb https://packages.example/linux/debian bookworm stable\n", ""},
		{"Ubuntu", "deb http://mirror.example/ubuntu noble main\n", ""},
		{"stanza", "Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\nTypes: deb\nURIs: http://other.example/debian\nSuites: sid\nComponents: main\n", "http://mirror.example/debian"},
		{"second stanza", "Types: deb\nURIs: http://x.example/debian-security\nSuites: bookworm-security\nComponents: main\n\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main", "http://mirror.example/debian"},
		{"disabled", "Enabled: no\nTypes: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n", ""},
		{"list of mirrors", "Types: deb\nURIs: mirror+file:///etc/apt/mirrors/debian.list\nSuites: bookworm\nComponents: main\n", "mirror+file:///etc/apt/mirrors/debian.list"},
	} {
		if got := mirrorIn([]byte(test.sources)); got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

func TestMirrorVariable(t *testing.T) {
	t.Setenv(mirrorVariable, "http://mine.example/debian/")
	if got := mirror(); got != "http://mine.example/debian" {
		t.Error(got)
	}
}

func TestAptReason(t *testing.T) {
	other := errors.New("exit status 100")
	if got := aptReason("W: careful\nE: The repository is gone.\nE: More", other); got != "The repository is gone." {
		t.Error(got)
	}
	if got := aptReason("", other); got != "exit status 100" {
		t.Error(got)
	}
}
