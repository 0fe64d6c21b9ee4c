# ringkv. `make` lists the targets. Go and make are all that is needed; Docker too for images, up, down and integration.

NODES ?= 3
CONSUL_IMAGE ?= hashicorp/consul:1.22
CONSUL_BUILT := ringkv/consul:$(shell sed -n 's|.*github.com/hashicorp/consul v\([0-9.]*\).*|\1|p' deploy/consul/go.mod)
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

# The thread by which Go's runtime watches a program falls asleep whenever the program waits, is woken by its next system call, and then looks every 20 us for a
# while. Where programs share few cores that costs a fifth of the throughput (README.md, "How fast"; https://go.dev/issue/18236). A program that is to trace its
# scheduler keeps that thread awake, looking every 10 ms at last: here it is to print such a line every 25 days, and does so at its start where the machine has been
# up for longer. GODEBUG=schedtrace=0 undoes it. It takes the place of what go.mod may set by `godebug`, which is nothing.
AWAKE := -X runtime.godebugDefault=schedtrace=2147483647
BUILD := CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION) $(AWAKE)"
BUILD_CONSUL := CGO_ENABLED=0 go build -trimpath -ldflags "-s -w"
COMPOSE = $(shell if command -v docker-compose >/dev/null; then echo docker-compose; \
	elif docker compose version >/dev/null 2>&1; then echo docker compose; fi)
# The image of Consul that `make images` decided on.
CONSUL_USED = CONSUL_IMAGE=$$(cat bin/image/consul.name)
# Modules of their own inside the tree, which `./...` does not reach.
MODULES := $(filter-out deploy/consul deploy/lint,$(patsubst %/go.mod,%,$(wildcard */go.mod */*/go.mod */*/*/go.mod)))

# What is built is found by the programs and tests; a Consul of the machine's own comes first.
export PATH := $(PATH):$(CURDIR)/bin
# Nothing is pulled for testcontainers itself, and published ports are looked for here.
TESTCONTAINERS_RYUK_DISABLED ?= true
TESTCONTAINERS_HOST_OVERRIDE ?= localhost
export TESTCONTAINERS_RYUK_DISABLED TESTCONTAINERS_HOST_OVERRIDE

.PHONY: help run build consul test unit modules process soak seeded integration bench wrk lint vulnerabilities images consulimage docker compose up down clean
.NOTPARALLEL:

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile | expand -t 20

run: build consul ## start Consul, NODES=3 nodes and a gateway here; Ctrl-C stops them
	@exec bin/dev -nodes $(NODES)

build: ## build the programs into bin/
	$(BUILD) -o bin/kvnode ./node
	$(BUILD) -o bin/kvgateway ./gateway
	$(BUILD) -o bin/dev ./deploy/dev

consul:
	@command -v consul >/dev/null || $(MAKE) --no-print-directory bin/consul

bin/consul:
	@echo "building Consul from its Go module: some minutes, once"
	cd deploy/consul && $(BUILD_CONSUL) -o ../../bin/consul github.com/hashicorp/consul

test: consul unit modules process ## pass all tests: unit, clusters in one process, processes of this machine, containers
	@if docker version >/dev/null 2>&1; then $(MAKE) --no-print-directory integration; \
	else echo "THE TESTS WITH CONTAINERS DID NOT RUN: NO DOCKER ENGINE CAN BE REACHED (docker version tells why)"; \
	test "$$CI" != true; fi

# The race detector needs a C compiler; where there is none, Go turns cgo off by itself.
unit:
	go vet ./...
	@if test "$$(go env CGO_ENABLED)" = 1; then echo go test -race ./... && go test -race ./...; \
	else echo go test ./... && go test ./... && echo "THE RACE DETECTOR DID NOT RUN: IT NEEDS A C COMPILER" && test "$$CI" != true; fi
	@echo go test ./node/store/jsonstore, with power cuts at every step, of which the race detector leaves time for few
	@go test ./node/store/jsonstore
	@echo go test ./integration/simulation, all seeds, of which the race detector leaves time for few
	@go test -timeout 30m ./integration/simulation

modules:
	@for m in $(MODULES); do echo "$$m: go vet, go test"; (cd $$m && go vet ./... && go test ./...) || exit; done

# From their folder, so that all they print shows: what was done, and what this machine doesn't allow.
process: consul ## break processes, links and disks of this machine, a few times each
	cd integration/process && go test -count=1 -timeout 20m -tags integration

MINUTES ?= 60
soak: consul ## break processes, links and disks of this machine, over and over, and then MINUTES=60 of any three faults at once
	cd integration/process && go test -count=1 -timeout 0 -tags integration -args \
	-kills 200 -allkills 50 -hits 10 -cuts 200 -rounds 30 -minutes $(MINUTES)

seeded: ## put known bugs that lose data into copies of the source: the tests must notice each; half an hour
	go test -count=1 -timeout 0 -v ./integration/seeded -planted

# One package after the other: each brings up machines of its own.
integration: images ## run the tests with Consul and the nodes in containers
	$(CONSUL_USED) go test -p 1 -count=1 -timeout 25m -tags integration ./integration ./deploy/...

# README, "How fast", lists what else can be chosen. etcd and nginx are measured where they are installed.
bench: build consul wrk ## measure beside Consul's KV, etcd and nginx, for half an hour; SHORT=1 to try it, FAULTS=1 for faults and crowds
	$(BUILD) -o bin/bench ./deploy/bench
	@exec bin/bench

wrk:
	@command -v wrk >/dev/null || { echo "make bench needs wrk, which makes the load: apt-get install wrk, or see https://github.com/wg/wrk" >&2; exit 1; }

# An error that begins with a name such as Consul has a capital letter, which ST1005 minds.
lint: ## check format, vet, staticcheck, errcheck, go.mod files, known vulnerabilities
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt -w these:" $$files >&2; exit 1; }
	go vet ./...
	go vet -tags integration ./...
	cd deploy/lint && CGO_ENABLED=0 go build -o ../../bin/lint/ tool
	@for m in . $(MODULES); do echo "$$m: staticcheck, errcheck"; (cd $$m && \
		$(CURDIR)/bin/lint/staticcheck -checks inherit,-ST1005 -tags integration ./... && \
		$(CURDIR)/bin/lint/errcheck -tags integration -ignoretests -exclude $(CURDIR)/deploy/lint/errcheck.txt ./...) || exit; done
	@for m in . deploy/consul deploy/lint $(MODULES); do echo "$$m: go mod tidy -diff"; (cd $$m && go mod tidy -diff) || exit; done
	@$(MAKE) --no-print-directory vulnerabilities

# Exit status 3 means found. Anything else but 0 is a database that can't be reached, which not every network lets through.
vulnerabilities:
	@echo govulncheck ./...; report=$$(bin/lint/govulncheck ./... 2>&1); case $$? in 0) ;; 3) echo "$$report" >&2; exit 1;; \
	*) echo "GOVULNCHECK DID NOT RUN: $$(echo "$$report" | tail -1)";; esac

images: docker ## build the images ringkv/node and ringkv/gateway; Consul's too where it can't be pulled
	@mkdir -p bin/image/ringkv/empty
	GOOS=linux $(BUILD) -o bin/image/ringkv/kvnode ./node
	GOOS=linux $(BUILD) -o bin/image/ringkv/kvgateway ./gateway
	docker build -q -t ringkv/node:dev --target node -f deploy/Dockerfile bin/image/ringkv
	docker build -q -t ringkv/gateway:dev --target gateway -f deploy/Dockerfile bin/image/ringkv
	@if docker image inspect $(CONSUL_IMAGE) >/dev/null 2>&1 || \
	{ echo "docker pull $(CONSUL_IMAGE) (if that fails, Consul is built from its Go module)"; docker pull -q $(CONSUL_IMAGE); }; then name=$(CONSUL_IMAGE); \
	else $(MAKE) --no-print-directory consulimage && name=$(CONSUL_BUILT); fi && \
	echo "Consul's image: $$name" && echo $$name >bin/image/consul.name

consulimage: bin/image/consul/consul
	@docker image inspect $(CONSUL_BUILT) >/dev/null 2>&1 || \
	docker build -q -t $(CONSUL_BUILT) -f deploy/consul/Dockerfile bin/image/consul

# What is in bin/ serves where it is a program for Linux already.
bin/image/consul/consul:
	@mkdir -p bin/image/consul
	if test "$$(go env GOOS)" = linux && test -x bin/consul; then cp bin/consul $@; \
	else cd deploy/consul && GOOS=linux $(BUILD_CONSUL) -o ../../$@ github.com/hashicorp/consul; fi

docker:
	@docker version >/dev/null 2>&1 || { echo "no Docker engine can be reached: docker version tells why" >&2; exit 1; }

compose: docker
	@test -n "$(COMPOSE)" || { echo "neither docker-compose nor docker compose is installed" >&2; exit 1; }

up: compose images build ## start three nodes, two gateways and Consul in containers
	$(CONSUL_USED) $(COMPOSE) -p ringkv -f deploy/compose.yaml up -d
	bin/dev -await localhost:8001,localhost:8002
	@echo "nodes on localhost:5000 to 5002, Consul's UI on http://localhost:8500/ui; make down stops it"

down: compose ## stop what `make up` started; its data stays in Docker's volumes
	$(COMPOSE) -p ringkv -f deploy/compose.yaml down

clean: ## remove bin/ and data/: what was built, and what `make run` stored
	rm -rf bin data
