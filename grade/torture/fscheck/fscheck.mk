# Builds the kernel's file system as a sanitized host program, for tests only (main.c explains it).

FSCHECK_SOURCES := $(wildcard grade/torture/fscheck/*.c) $(filter-out %/kstat.c %/block.c,$(wildcard kernel/fs/*.c))
FSCHECK_OBJECTS := $(patsubst %,$(BUILD)/host/fscheck.obj/%.o,$(FSCHECK_SOURCES))

$(FSCHECK_OBJECTS): $(BUILD)/host/fscheck.obj/%.o: % $(FLAGS_STAMP)
	$(call say,HOSTCC,$< (sanitized))
	@mkdir -p $(@D)
	$(Q)$(HOST_COMPILER) -std=gnu11 -g -O1 $(WARN) $(SANITIZE) -Igrade/torture/fscheck/host -Igrade/torture/fscheck -I. -MMD -MP -c -o $@ $<

$(BUILD)/host/fscheck: $(FSCHECK_OBJECTS)
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) $(SANITIZE) -o $@ $^ -lpthread

test test-all: $(BUILD)/host/fscheck

-include $(FSCHECK_OBJECTS:.o=.d)
