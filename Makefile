# ALPS: make help lists the targets.

PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go

TOOLS := alps-collect alps-sim alps-tune alps-load

# The compiler of the BPF objects. Another version makes other bytes.
CLANG      := clang-19
CLANG_DEBS := clang-19 llvm-19 libbpf-dev

# Kernels that the tests run on, as alps-vm names them: the scheduler's, and
# those of alps-collect, which needs no sched_ext. On the one in between, only what
# asks its programs there whether they count right is run.
KERNELS         := oldest newest
COLLECT_KERNELS := 6.1 newest
COLLECT_BETWEEN := AreTheKernels|IsTheKernels|EveryProcess|LeftOut|TestRequests$$|FromThawToFreeze|RulesByWhat

# What alps-load does by itself, with maps and pins as all these kernels have them: of
# its tests, make test leaves these out on the oldest, and make soak-short runs them.
LOADERS_OWN := Killed|Debris|Pins|OtherVersion|OtherLayout|SettingsAreKept|TwoLoaders|MostKeys|TestWatch$$|WatchAddsUp|WatchPreempted|WatchIsCut

# make soak with fewer of them: make soak SOAK_KERNELS=newest
SOAK_KERNELS ?= $(KERNELS)

# VM_TEST runs a package's tests on a kernel: $(call VM_TEST,kernel,packages,flags of
# alps-vm instead of two CPUs)
VM_TEST = CGO_ENABLED=0 $(GO) test -count=1 -timeout 25m -exec "$(CURDIR)/bin/alps-vm test --kernel $(1) $(or $(3),--cpus 2) --timeout 25m --" $(2)

# SOAK_TEST begins such a command with the long forms: $(call SOAK_TEST,kernel,flags).
# 20,000 processes take much memory.
SOAK_TEST = ALPS_SOAK=1 CGO_ENABLED=0 $(GO) test -v -count=1 -timeout 6h -exec "$(CURDIR)/bin/alps-vm test --kernel $(1) --cpus 2 --memory 4096 --timeout 6h --program stress-ng --program rt-tests:hackbench $(2) --"

# LOOP_MACHINE has what functions in containers and the loop over them need.
LOOP_MACHINE = --icount 1 --cpus 1 --program runc --env ALPS_PLATFORMS_BIN=/alps --file $(CURDIR)/bin/function:/alps/function \
	$(foreach tool,$(TOOLS),--file $(CURDIR)/bin/$(tool):/alps/$(tool))

.PHONY: help build demo results experiments bench test test-native test-platforms test-vm check soak soak-short generate install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the four tools into bin/ (needs only Go)
	CGO_ENABLED=0 $(GO) build -o bin/ ./cmd/... ./internal/cmd/...

demo: build ## run the whole loop in a virtual machine, before and after; results in out/
	bin/alps-demo

results: build ## make docs/results.md anew, from simulations of generated and (ALPS_TRACES) published workloads
	docs/experiments/results.sh

experiments: build ## run the experiments (EXP=name: one, see docs/experiments); can be stopped and goes on where it was
	docs/experiments/run.sh $(EXP)

bench: build ## measure speed, memory and what the programs in the kernel cost; medians of 5 runs
	@mkdir -p out
	ALPS_BENCH_ALL=1 $(GO) test -run '^$$' -bench 'Tool|SRPT/sorted|Run$$|Read|Write|Policy/' -benchtime 1x -count 5 -timeout 60m ./cmd/alps-sim ./cmd/alps-tune ./internal/sim ./internal/stream ./internal/tune | tee out/bench.txt
	$(GO) tool benchstat out/bench.txt
	@command -v hackbench >/dev/null || echo "make: no hackbench (Debian's package rt-tests): how much slower it gets is left out"
	ALPS_PROCESSES=10000 ALPS_STORM_SECONDS=60 $(GO) test -count=1 -v -timeout 60m -run 'EveryProcess|ForkStorm' -bench 'Event|Hackbench' -benchtime 1x ./internal/collect | tee out/bench-collect.txt
	bin/alps-vm setup
	ALPS_VIRTUAL_TIME=1 $(call VM_TEST,newest,-v -run None -bench Hackbench -benchtime 1x ./internal/collect,--icount 1 --cpus 1 --program rt-tests:hackbench) | tee out/bench-collect-vm.txt
	ALPS_VIRTUAL_TIME=1 $(call VM_TEST,newest,-v -run Cost ./internal/load,--icount 1 --cpus 1) | tee out/bench-switch.txt
	ALPS_VIRTUAL_TIME=1 $(call VM_TEST,newest,-v -run ForkAndSwitch ./internal/load,--icount 1 --cpus 8 --sockets 2 --program rt-tests:hackbench) | tee out/bench-scale.txt

test: test-native test-vm ## run all tests, those in the virtual machine included

# ALPS_INSTALL lets tests install the Debian packages that they need.
test-native: ## run the tests that need no virtual machine
	ALPS_INSTALL=1 $(GO) test -count=1 ./...

test-platforms: ## call functions on real FaaS platforms: runc, containerd, Google's Functions Framework
	ALPS_INSTALL=1 ALPS_PLATFORMS=1 $(GO) test -count=1 -v -timeout 30m ./internal/platforms

test-vm: build ## run the tests on real kernels in QEMU
	@if ! bin/alps-vm setup; then \
		echo "make: the tests in the virtual machine are left out, see the line above"; \
		exit 0; \
	fi; \
	set -ex; \
	ALPS_VM=1 $(GO) test -count=1 -timeout 20m ./internal/vm ./internal/demo; \
	ALPS_VM=1 $(GO) test -count=1 -timeout 20m -run TestPredictsKernels ./internal/sim; \
	$(foreach kernel,$(COLLECT_KERNELS),$(call VM_TEST,$(kernel),./internal/collect);) \
	$(call VM_TEST,oldest,-run '$(COLLECT_BETWEEN)' ./internal/collect); \
	: a machine takes one core, so there are two at a time; \
	failed=; $(call VM_TEST,oldest,-p 1 -skip 'TestSoak|$(LOADERS_OWN)' ./internal/load ./cmd/alps-load) & beside=$$!; \
	$(call VM_TEST,newest,-p 1 -skip TestSoak ./internal/load ./cmd/alps-load) || failed=1; \
	wait $$beside; \
	test -z "$$failed"; \
	CGO_ENABLED=0 $(GO) build -o bin/ ./internal/platforms/function; \
	: in virtual time it does not matter what runs beside; \
	failed=; ALPS_VIRTUAL_TIME=1 $(call VM_TEST,newest,-run 'TestLongestWait|Cost' ./internal/load,--icount 1 --cpus 1) & beside=$$!; \
	ALPS_VIRTUAL_TIME=1 $(call VM_TEST,newest,-run TestWholeLoop ./internal/platforms,$(LOOP_MACHINE)) || failed=1; \
	wait $$beside; \
	test -z "$$failed"

soak-short: build ## run short forms of the tests that the scheduler has to survive
	bin/alps-vm setup
	set -ex; $(foreach kernel,$(SOAK_KERNELS),$(call VM_TEST,$(kernel),-v -run 'TestSoak|$(LOADERS_OWN)' ./internal/load);)

soak: build ## run the long forms of the tests that the scheduler has to survive; takes hours
	bin/alps-vm setup
	set -ex; $(foreach kernel,$(SOAK_KERNELS), \
	$(call SOAK_TEST,$(kernel),) -skip SoakHour -run 'Soak|ReplaceUnderLoad' ./internal/load; \
	$(call SOAK_TEST,$(kernel),--icount 5) -run SoakHour ./internal/load;)

check: ## gofmt, vet, staticcheck, clang-format, and that generated files are up to date
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); \
		if [ -n "$$unformatted" ]; then echo "not gofmt-ed: $$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	@bpf/check.sh $(CLANG)

generate: ## compile the BPF programs anew and write their Go code
	@command -v $(CLANG) >/dev/null && [ -e /usr/include/bpf/bpf_helpers.h ] || bpf/setup.sh $(CLANG_DEBS)
	$(GO) generate ./bpf
	$(CLANG) --version | head -n 1 >bpf/CLANG

install: build ## install the tools: make install PREFIX=/usr/local DESTDIR=
	install -d $(DESTDIR)$(PREFIX)/bin
	install $(TOOLS:%=bin/%) $(DESTDIR)$(PREFIX)/bin/

clean: ## remove what was built and the demonstration's results
	rm -rf bin out
