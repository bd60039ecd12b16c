# Measuring, and the same tests with every compiler and QEMU there is; the Makefile includes this.

FLOOR := $(BUILD)/grade/guest/floor.bin

# A raw image: QEMU 7.2 would enter an ELF file at its first byte.
$(FLOOR): grade/guest/floor.S $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) $(COMMON) -c -o $(@:.bin=.o) $<
	$(Q)$(OBJCOPY) -O binary -j .text $(@:.bin=.o) $@

MEASURE = QEMU='$(QEMU_FOUND)' $(PYTHON_FOUND)
# The variables that this make was given, for the build that bench times.
MEASURE_MAKE = '$(firstword $(MAKE)) $(MAKEOVERRIDES)'

UPDATE ?=# make guard: 1 writes the counts instead of comparing them
FRESH ?=# make fresh: which rows, such as trixie; empty: all

.PHONY: bench bench-growth guard matrix matrix-fetch fresh nightly
bench: all $(FLOOR) ## Measure everything against its target: a table, and build/bench.json (1 to 2 minutes)
	@$(MEASURE) grade/bench.py --build $(BUILD) --cpus $(CPUS) --mem $(MEM) --make $(MEASURE_MAKE) $(BENCH)

bench-growth: all ## Measure how costs grow, for the plots of docs/performance.md (some minutes)
	@$(MEASURE) grade/growth.py --build $(BUILD) $(BENCH)

guard: all ## Count the instructions of the main paths against grade/instructions.toml (UPDATE=1: write it; half a minute)
	@$(MEASURE) grade/guard.py --build $(BUILD) --compiler '$(COMPILER)' $(if $(UPDATE),--update)

matrix: all ## Build and test with every compiler and QEMU found (TESTS= PYTEST_ARGS=; MATRIX=dir: where more are unpacked)
	@$(PYTHON_FOUND) grade/matrix.py $(if $(MATRIX),--extra '$(MATRIX)')

matrix-fetch: ## Unpack GCC 14 and QEMU 10 from Debian's mirrors beside the system, for `make matrix`
	@sh grade/matrix_fetch.sh '$(or $(MATRIX),build/matrix)'

fresh: ## Try the README's commands on fresh machines, as root (FRESH=row: see grade/fresh.py; an hour)
	@$(PYTHON_FOUND) grade/fresh.py --logs '$(BUILD)/fresh' $(FRESH)

nightly: ## Everything that .ci/run runs in turns, at once, as root (hours)
	@.ci/run nightly
