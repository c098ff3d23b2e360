# Targets: all (bin/cvmfsbundle with everything inside), demo, test, soak, bench,
# lint, fuzz, cross, clean. See CONTRIBUTING.md.

BIN       ?= bin
ARCHES    := amd64 arm64 ppc64le
HOSTARCH  := $(shell go env GOARCH)
EMBEDDED  := builder/embedded/bin
# A static program: the same bytes wherever and whenever it is built.
GOBUILD   := CGO_ENABLED=0 GOOS=linux go build -trimpath -buildvcs=false
# The stub reads the signal dispositions it was started with from a variable of
# the Go runtime (runtime/inherit); the linker has to be told to allow that.
STUBFLAGS := -tags inheritsignals -ldflags='-s -w -buildid= -checklinkname=0'
LDFLAGS   := -ldflags='-s -w -buildid='
FUZZTIME  ?= 20s

.PHONY: all demo test soak bench lint fuzz cross clean FORCE
all: $(BIN)/cvmfsbundle

$(BIN)/stub-linux-%: FORCE
	@mkdir -p $(@D)
	@echo "build $(@F)"
	@GOARCH=$* $(GOBUILD) $(STUBFLAGS) -o $@ ./stub

$(BIN)/cvmfs2-linux-%: FORCE
	@mkdir -p $(@D)
	@echo "build $(@F)"
	@GOARCH=$* $(GOBUILD) $(LDFLAGS) -o $@ ./cmd/cvmfs2

# The builder carries the stub and the client of every architecture inside.
$(BIN)/cvmfsbundle: embed FORCE
	@mkdir -p $(@D)
	@echo "build $(@F)"
	@$(GOBUILD) $(LDFLAGS) -o $@ ./cmd/cvmfsbundle

.PHONY: embed
embed: $(foreach a,$(ARCHES),$(BIN)/stub-linux-$(a) $(BIN)/cvmfs2-linux-$(a))
	@go run ./builder/embedded/compress $(EMBEDDED) $^

demo: all ## the main job on an embedded example
	@$(GOBUILD) -o $(BIN)/demo ./integration/demo
	@$(BIN)/demo -cvmfsbundle $(BIN)/cvmfsbundle

test: all ## everything, with small fixed seeds
	scripts/setup-debian
	scripts/test

soak: all ## the same tests with the large counts
	scripts/setup-debian
	CVMFSBUNDLE_SOAK=1 scripts/test

bench: all ## benchmarks and paired comparisons
	scripts/bench

lint: ## gofmt, go vet, staticcheck, and the rules of our own
	scripts/lint

fuzz: ## every fuzz target for FUZZTIME
	scripts/fuzz $(FUZZTIME)

cross: ## compiles for every architecture
	for a in $(ARCHES); do CGO_ENABLED=0 GOOS=linux GOARCH=$$a go build -o /dev/null ./stub && \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$$a go build ./... || exit 1; done

clean:
	rm -rf bin $(EMBEDDED)/*.zst
