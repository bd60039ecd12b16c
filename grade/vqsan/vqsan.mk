# How vqsan and the guest of its self-test are built; the Makefile includes this.

# The plugin is made for, and tested on, Linux.
ifeq ($(shell uname -s),Linux)
.PHONY: vqsan
all: vqsan
vqsan: $(BUILD)/host/vqsan.so
# A handout has neither the self-test's guest nor what runs it.
ifneq ($(wildcard grade/vqsan/selftest),)
vqsan: $(BUILD)/vqsan/driver.elf $(BUILD)/vqsan/initrd.img
endif
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

# With a frame pointer, as in the kernel: vqsan takes what lies below s0 for the stack.
$(BUILD)/grade/%.o: grade/% $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) $(COMMON) -fno-omit-frame-pointer -MMD -MP -c -o $@ $<

$(BUILD)/vqsan/driver.elf: $(VQSAN_GUEST_OBJECTS) grade/vqsan/selftest/guest.ld
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINKER) $(LINK) -T grade/vqsan/selftest/guest.ld -o $@ $(VQSAN_GUEST_OBJECTS)

# An initrd with one program more, which asks a device that breaks its promises.
$(BUILD)/vqsan/ask: grade/vqsan/guest/ask.c $(LIB_OBJECTS) user/lib/user.ld $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) $(USER_FLAGS) -c -o $@.o $<
	$(Q)$(LINKER) $(LINK) -s --gc-sections -z stack-size=65536 -T user/lib/user.ld -o $@ $@.o $(LIB_OBJECTS)

$(BUILD)/vqsan/initrd.img: $(BUILD)/vqsan/ask $(BUILD)/host/mkfs $(IMAGE_FILES)
	$(call say,MKFS,$@)
	$(Q)$(BUILD)/host/mkfs -s 4M $@ $(IMAGE_FILES) $(BUILD)/vqsan/ask $(DEVICES)
