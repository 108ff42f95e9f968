package collect

import "testing"

func TestClassify(t *testing.T) {
	const docker = "/system.slice/docker-4f2a.scope"
	const session = "/user.slice/user-0.slice/session-1.scope"
	under := func(cgroup string) Filter { return Filter{Under: cgroup} }
	comms := func(globs ...string) Filter { return Filter{Comms: globs} }

	for _, test := range []struct {
		class        Class
		filter       Filter
		cgroup, comm string
		want, key    string // empty: left out
	}{
		// Without a filter, what is in systemd's own cgroups stays out.
		{Auto, Filter{}, "/openfaas-fn/figlet", "python3", "openfaas-fn/figlet", "cgroup:/openfaas-fn/figlet"},
		{Auto, Filter{}, docker, "node", docker[1:], "cgroup:" + docker},
		{Auto, Filter{}, "/kubepods.slice/pod1/c", "node", "kubepods.slice/pod1/c", "cgroup:/kubepods.slice/pod1/c"},
		{Auto, Filter{}, "/", "sh", "", ""},
		{Auto, Filter{}, "/system.slice/cron.service", "cron", "", ""},
		{Auto, Filter{}, "/init.scope", "systemd", "", ""},
		{Auto, Filter{}, session, "sh", "", ""},
		{ByCgroup, Filter{}, "/a", "x", "a", "cgroup:/a"},
		{ByCgroup, Filter{}, "/", "x", "", ""},
		{ByCgroup, Filter{}, session, "x", "", ""},
		// By name, the root is no reason to leave it out: it may be all there is.
		{ByComm, Filter{}, "/", "fn-a", "fn-a", "comm:fn-a"},
		{ByComm, Filter{}, "/a", "fn-a", "fn-a", "comm:fn-a"},
		{ByComm, Filter{}, session, "sh", "", ""},
		{ByComm, Filter{}, "/", "", "", ""},

		{Auto, under("/fn"), "/fn/a/b", "x", "a/b", "cgroup:/fn/a/b"},
		{Auto, under("fn/"), "/fn/a", "x", "a", "cgroup:/fn/a"},
		{Auto, under("/sys/fs/cgroup/fn"), "/fn/a", "x", "a", "cgroup:/fn/a"},
		{Auto, under("/sys/fs/cgroup/unified/fn"), "/fn/a", "x", "a", "cgroup:/fn/a"},
		{Auto, under("/fn"), "/fn", "x", "", ""},
		{Auto, under("/fn"), "/fnord/a", "x", "", ""},
		{Auto, under("/"), session, "x", session[1:], "cgroup:" + session},
		{Auto, under("/"), "/", "x", "", ""},
		{ByComm, under("/fn"), "/fn/a", "x", "x", "comm:x"},
		{ByComm, under("/fn"), "/b", "x", "", ""},

		// A name that is asked for is taken wherever it runs, and classed by
		// its name where the cgroup says nothing.
		{Auto, comms("fn-*"), session, "fn-a", "fn-a", "comm:fn-a"},
		{Auto, comms("fn-*"), "/", "fn-a", "fn-a", "comm:fn-a"},
		{Auto, comms("fn-*"), "/fn/a", "fn-a", "fn/a", "cgroup:/fn/a"},
		{Auto, comms("fn-*"), "/fn/a", "bash", "", ""},
		{Auto, comms("a", "b?"), "/", "b1", "b1", "comm:b1"},
		{Auto, comms("w*"), "/", "w/1", "w/1", "comm:w/1"},
		{ByCgroup, comms("fn-*"), "/", "fn-a", "", ""},
		{Auto, Filter{Under: "/fn", Comms: []string{"a"}}, "/fn/x", "b", "", ""},
		{Auto, Filter{Under: "/fn", Comms: []string{"a"}}, "/other", "a", "", ""},
		{Auto, Filter{Under: "/fn", Comms: []string{"a"}}, "/fn/x", "a", "x", "cgroup:/fn/x"},
	} {
		c, err := newClassifier(test.class, test.filter)
		if err != nil {
			t.Fatal(err)
		}
		class, key, got := c.classify(&process{Cgroup: test.cgroup, Comm: test.comm})
		want := leftOut
		if test.key != "" {
			want = taken
		}
		if class != test.want || key != test.key || got != want {
			t.Errorf("%s %+v of %q in %q: class %q, key %q, verdict %d, want %q, %q, %d",
				test.class, test.filter, test.comm, test.cgroup, class, key, got, test.want, test.key, want)
		}
	}
}

func TestUnknownCgroup(t *testing.T) {
	for class, want := range map[Class]verdict{Auto: unnameable, ByCgroup: unnameable, ByComm: taken} {
		c, err := newClassifier(class, Filter{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, got := c.classify(&process{Comm: "fn"}); got != want {
			t.Errorf("%s: verdict %d, want %d", class, got, want)
		}
	}
}

func TestBadOptions(t *testing.T) {
	for name, options := range map[string]Options{
		"window":  {},
		"count":   {Window: 1, Count: -1},
		"class":   {Window: 1, Class: "mount"},
		"pattern": {Window: 1, Filter: Filter{Comms: []string{"[a"}}},
	} {
		if options.Check() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
