// Package vm runs commands on real Linux kernels in a virtual machine: the test
// bed, the benchmark and the demonstration of the scheduler. The machine is
// QEMU's software emulation, so neither root nor KVM is needed, and it is boot,
// one command and power-off, so that nothing of a run reaches the next.
//
// Kernels are Debian's own cloud kernels. The package finds what is served,
// lets apt fetch and verify it, and keeps it in the user's cache directory.
//
//	m := vm.Machine{Kernel: "oldest", CPUs: 2, Shell: true, Stdout: os.Stdout}
//	status, err := m.Run(ctx, "sh", "-c", "uname -r; exit 7")
//	// status == 7
//
// With VirtualTime, the machine's clock counts instructions instead of
// following the host's. An experiment then takes the same time by the machine's
// clock however slow or busy the host is, and idle time is skipped.
//
// The file system is an initramfs made for each run (image.go). Process 1 is
// the program in init, which is built on first use with the go command. Output
// comes to the host as it is written, over virtio serial ports (qemu.go).
package vm
