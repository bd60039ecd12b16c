# Builds the plugin that counts what frames cost. The Makefile includes this file.

ifeq ($(shell uname -s),Linux)
all: $(BUILD)/host/frames.so
endif

FRAMES_SOURCES := grade/plugins/frames/frames.c grade/plugins/common/qemu.c
$(BUILD)/host/frames.so: $(patsubst %,$(BUILD)/host/pic/%.o,$(FRAMES_SOURCES))
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) -shared -o $@ $^ -ldl
