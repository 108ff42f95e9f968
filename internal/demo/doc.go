// Package demo is the demonstration of the whole loop, make demo: a workload of
// functions under the kernel's own scheduler in the virtual machine, collected,
// simulated, tuned and loaded, and the same workload again under ALPS with the
// loop going on. Where there can be no machine, the loop runs offline on recorded
// windows.
//
// It reads nothing but the flags and the recording, and leaves a table, a picture
// and all streams.
//
//	o := demo.Options{Bin: "bin", Out: "out", CPUs: 1, Seed: 1, Window: time.Minute, History: 4}
//	result, err := o.Run(ctx, os.Stderr)
//	// result.Write(os.Stdout) prints the table
package demo
