# Builds the plugin behind `make profile` and `make guard`. The Makefile includes this file.

ifeq ($(shell uname -s),Linux)
all: $(BUILD)/host/profile.so
endif

PROFILE_SOURCES := grade/plugins/profile/profile.c $(addprefix grade/plugins/common/,qemu.c symbols.c lines.c)
$(BUILD)/host/profile.so: $(patsubst %,$(BUILD)/host/pic/%.o,$(PROFILE_SOURCES))
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) -shared -o $@ $^ -ldl
