# What a newcomer and CI need. `make help` lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
REVISION ?= $(shell git rev-parse HEAD 2>/dev/null)
DATA    ?= data
LISTEN  ?= 127.0.0.1:8080
PROFILE ?= default
TESTFLAGS ?=

export CGO_ENABLED ?= 1

.PHONY: help run build test check lint vuln bench pgo runtime clients tools fmt clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build runtime ## set up everything and start a server on $(LISTEN)
	bin/convoke serve --data $(DATA) --listen $(LISTEN) --write-profile $(PROFILE)

build: ## bin/convoke
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w -X main.version=$(VERSION) -X main.revision=$(REVISION)' -o bin/convoke ./cmd/convoke

runtime: runtime/node/node_modules/.ready ## the pinned Node builds that functions run on

runtime/node/node_modules/.ready: runtime/node/package.json runtime/node/package-lock.json
	cd runtime/node && npm ci --no-audit --no-fund --loglevel=error
	@for node in runtime/node/node_modules/*/bin/node; do $$node --version >/dev/null || \
	  { echo "$$node does not run; install the library that it names (on Debian: apt-get install libatomic1)"; exit 1; }; done
	@touch $@

clients: internal/worker/testdata/clients/node_modules/.ready ## the npm clients whose calls are tested

internal/worker/testdata/clients/node_modules/.ready: internal/worker/testdata/clients/package.json internal/worker/testdata/clients/package-lock.json
	cd internal/worker/testdata/clients && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

tools: e2e/npm/node_modules/.ready ## the reference's public tools, which end-to-end tests drive

e2e/npm/node_modules/.ready: e2e/npm/package.json e2e/npm/package-lock.json
	cd e2e/npm && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

test: runtime clients tools ## every test, end to end too
	$(GO) test $(TESTFLAGS) $$($(GO) list ./... | grep -v -e /internal/app$$ -e /e2e$$ -e ^convoke/client$$)
	$(GO) test $(TESTFLAGS) -p 1 -timeout 20m ./client ./internal/app ./e2e # whole servers, and how functions share the machine: one at a time

check: lint vuln ## what CI runs: lint, tests with the race detector, generated files
	$(MAKE) test TESTFLAGS='-race -shuffle=on'
	git diff --exit-code -- ':!*.md'

lint: ## format, vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	$(GO) mod verify
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

vuln: ## known vulnerabilities, where the database can be reached
	@$(GO) tool govulncheck ./... || { test $$? -ne 3 && echo "govulncheck could not run here; skipped"; }

bench: build runtime ## the benchmark, as a table for docs/performance.md
	cd bench && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	$(GO) run ./cmd/convoke-bench $(BENCHFLAGS)

pgo: runtime ## renew the profile of the warm path that the compiler optimises for
	$(GO) test -run '^$$' -bench InvokeHTTP -benchtime 12s -cpuprofile $(CURDIR)/cmd/convoke/default.pgo -o $(CURDIR)/bin/app.test ./internal/app

fmt: ## format all Go files
	gofmt -w $$(git ls-files '*.go')

clean: ## remove what was built, keep data
	rm -rf bin runtime/node/node_modules internal/worker/testdata/clients/node_modules e2e/npm/node_modules
