# Measures how fast the kernel is and where its time goes. The Makefile includes this file.

FLOOR := $(BUILD)/grade/measure/floor.bin

# A raw image, because QEMU 7.2 would start an ELF file at its first byte.
$(FLOOR): grade/measure/floor.S $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) $(COMMON) -c -o $(@:.bin=.o) $<
	$(Q)$(OBJCOPY) -O binary -j .text $(@:.bin=.o) $@

UPDATE ?=# make guard: 1 writes the counts instead of comparing them

.PHONY: bench bench-growth guard
bench: all $(FLOOR) ## Measure everything against its target: a table, and build/bench.json (1 to 2 minutes)
	@$(HARNESS) grade.measure.bench --cpus $(CPUS) --mem $(MEM) $(BENCH)

bench-growth: all ## Measure how costs grow, for the plots of docs/performance.md (some minutes)
	@$(HARNESS) grade.measure.growth $(BENCH)

guard: all ## Compare the instruction counts of the main paths with grade/measure/instructions.toml (UPDATE=1: write it; half a minute)
	@$(HARNESS) grade.measure.guard $(if $(UPDATE),--update)

# The plugin that counts supports Linux only.
ifeq ($(shell uname -s),Linux)
PROFILE ?= getpid show-1920# make profile: names of `bench`, or boot

.PHONY: profile
profile: all ## Show where the instructions and the time of a benchmark go (PROFILE="show-1920 boot")
	@$(HARNESS) grade.measure.profile $(PROFILE)
endif
