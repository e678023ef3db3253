# Graphveil. `make help` lists what there is; CI calls nothing else.

ENVOY_VERSION := 1.40.0
STATICCHECK   := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0
TOOLS         := .tools
ENVOY_DIR     := $(TOOLS)/envoy-$(ENVOY_VERSION)

# What checks what is shipped, a module of its own (see its README).
KIT := deploy/kit

# What several goroutines share; tested again with the race detector, which needs a
# C compiler.
CONCURRENT := ./auth/... ./bench/load ./bench/tenant/... ./bench/wan ./extproc/... ./policy ./policy/opa ./process ./watch
CC_FOUND   := $(shell command -v $${CC:-cc} 2>/dev/null)

.PHONY: help
help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: build envoy ## Start Envoy, the processor and a synthetic tenant; print curl lines to try. ARGS=--check tries itself.
	./graphveil demo $(ARGS)

.PHONY: test
test: build envoy ## Run every test, with a real Envoy, and the benchmarks as a smoke run.
	go test -timeout 20m ./...
	cd $(KIT) && go test -count=1 -timeout 20m ./... # the cache of results does not see files outside a module
	$(MAKE) bench-quick
ifneq ($(CC_FOUND),)
	go test -race -timeout 20m $(CONCURRENT)
else
	@echo "no C compiler: the race detector did not run"
endif

.PHONY: bench
bench: build envoy ## Measure everything beside its peers, in about 10 minutes; writes bench/results.json, RESULTS.md and plots.
	go run ./bench/harness $(ARGS)

.PHONY: bench-quick
bench-quick: build envoy ## Show in about 1 minute that every benchmark runs and nothing is refused; judges no target.
	go run ./bench/harness -quick

.PHONY: build
build: ## Build ./graphveil.
	CGO_ENABLED=0 go build -trimpath -o graphveil .

.PHONY: image
image: ## Build the container images, without a container engine, into deploy/image/out.
	cd $(KIT) && go run ./image $(ARGS)

.PHONY: envoy
envoy: ## Find Envoy (ENVOY, PATH) or install it into .tools, without root.
	@python3 envoy/install.py $(ENVOY_DIR)

.PHONY: lint
lint: build ## Check format, Go (vet, staticcheck, govulncheck) and Rego (fmt, strict check).
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt-ed: $$unformatted"; exit 1; fi
	go vet ./...
	cd $(KIT) && go vet ./...
	go run $(STATICCHECK) ./...
	cd $(KIT) && go run $(STATICCHECK) ./...
	./graphveil policy check builtin
	@GOBIN=$(abspath $(TOOLS)) go install $(GOVULNCHECK)
	@for module in . $(KIT); do \
		out=$$(cd $$module && $(abspath $(TOOLS))/govulncheck ./... 2>&1); status=$$?; \
		if [ $$status -ne 0 ] && [ $$status -ne 3 ] && echo "$$out" | grep -q 'fetching vulnerabilities'; then \
			echo "govulncheck: not run, the vulnerability database cannot be reached from here"; \
		else echo "$$out"; [ $$status -eq 0 ] || exit $$status; fi; \
	done

.PHONY: fuzz
fuzz: ## Fuzz each target, FUZZ executions each (default 100000x; a count, for time limits end early on some toolchains: golang/go#75804).
	@for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime $${FUZZ:-100000x} -fuzzminimizetime 10x $$package || exit 1; \
		done; \
	done

.PHONY: update
update: build envoy ## Rewrite golden files and scenario expectations from what is.
	go test . ./auth ./deploy/setup ./envoy ./extproc -update

.PHONY: clean
clean: ## Remove what make made.
	rm -rf graphveil $(TOOLS)
