// Package collect measures function invocations by eBPF and writes them as the
// invocations stream: the first stage of the pipeline. It reads nothing but
// the kernel, and where classes are found by rules (package rules) what these
// ask for.
//
// An invocation is a process that was forked while the collector is attached
// and that has called exec or renamed itself; it lasts from the fork to the
// end of its last thread. docs/alps-collect.md has the rules.
//
//	options := collect.Options{Window: time.Minute, Count: 1, Class: collect.Auto}
//	err := collect.Run(ctx, options, os.Stdout, os.Stderr)
package collect
