# Builds vqsan. The Makefile includes this file.

# The plugin supports Linux only.
ifeq ($(shell uname -s),Linux)
.PHONY: vqsan
all: vqsan
vqsan: $(BUILD)/host/vqsan.so
endif

VQSAN_OBJECTS := $(patsubst %,$(BUILD)/host/pic/%.o,$(sort $(wildcard grade/plugins/vqsan/*.c grade/plugins/common/*.c)))

$(BUILD)/host/vqsan.so: $(VQSAN_OBJECTS)
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) -shared -o $@ $^ -ldl -lpthread
