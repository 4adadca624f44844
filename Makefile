# make demo — build, start on the embedded default with a lively synthetic
#             business, open the page. Needs Go and make.
# make test — everything CI runs. Needs Go and a C compiler; the lanes with real
#             servers also Chromium, Dovecot, npm, PostgreSQL, Java with Maven, and
#             a ClickHouse (see internal/servertest); skipped loudly without.
SHELL := /bin/bash
GO ?= go
BIN := bin/redalert
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
AXE_VERSION := 4.14.1
AXE := .cache/axe/$(AXE_VERSION)/axe.min.js

.PHONY: help build demo test test-docker check fmt vet lint unit fuzz-seeds bench bench-large screenshots crash-long fuzz compose-secrets clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s $$'\t'

build: ## build bin/redalert, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/redalert

demo: build ## start the demo business and open the page
	./$(BIN) demo

test: check unit ## everything: format, vet, lint, race tests, real servers, browser

test-docker: ## the same, with Kafka, ClickHouse and PostgreSQL in Docker
	./scripts/with-docker.sh $(MAKE) test

check: fmt vet lint

fmt: ## fail on code that gofmt would change
	@out=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$out" ]; then echo "not gofmt-ed:"; echo "$$out"; exit 1; fi

vet:
	$(GO) vet ./...
	$(GO) vet -tags screenshots ./internal/e2e

lint: ## staticcheck, pinned in go.mod
	$(GO) tool staticcheck ./...

# Fuzz targets run their seeds here; `make fuzz` searches.
unit: $(AXE)
	REDALERT_AXE=$(CURDIR)/$(AXE) $(GO) test -race -shuffle=on -timeout 30m ./...
	$(GO) test -count=1 -run Garbage ./signals/text/... # counts allocations: not with -race

# axe-core for the accessibility lane; without npm the lane says so and skips.
$(AXE):
	@if command -v npm >/dev/null; then ./scripts/fetch-axe.sh $(AXE_VERSION) $(AXE); \
	else echo "npm not found: the accessibility lane will be skipped"; fi

bench: build ## ratios against peers in the same run
	$(GO) run ./cmd/redalert-bench -bin $(BIN)

bench-large: build ## the charts over a hundred million events; takes long and 10 GB
	$(GO) run ./cmd/redalert-bench -bin $(BIN) -only servers -trend-events 100000000

screenshots: build ## write docs/img: every page, wide, phone and dark
	REDALERT_SCREENSHOTS=$(CURDIR)/docs/img $(GO) test -count=1 -tags screenshots -run TestScreenshots -timeout 10m ./internal/e2e

crash-long: build ## a thousand kills instead of two hundred
	$(GO) test -count=1 -run TestCrash -timeout 60m ./internal/e2e -kills 1000

fuzz: ## search each fuzz target for 30 seconds
	@for p in $$($(GO) list ./...); do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "== $$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime 30s -fuzzminimizetime 100x $$p || exit 1; done; done

compose-secrets: ## write the passwords of docker-compose.yml into ./secrets, once
	@./scripts/compose-secrets.sh secrets

clean: ## remove what was built
	rm -rf bin .cache
