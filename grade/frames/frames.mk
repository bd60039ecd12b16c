# The plugin that counts what frames cost; the Makefile includes this.

ifeq ($(shell uname -s),Linux)
all: $(BUILD)/host/frames.so
endif

FRAMES_SOURCES := grade/frames/frames.c grade/vqsan/qemu.c
$(BUILD)/host/frames.so: $(FRAMES_SOURCES) grade/vqsan/qemu.h user/profile_mark.h $(FLAGS_STAMP)
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) $(HOST_FLAGS) -fPIC -fvisibility=hidden -shared -o $@ $(FRAMES_SOURCES) -ldl

.PHONY: frame-cost calibrate
SIZE ?= 640x480# make frame-cost: of the picture
frame-cost: all ## What a frame of the wheel costs, as the judge counts it (SIZE=)
	@BUILD='$(BUILD)' QEMU='$(QEMU_FOUND)' $(PYTHON_FOUND) grade/judge.py -r '$(SIZE)'

calibrate: all ## Measure on this host what the prices of the frame rate's judge stand for (a minute)
	@BUILD='$(BUILD)' QEMU='$(QEMU_FOUND)' $(PYTHON_FOUND) grade/prices.py
