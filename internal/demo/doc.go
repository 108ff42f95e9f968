// Package demo is the demonstration of the whole loop, make demo: a workload of
// functions under the kernel's own scheduler in the virtual machine, collected,
// simulated, tuned and loaded, and the same workload again under ALPS with the
// loop going on. Where there can be no machine it shows the loop on recorded
// windows.
//
// It reads nothing but the flags and writes a table, a picture and all streams.
package demo
