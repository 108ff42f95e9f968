package rules

import (
	"fmt"
	"strings"
	"testing"
)

const (
	id1    = "3f4e1d2c5b6a79880123456789abcdef3f4e1d2c5b6a79880123456789abcdef"
	podUID = "0a1b2c3d-1111-2222-3333-444455556666"
)

var systemdPod = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + strings.ReplaceAll(podUID, "-", "_") + ".slice"

// criBundle is what containerd's CRI writes for a container of a pod.
func criBundle(container, pod, namespace string) string {
	return fmt.Sprintf(`{"ociVersion":"1.1.0","annotations":{"io.kubernetes.cri.container-name":%q,
		"io.kubernetes.cri.container-type":"container","io.kubernetes.cri.image-name":"registry.example/resize:1",
		"io.kubernetes.cri.sandbox-id":"aa","io.kubernetes.cri.sandbox-name":%q,"io.kubernetes.cri.sandbox-namespace":%q,
		"io.kubernetes.cri.sandbox-uid":%q},"linux":{"cgroupsPath":"x.slice:cri-containerd:%s"}}`,
		container, pod, namespace, podUID, id1)
}

const criTask = "run/containerd/io.containerd.runtime.v2.task/k8s.io/" + id1 + "/config.json"

// TestDefaultRules: each platform as it looks on disk and in /proc.
func TestDefaultRules(t *testing.T) {
	pod := systemdPod + "/cri-containerd-" + id1 + ".scope"
	for _, test := range []struct {
		name  string
		files map[string]string
		p     fake
		class string // empty: left out
		key   string // without it: the process's cgroup
	}{
		{name: "faasd", p: fake{cgroup: "/openfaas-fn/figlet"}, class: "figlet"},
		{name: "faasd, below", p: fake{cgroup: "/openfaas-fn/figlet/init"}, class: "figlet", key: "cgroup:/openfaas-fn/figlet"},
		{name: "Firecracker", p: fake{cgroup: "/firecracker/vm-7", comm: "fc_vcpu 0"}, class: "firecracker/vm-7"},
		{
			name:  "Kubernetes, systemd",
			files: map[string]string{criTask: criBundle("resize", "resize-7d9f8b6c5d-x2v4z", "fns")},
			p:     fake{cgroup: pod}, class: "fns/resize/resize",
		},
		{
			name:  "Kubernetes, cgroupfs",
			files: map[string]string{criTask: criBundle("resize", "web-0", "fns")},
			p:     fake{cgroup: "/kubepods/burstable/pod" + podUID + "/" + id1}, class: "fns/web/resize",
		},
		{
			name:  "Kubernetes, below the container",
			files: map[string]string{criTask: criBundle("c", "train", "fns")},
			p:     fake{cgroup: pod + "/system.slice/x"}, class: "fns/train/c", key: "cgroup:" + pod,
		},
		{
			name: "Kubernetes, runc's state alone",
			files: map[string]string{"run/containerd/runc/k8s.io/" + id1 + "/state.json": `{"id":"` + id1 + `","cgroup_paths":{"":"/sys/fs/cgroup` + pod + `"},
				"config":{"labels":["io.kubernetes.cri.container-name=c","io.kubernetes.cri.sandbox-name=cron-28391234-bcdfg","io.kubernetes.cri.sandbox-namespace=fns","bundle=/x"]}}`},
			p: fake{cgroup: pod}, class: "fns/cron/c",
		},
		{
			name:  "Kubernetes, its own",
			files: map[string]string{criTask: criBundle("coredns", "coredns-7d9f8b6c5d-x2v4z", "kube-system")},
			p:     fake{cgroup: pod},
		},
		{
			name: "Kubernetes, sandbox",
			files: map[string]string{criTask: `{"annotations":{"io.kubernetes.cri.container-type":"sandbox",
				"io.kubernetes.cri.sandbox-name":"resize","io.kubernetes.cri.sandbox-namespace":"fns"}}`},
			p: fake{cgroup: pod},
		},
		{
			name: "Kubernetes by CRI-O",
			files: map[string]string{"run/containers/storage/overlay-containers/" + id1 + "/userdata/config.json": `{"annotations":{
				"io.kubernetes.container.name":"c","io.kubernetes.pod.name":"resize-7d9f8b6c5d-x2v4z","io.kubernetes.pod.namespace":"fns","io.kubernetes.pod.uid":"u"}}`},
			p: fake{cgroup: systemdPod + "/crio-" + id1 + ".scope"}, class: "fns/resize/c",
		},
		{
			name:  "Knative",
			files: map[string]string{criTask: criBundle("user-container", "hello-00001-deployment-7d9f8b6c5d-x2v4z", "fns")},
			p:     fake{cgroup: pod, env: []string{"PORT=8080", "K_REVISION=hello-00001", "K_SERVICE=hello"}}, class: "hello",
		},
		{
			name:  "Knative's proxy",
			files: map[string]string{criTask: criBundle("queue-proxy", "hello-00001-deployment-7d9f8b6c5d-x2v4z", "fns")},
			p:     fake{cgroup: pod, env: []string{"K_SERVICE=hello"}},
		},
		{
			name: "docker",
			files: map[string]string{
				"var/lib/docker/containers/" + id1 + "/config.v2.json":                      `{"ID":"` + id1 + `","Name":"/figlet","Config":{"Image":"x","Labels":{"a":"b"}}}`,
				"run/containerd/io.containerd.runtime.v2.task/moby/" + id1 + "/config.json": `{"linux":{"cgroupsPath":"/docker/` + id1 + `"}}`,
			},
			p: fake{cgroup: "/docker/" + id1}, class: "figlet",
		},
		{
			name: "docker, a service of Compose",
			files: map[string]string{"var/lib/docker/containers/" + id1 + "/config.v2.json": `{"Name":"/shop-resize-2",
				"Config":{"Labels":{"com.docker.compose.project":"shop","com.docker.compose.project.working_dir":"/x","com.docker.compose.service":"resize"}}}`},
			p: fake{cgroup: "/system.slice/docker-" + id1 + ".scope"}, class: "shop/resize",
		},
		{
			name: "docker, nothing known",
			p:    fake{cgroup: "/system.slice/docker-" + id1 + ".scope"}, class: "docker/3f4e1d2c5b6a",
		},
		{
			name:  "containerd",
			files: map[string]string{"run/containerd/io.containerd.runtime.v2.task/fns/resize/config.json": `{"linux":{"cgroupsPath":"/fns/resize"}}`},
			p:     fake{cgroup: "/fns/resize"}, class: "fns/resize",
		},
		{
			name:  "containerd, another container of that name",
			files: map[string]string{"run/containerd/io.containerd.runtime.v2.task/other/resize/config.json": `{"linux":{"cgroupsPath":"/other/resize"}}`},
			p:     fake{cgroup: "/fns/resize"},
		},
		{
			name: "runc, by a cgroup of another name",
			files: map[string]string{"run/runc/c-17/state.json": `{"id":"c-17","cgroup_paths":{"":"/sys/fs/cgroup/unified/fns/resize",
				"memory":"/sys/fs/cgroup/memory/fns/resize"},"config":{"labels":["bundle=/x"]}}`},
			p: fake{cgroup: "/fns/resize/below"}, class: "c-17", key: "cgroup:/fns/resize",
		},
		{
			name: "OpenLambda",
			p: fake{cgroup: "/default-ol-sandboxes/cg-3", mounts: []string{"22 1 0:21 / /proc rw - proc proc rw",
				"36 35 98:0 /opt/ol/worker/code/1007-resize-img /handler ro,relatime - ext4 /dev/sda1 rw"}},
			class: "resize-img",
		},
		{name: "nuclio", p: fake{cgroup: "/a", env: []string{"NUCLIO_FUNCTION_NAME=resize"}}, class: "resize"},
		{name: "Fn", p: fake{cgroup: "/a", env: []string{"FN_APP_ID=1", "FN_FN_ID=01F"}}, class: "01F"},
		{name: "Fn, in no cgroup of its own", p: fake{cgroup: "/system.slice/fn.service", comm: "fn-x", env: []string{"FN_FN_ID=01F"}}, class: "01F", key: "comm:fn-x"},
		{name: "a service", p: fake{cgroup: "/system.slice/cron.service", comm: "cron"}},
		{name: "a login", p: fake{cgroup: "/user.slice/user-0.slice/session-1.scope", comm: "bash"}},
		{name: "nothing", p: fake{cgroup: "/", comm: "bash"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree := newTree(t)
			for path, text := range test.files {
				tree.write(path, text)
			}
			if test.p.comm == "" {
				test.p.comm = "python3"
			}
			tree.process(77, test.p)
			p, err := NewLiving(tree.host(), 77)
			if err != nil {
				t.Fatal(err)
			}
			if test.key == "" && test.class != "" {
				test.key = "cgroup:" + test.p.cgroup
			}
			got := Default().Decide(p, nil)
			if got.Class != test.class || got.Key != test.key || got.Err != nil {
				t.Errorf("class %q, key %q (%v), want %q, %q", got.Class, got.Key, got.Err, test.class, test.key)
			}
		})
	}
}
