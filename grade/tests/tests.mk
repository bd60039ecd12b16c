# Builds the guests that only tests boot, and runs the checks that need no machine. The Makefile includes this file.

ifeq ($(shell uname -s),Linux)
vqsan: $(BUILD)/vqsan/driver.elf $(BUILD)/vqsan/initrd.img
endif

VQSAN_GUEST := grade/tests/support/vqsan/selftest
VQSAN_GUEST_OBJECTS := $(patsubst %,$(BUILD)/%.o,$(sort $(wildcard $(VQSAN_GUEST)/*.[cS])))

# Compile with a frame pointer, like the kernel: vqsan takes addresses below s0 for the stack.
$(BUILD)/grade/%.o: grade/% $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) $(COMMON) -fno-omit-frame-pointer -MMD -MP -c -o $@ $<

$(BUILD)/vqsan/driver.elf: $(VQSAN_GUEST_OBJECTS) $(VQSAN_GUEST)/guest.ld
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(LINKER) $(LINK) -T $(VQSAN_GUEST)/guest.ld -o $@ $(VQSAN_GUEST_OBJECTS)

# An initrd with one additional program, which sends requests to a hostile device.
$(BUILD)/vqsan/ask: grade/tests/support/vqsan/guest/ask.c $(LIB_OBJECTS) user/lib/user.ld $(FLAGS_STAMP)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(COMPILER) $(USER_FLAGS) -c -o $@.o $<
	$(Q)$(LINKER) $(LINK) -s --gc-sections -z stack-size=65536 -T user/lib/user.ld -o $@ $@.o $(LIB_OBJECTS)

$(BUILD)/vqsan/initrd.img: $(BUILD)/vqsan/ask $(BUILD)/host/mkfs $(IMAGE_FILES)
	$(call say,MKFS,$@)
	$(Q)$(BUILD)/host/mkfs -s 4M $@ $(IMAGE_FILES) $(BUILD)/vqsan/ask $(DEVICES)

.PHONY: lint
CPPCHECK = cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -I. -Iuser \
    -Iuser/lib -Igrade/torture/fscheck $(filter -D%,$(SOLVED_FLAGS)) kernel user mkfs grade labs/1-virtqueue/host
lint: check-format ## Look for mistakes without running anything (needs clang-format, mypy, shellcheck, cppcheck)
	$(Q)mypy --config-file grade/mypy.ini
	$(Q)mypy --config-file grade/mypy.ini labs/*/*.py
	$(Q)shellcheck --severity=warning -e SC1007 $(shell find grade -name '*.sh')
	$(Q)$(CPPCHECK)
