# make torture: runs the suites in grade/torture, one after another. The Makefile includes this file.

SHARE ?= 1# make torture: 0.1 does a tenth of each suite
SOAK ?= 0# make torture: minutes of the suite soak; 0 means 2 times SHARE

.PHONY: torture
torture: all san $(BUILD)/host/fscheck ## Try to break it: crashes, faults, hostile input, load; 20 minutes (SHARE= SEED= SOAK=minutes TORTURE=suite)
	@$(HARNESS) grade.torture.main --share '$(SHARE)' --seed '$(SEED)' \
	    --soak '$(SOAK)' $(TORTURE)

# Builds the kernel that checks itself, in a separate directory.
.PHONY: san
san:
	@$(MAKE) SAN=1 BUILD=$(BUILD)/san $(BUILD)/san/kernel.elf

# replay consists of the kernel's file system, fscheck's replacements for the rest of the kernel, and the host tools' code
# that reads images. It has no sanitizers (fscheck has): it goes through hundreds of thousands of states.
REPLAY_SOURCES := $(wildcard grade/torture/replay/*.c) $(addprefix grade/torture/fscheck/,disk.c locks.c memory.c) \
    $(filter-out %/kstat.c %/block.c,$(wildcard kernel/fs/*.c))
REPLAY_OBJECTS := $(patsubst %,$(BUILD)/host/replay.obj/%.o,$(REPLAY_SOURCES)) \
    $(call host_objects,$(MKFS_SHARED) user/workload/calls.c user/lib/random.c)

$(BUILD)/host/replay.obj/%.o: % $(FLAGS_STAMP)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOST_COMPILER) -std=gnu11 -g -O2 $(WARN) -Igrade/torture/fscheck/host -Igrade/torture/fscheck -I. -MMD -MP -c -o $@ $<

$(BUILD)/host/replay: $(REPLAY_OBJECTS)
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) -o $@ $^ -lpthread

torture test test-all: $(BUILD)/host/replay
test-all: san

-include $(REPLAY_OBJECTS:.o=.d)

.PHONY: models
models: ## Check with spin that no wake-up is lost, and which mistakes would lose one (grade/torture/models)
	@$(HARNESS) grade.torture.models

# Needs clang with libFuzzer (Debian: clang libclang-rt-dev). If one is missing, this builds no image_fuzzer and the suite
# says so. If both are here, a compile error is an error.
IMAGE_FUZZER := $(BUILD)/host/image_fuzzer
FUZZ := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
TRY_FUZZ = echo 'int LLVMFuzzerTestOneInput(void) { return 0; }' | clang $(FUZZ) -x c -o /dev/null - 2>/dev/null
ifneq ($(filter torture test-all $(IMAGE_FUZZER),$(GOALS)),)
ifeq ($(shell $(TRY_FUZZ) && echo yes),yes)
torture test-all: $(IMAGE_FUZZER)
else
$(shell rm -f $(IMAGE_FUZZER))
endif
endif

$(IMAGE_FUZZER): grade/torture/image_fuzzer.c $(MKFS_SHARED) $(wildcard mkfs/*.h) kernel/fs/format.h
	$(call say,CLANG,$@)
	$(Q)clang -std=gnu11 -g -O1 $(WARN) $(FUZZ) -I. -o $@ $(filter %.c,$^)
