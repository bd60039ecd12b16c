# How vqsan and the guest of its self-test are built; the Makefile includes this. Where it says BUILD=, keep
# the plugin and the kernel of one build together.

# QEMU's plugins are for Linux here: elsewhere there is no memfd to reach the guest's memory through.
ifeq ($(shell uname -s),Linux)
.PHONY: vqsan
all: vqsan
vqsan: $(BUILD)/host/vqsan.so $(BUILD)/vqsan/driver.elf
endif

VQSAN_OBJECTS := $(patsubst %,$(BUILD)/host/pic/%.o,$(sort $(wildcard grade/vqsan/*.c)))
VQSAN_GUEST_OBJECTS := $(patsubst %,$(BUILD)/%.o,$(sort $(wildcard grade/vqsan/selftest/*.[cS])))

$(BUILD)/host/pic/%.o: % $(FLAGS_STAMP)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOST_COMPILER) $(HOST_FLAGS) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<

$(BUILD)/host/vqsan.so: $(VQSAN_OBJECTS)
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) -shared -o $@ $^ -ldl -lpthread

$(BUILD)/grade/%.o: grade/% $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) $(COMMON) -MMD -MP -c -o $@ $<

$(BUILD)/vqsan/driver.elf: $(VQSAN_GUEST_OBJECTS) grade/vqsan/selftest/guest.ld
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINKER) $(LINK) -T grade/vqsan/selftest/guest.ld -o $@ $(VQSAN_GUEST_OBJECTS)
