# How fast the kernel is, and where its time goes; the Makefile includes this.

FLOOR := $(BUILD)/grade/measure/floor.bin

# A raw image: QEMU 7.2 would enter an ELF file at its first byte.
$(FLOOR): grade/measure/floor.S $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) $(COMMON) -c -o $(@:.bin=.o) $<
	$(Q)$(OBJCOPY) -O binary -j .text $(@:.bin=.o) $@

MEASURE = QEMU='$(QEMU_FOUND)' $(PYTHON_FOUND)
# The variables that this make was given, for the build that bench times.
MEASURE_MAKE = '$(firstword $(MAKE)) $(MAKEOVERRIDES)'

UPDATE ?=# make guard: 1 writes the counts instead of comparing them

.PHONY: bench bench-growth guard
bench: all $(FLOOR) ## Measure everything against its target: a table, and build/bench.json (1 to 2 minutes)
	@$(MEASURE) -m grade.measure.bench --build $(BUILD) --cpus $(CPUS) --mem $(MEM) --make $(MEASURE_MAKE) $(BENCH)

bench-growth: all ## Measure how costs grow, for the plots of docs/performance.md (some minutes)
	@$(MEASURE) -m grade.measure.growth --build $(BUILD) $(BENCH)

guard: all ## Count the instructions of the main paths against grade/measure/instructions.toml (UPDATE=1: write it; half a minute)
	@$(MEASURE) -m grade.measure.guard --build $(BUILD) --compiler '$(COMPILER)' $(if $(UPDATE),--update)

# The plugin that counts is for Linux only.
ifeq ($(shell uname -s),Linux)
PROFILE ?= getpid show-1920# make profile: names of `bench`, or boot

.PHONY: profile
profile: all ## Say where the instructions and the time of a benchmark go (PROFILE="show-1920 boot")
	@$(MEASURE) -m grade.measure.profile --build $(BUILD) $(PROFILE)
endif
