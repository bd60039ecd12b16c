# make torture: the suites in grade/torture, one after the other. The Makefile includes this.

SHARE ?= 1# of make torture: 0.1 does a tenth of each suite
SOAK ?= 0# minutes of its suite soak; 0: two, times SHARE

.PHONY: torture
torture: all san $(BUILD)/host/fscheck ## Break it: crashes, faults, hostile input, load; 20 minutes (SHARE= SEED= SOAK=minutes TORTURE=suite)
	@$(HARNESS) grade.torture.main --share '$(SHARE)' --seed '$(SEED)' \
	    --soak '$(SOAK)' $(TORTURE)

# The kernel that checks itself, in a directory of its own.
.PHONY: san
san:
	@$(MAKE) SAN=1 BUILD=$(BUILD)/san $(BUILD)/san/kernel.elf

# replay is made of the kernel's file system, of fscheck's stand-ins for the rest of the kernel, and of the host tools'
# own reading of images. It is not sanitized (fscheck is): it goes through hundreds of thousands of states.
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
models: ## Show that no wake-up is lost, and by which mistakes it would be: grade/torture/models under spin
	@$(HARNESS) grade.torture.models

# Needs clang with its fuzzer (Debian: clang libclang-rt-dev). Where either is missing there is no image_fuzzer, and the
# suite says so. Where both are here, its source must compile.
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
