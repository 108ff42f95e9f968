// Package collect measures function invocations by eBPF and writes them as the
// invocations stream: the first stage of the pipeline. It reads nothing but
// the kernel, and where classes are found by rules (package rules) what these
// ask for.
//
// An invocation is a process, a request to a process that serves many, or the spell
// of a cgroup between frozen or empty and frozen or empty. Each kind has programs of
// its own in the kernel. docs/alps-collect.md has the rules.
//
//	options := collect.Options{Window: time.Minute, Count: 1, Class: collect.Auto}
//	err := collect.Run(ctx, options, os.Stdout, os.Stderr)
package collect
