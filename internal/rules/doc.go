// Package rules finds the class of a process, and the key by which the kernel
// knows it, by rules: rows of match, pattern and class, of which the first that
// matches wins. It reads the rules, /proc and the files in which container
// runtimes keep what they know; it knows nothing of eBPF. alps-collect gives it
// the processes.
//
//	set, err := rules.Parse(file, "rules.csv")
//	…
//	process, err := rules.NewLiving(rules.NewHost("/"), pid)
//	…
//	verdict := set.Decide(process, nil)
//	fmt.Println(verdict.Class, verdict.Key)
//
// docs/alps-collect.md has the rules as a user writes them.
package rules
