# What one can do here. `make` alone lists it.

GO      ?= go
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
LDFLAGS  = -s -w -X main.version=$(VERSION)
FUZZTIME ?= 10s
BENCH   ?= .
LIMIT_MB = 40

export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help
.PHONY: help build demo test race lint fuzz soak mutants bench profile e2e check release clean

help: ## list the verbs
	@awk -F':.*## ' '/^[a-z0-9]+:.*## /{printf "  make %-9s %s\n", $$1, $$2}' Makefile

build: ## build bin/traboule
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/traboule ./cmd/traboule

demo: build ## two real nodes: import, query, add, grant, a view, fetch, revoke (FILE=path takes your own)
	@bash cmd/traboule/demo.sh bin/traboule "$(FILE)"

test: ## all tests, and which were skipped
	@bash .ci/test ./...

race: ## all tests under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 20m ./...

lint: ## gofmt, vet, staticcheck
	@bash .ci/lint

fuzz: ## every fuzz target for FUZZTIME (10s), with a table of executions
	@$(GO) run ./.ci/fuzz -time $(FUZZTIME) -only '$(ONLY)'

soak: ## every campaign of docs/reliability.md, large: hours (ONLY=powercut, SEED=1)
	@$(GO) run ./.ci/soak -only '$(ONLY)' $(if $(SEED),-seed $(SEED))

mutants: ## each Sync taken out of the code alone: which test notices (ONLY=journal/)
	@$(GO) run ./.ci/mutants $(ONLY)

bench: ## how fast, beside others: goal and figure (TRABOULE_BENCH_FULL=1 for 1 GiB)
	@{ $(GO) test -run '^TestIdleDay$$' -v -count 1 ./testnet/speed && \
	   $(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 1x -count 3 -timeout 30m ./testnet/speed && \
	   $(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 1x -count 3 ./node && \
	   $(GO) test -run '^$$' -bench GoogleRecords -benchtime 1x -count 3 ./storage/importer && \
	   $(GO) test -run '^$$' -bench 'Check|VerifySignature' -count 3 ./node/access ./protocol/ucan; } 2>&1 | $(GO) run ./.ci/figures

profile: ## where the processors' time goes (BENCH=Fetch/D1): the file speed.prof
	@$(GO) test -run '^$$' -bench '$(BENCH)' -benchtime 1x -count 3 -cpuprofile speed.prof -o bin/speed.test -outputdir . ./testnet/speed
	@$(GO) tool pprof -top bin/speed.test speed.prof 2>/dev/null | head -30

e2e: ## the scenarios between real nodes
	$(GO) test -count=1 -run 'TestScripts' -timeout 20m ./cmd/traboule ./testnet

check: ## what CI runs (CI sets CI=true: then no test may be skipped)
	@bash .ci/run

release: ## cross-compile, CGO-free and stripped, and weigh
	@LDFLAGS='$(LDFLAGS)' bash .ci/release $(LIMIT_MB)

clean: ## take away what was built
	rm -rf bin dist speed.prof
