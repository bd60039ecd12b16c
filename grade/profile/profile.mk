# make profile: where the time and the instructions of a row of `make bench` go; the Makefile includes this.
# It shares vqsan's knowledge of QEMU and of ELF files, and needs Linux as that does.

ifeq ($(shell uname -s),Linux)
PROFILE ?= getpid show-1920# make profile: names of `bench`, or boot

.PHONY: profile
all: $(BUILD)/host/profile.so
profile: all ## Say where the instructions and the time of a benchmark go (PROFILE="show-1920 boot")
	@$(MEASURE) grade/profile/profile.py --build $(BUILD) $(PROFILE)
endif

PROFILE_SOURCES := grade/profile/profile.c grade/vqsan/qemu.c grade/vqsan/symbols.c grade/vqsan/lines.c
$(BUILD)/host/profile.so: $(patsubst %,$(BUILD)/host/pic/%.o,$(PROFILE_SOURCES))
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) -shared -o $@ $^ -ldl
