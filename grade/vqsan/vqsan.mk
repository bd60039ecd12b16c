# How vqsan and the guests of its self-test are built; the Makefile includes this.

VQSAN_SOURCES := $(sort $(wildcard grade/vqsan/*.c))
VQSAN_OBJECTS := $(patsubst %,$(BUILD)/host/pic/%.o,$(VQSAN_SOURCES))
VQSAN_GUESTS := $(patsubst grade/vqsan/selftest/%.c,$(BUILD)/vqsan/%.elf,\
    $(filter-out %/machine.c,$(wildcard grade/vqsan/selftest/*.c)))

$(BUILD)/host/pic/%.o: % $(FLAGS_STAMP)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOST_COMPILER) $(HOST_FLAGS) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

$(BUILD)/host/vqsan.so: $(VQSAN_OBJECTS)
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) -shared -o $@ $^ -ldl -lpthread

$(BUILD)/vqsan/%.elf: $(BUILD)/grade/vqsan/selftest/%.c.o $(BUILD)/grade/vqsan/selftest/machine.c.o \
    $(BUILD)/grade/vqsan/selftest/entry.S.o grade/vqsan/selftest/guest.ld
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINKER) $(LINK) -T grade/vqsan/selftest/guest.ld -o $@ $(filter %.o,$^)

$(BUILD)/grade/%.o: grade/% $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) $(COMMON) -MMD -MP -c -o $@ $<

.PHONY: vqsan
vqsan: $(BUILD)/host/vqsan.so $(VQSAN_GUESTS)
