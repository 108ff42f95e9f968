// Package platforms sets up FaaS platforms, for tests that alps-collect finds
// the functions of real ones. What they need is taken from Debian and npm. They
// use no network but the loopback of network namespaces of their own, and are
// removed when the test ends, however it ends.
//
// Its tests call functions of known demand on them: go test runs those in runc
// containers, make test-platforms also those under containerd and Google's
// Functions Framework.
package platforms
