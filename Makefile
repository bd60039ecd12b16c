# All commands for people. `make help` lists them; README.md says where to begin.

# ---- what can be set ----

CPUS ?= 2# harts (1 to 8)
MEM ?= 256M# memory of the machine
DISK ?=# your own disk image (make never rebuilds it); empty: build/disk.img
ARGS ?=# kernel boot arguments, such as poll=0 or root=initrd
START ?=# a lab's folder name: build what students get for that lab
SAN ?=# 1: a kernel that checks itself: undefined behaviour, stack, lock order
TOOLPREFIX ?=# e.g. riscv64-linux-gnu-; empty: make finds the compiler
QEMU ?=# e.g. /opt/qemu/bin/qemu-system-riscv64; empty: make finds it
VNC ?=# display number: show the picture by VNC on this host, port 5900 + number
VQSAN ?=# 1: check the drivers' memory order; inject=rmb,...: also reorder what the rules allow (docs/ordering.md)
OUT ?= wheel.png# make screenshot: the file to write
TESTS ?= $(or $(wildcard grade/tests),labs)# make test: the folders or files to test
PYTEST_ARGS ?=# more options for pytest, such as -k boot
EXPECTED_SKIPS ?=# if CI is set: the tools that may be missing, by their names in grade/tests/support/needs.py
BUILD ?= build# the directory for all output
V ?=# 1: show complete commands

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
SHELL := /bin/sh
# Python finds the modules of grade/ from every directory, also in child processes.
export PYTHONPATH := $(CURDIR)
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

ifeq ($(filter -j% --jobserver%,$(MAKEFLAGS)),)
MAKEFLAGS += -j$(shell nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2)
endif
MAKEFLAGS += --no-print-directory

# ---- tools ----
#
# tools.sh finds the tools. If one is missing, goals that run something install it; other goals only name it.

GOALS := $(or $(MAKECMDGOALS),all)
NEED_NOTHING := help setup doctor clean format check-format lint matrix-fetch
TESTING := test test-all
USING_STAFFS_TOOLS := $(TESTING) grade handout mutants
PLOTTING := $(TESTING) trace bench-growth experiment-barriers experiment-case
INSTALLING := qemu qemu-gdb qemu-web gdb screenshot record loop hypothesis bench guard profile matrix torture demo-wheel \
    fresh frame-cost calibrate fences models leaderboard next gradescope grade-prepare $(PLOTTING) $(USING_STAFFS_TOOLS)

# make always gives CC a value. Use CC only if you set it: any compiler from the command line, but only clang from the
# environment, where CC usually means the host's compiler.
ifneq ($(origin CC),command line)
CC := $(if $(findstring clang,$(lastword x $(CC))),$(lastword $(CC)))
endif
CHOSEN_TOOLS = CC='$(CC)' TOOLPREFIX='$(TOOLPREFIX)' QEMU='$(QEMU)' HOSTCC='$(HOSTCC)' PYTHON='$(PYTHON)' GDB='$(GDB)'
find_tools = $(eval TOOLS_FOUND :=)$(eval FALLBACK :=) \
    $(foreach line,$(shell $(CHOSEN_TOOLS) sh grade/setup/tools.sh </dev/null),$(eval $(line))) \
    $(if $(TOOLS_FOUND),,$(error grade/setup/tools.sh failed; its message is above))
tell = $(shell printf '%s\n' '$(1)' >&2)

ifneq ($(filter-out $(NEED_NOTHING),$(GOALS)),)
$(find_tools)
comma := ,
space := $(subst ,, )
# The tools that these goals do not need.
UNUSED = $(if $(filter $(INSTALLING),$(GOALS)),,qemu gdb python) $(if $(filter $(USING_STAFFS_TOOLS),$(GOALS)),,staff) \
    $(if $(filter $(PLOTTING),$(GOALS)),,plots) $(if $(filter fresh,$(GOALS)),,debootstrap)
NEEDED = $(strip $(filter-out $(UNUSED),$(subst $(comma), ,$(MISSING))))
ifneq ($(NEEDED),)
ifneq ($(filter $(INSTALLING),$(GOALS)),)
ifeq ($(strip $(foreach flag,n q t,$(findstring $(flag),$(firstword -$(MAKEFLAGS))))),)
SETUP_STATUS := $(shell $(CHOSEN_TOOLS) sh grade/setup/setup.sh '$(subst $(space),$(comma),$(NEEDED))' </dev/null >&2; echo $$?)
$(find_tools)
# Use another compiler only if we cannot install the right one.
ifneq ($(and $(FALLBACK),$(filter gcc,$(NEEDED))),)
$(call tell,make: cannot install riscv64-unknown-elf-gcc; using $(FALLBACK) (give that yourself$(comma) and make does not try again))
$(eval override $(FALLBACK))
export CC TOOLPREFIX
$(find_tools)
endif
endif
endif
ifneq ($(NEEDED),)
$(error not found: $(NEEDED). Try `make setup`$(if $(FALLBACK), or use the compiler that is here: `make $(FALLBACK)`); `make doctor` says more)
endif
endif
endif

# ---- what a student is given ----
#
# With an empty START, everything is solved. Otherwise the code of lab START and of all later labs is missing: students
# write it. Each START has its own build directory. A student's tree has handout.mk instead, and no choice.

-include labs/start.mk handout.mk
ifneq ($(START),)
ifeq ($(origin BUILD),file)
BUILD := build/$(START)
endif
endif

# The kernel that checks itself has its own build directory, too.
ifneq ($(SAN),)
ifeq ($(origin BUILD),file)
BUILD := $(BUILD)/san
endif
SAN_FLAGS := -DRINGFENCE_SAN=1 -fsanitize=undefined -fsanitize-undefined-trap-on-error -fstack-protector-strong
endif

# ---- flags ----

WARN := -Wall -Wextra $(if $(CI),-Werror)
COMMON := -std=gnu11 -march=$(MARCH) -mabi=lp64 -mcmodel=medany -ffreestanding -fno-common \
    -O2 -g $(WARN) -I. $(SOLVED_FLAGS) $(EXTRA_FLAGS)
ifeq ($(KIND),clang)
COMMON := --target=riscv64 $(COMMON) -fno-pie -mno-relax
else
COMMON += -fno-pie -fno-tree-loop-distribute-patterns
endif
KERNEL_FLAGS := $(COMMON) -fno-omit-frame-pointer -DRINGFENCE_KERNEL=1 $(SAN_FLAGS)
USER_FLAGS := $(COMMON) -fno-asynchronous-unwind-tables -Iuser -Iuser/lib -ffunction-sections -fdata-sections
HOST_FLAGS := -std=gnu11 -O2 -g $(WARN) -I. -Iuser -Iuser/lib $(SOLVED_FLAGS)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LINK := -nostdlib -static -z max-page-size=4096 --build-id=none $(LD_QUIET)

# Never link objects that were built with different flags: when the flags change, make rebuilds everything.
# (To keep two builds side by side, use for example BUILD=build/clang.)
FLAGS_STAMP := $(BUILD)/flags
FLAGS_TEXT := $(filter-out -Werror,$(COMPILER) $(HOST_COMPILER) $(KERNEL_FLAGS) $(USER_FLAGS) $(LINK))
ifneq ($(filter-out $(NEED_NOTHING),$(GOALS)),)
ifneq ($(FLAGS_TEXT),$(shell cat $(FLAGS_STAMP) 2>/dev/null))
$(shell mkdir -p $(BUILD); printf '%s\n' '$(FLAGS_TEXT)' >$(FLAGS_STAMP))
endif
# Make all folders here at once. That is faster than doing it in each rule.
FOLDERS := kernel $(wildcard kernel/*/) user $(wildcard user/*/) image host \
    $(foreach folder,mkfs $(wildcard user/*/) grade/marking grade/rate,host/obj/$(folder)) \
    $(foreach folder,kernel/virtio labs/1-virtqueue/host,host/asan/$(folder))
$(shell cd $(BUILD) && mkdir -p $(FOLDERS))
endif

# ---- sources and programs ----

# Instead of some sources, a handout has object files: given/kernel/virtio/blk.c.o.
GIVEN := $(patsubst given/%.o,%,$(wildcard given/user/*.o given/user/*/*.o given/kernel/*.o given/kernel/*/*.o))

# A handout may set its own link order in LINK_FIRST.
KERNEL_SOURCES := $(sort $(wildcard kernel/*.c kernel/*/*.c kernel/*.S kernel/*/*.S) $(filter kernel/%,$(GIVEN)))
KERNEL_SOURCES := $(filter $(KERNEL_SOURCES),$(LINK_FIRST)) $(filter-out $(LINK_FIRST),$(KERNEL_SOURCES))
KERNEL_OBJECTS := $(addprefix $(BUILD)/,$(addsuffix .o,$(KERNEL_SOURCES)))

LIB_SOURCES := $(sort $(wildcard user/lib/*.c user/lib/*.S))
LIB_OBJECTS := $(addprefix $(BUILD)/,$(addsuffix .o,$(LIB_SOURCES)))
# A program P is user/P.c or user/P/*.c.
USER_SOURCES := $(sort $(filter-out user/lib/%,$(wildcard user/*.c user/*/*.c) $(filter user/%,$(GIVEN))))
PROGRAMS := $(sort $(foreach source,$(USER_SOURCES:user/%=%),$(basename $(firstword $(subst /, ,$(source))))))
program_objects = $(patsubst %,$(BUILD)/%.o,$(filter user/$(1).c user/$(1)/%,$(USER_SOURCES)))
IMAGE_FILES := $(PROGRAMS:%=$(BUILD)/image/%) $(BUILD)/image/README

# A handout may not have the sources of all of them.
HOST_PROGRAMS := $(addprefix $(BUILD)/host/,mkfs fsck fscat $(notdir $(basename $(wildcard grade/*/draw_*.c))) \
    $(if $(filter kernel/virtio/virtqueue.c,$(GIVEN)),,$(if $(wildcard labs/1-virtqueue/host/*.c),virtqueue_test)))

.PHONY: all
all: $(BUILD)/kernel.elf $(BUILD)/disk.stamp $(BUILD)/initrd.img $(HOST_PROGRAMS) ## Build the kernel, the programs and the disk

# ---- rules ----

$(BUILD)/kernel/%.o: kernel/% $(FLAGS_STAMP)
	$(call say,CC,$<)
	$(Q)$(COMPILER) $(KERNEL_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/user/%.o: user/% $(FLAGS_STAMP)
	$(call say,CC,$<)
	$(Q)$(COMPILER) $(USER_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/host/obj/%.o: % $(FLAGS_STAMP)
	$(call say,HOSTCC,$<)
	$(Q)$(HOST_COMPILER) $(HOST_FLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/host/asan/%.o: % $(FLAGS_STAMP)
	$(call say,HOSTCC,$< (sanitized))
	$(Q)$(HOST_COMPILER) $(HOST_FLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

$(GIVEN:%=$(BUILD)/%.o): $(BUILD)/%.o: given/%.o $(FLAGS_STAMP)
	@cp $< $@

$(BUILD)/kernel.elf: $(KERNEL_OBJECTS) kernel/boot/kernel.ld $(FLAGS_STAMP)
	$(call say,LD,$@)
	$(Q)$(LINKER) $(LINK) -T kernel/boot/kernel.ld -o $@ $(KERNEL_OBJECTS)

# Our programs ask for 64 KiB of stack. xv6tests is linked like programs of xv6: without our library, and with one page of
# stack.
STACK := 65536
$(BUILD)/user/xv6tests.elf: STACK := 0
$(BUILD)/user/xv6tests.elf: LIBRARY :=
define program_rule
$(BUILD)/user/$(1).elf: $(call program_objects,$(1)) $(if $(filter xv6tests,$(1)),,$(LIB_OBJECTS)) \
    user/lib/user.ld $(FLAGS_STAMP)
	$$(call say,LD,$$@)
	$$(Q)$(LINKER) $(LINK) --gc-sections -z stack-size=$$(STACK) -T user/lib/user.ld -o $$@ $$(filter %.o,$$^)
endef
$(foreach program,$(PROGRAMS),$(eval $(call program_rule,$(program))))

# The image has the programs without symbols. GDB reads the symbols from build/user/*.elf.
$(BUILD)/image/README: README.md
	@cp $< $@
$(BUILD)/image/%: $(BUILD)/user/%.elf
	$(Q)$(OBJCOPY) --strip-all $< $@

# When a program changes, make rebuilds the disk. If the guest has written to the old disk, make keeps that as disk.old.img.
# make never rebuilds your own image (DISK=your.img).
DEVICES := dev/console:c:1:0 dev/fb0:c:2:0 dev/disk0:c:3:0 dev/random:c:4:0 dev/vqstat:c:5:0 \
    dev/null:c:6:0 dev/kstat:c:7:0
$(BUILD)/disk.stamp: $(BUILD)/host/mkfs $(IMAGE_FILES) $(if $(wildcard $(BUILD)/disk.img),,FORCE)
	$(call say,MKFS,$(BUILD)/disk.img)
	@if [ $(BUILD)/disk.img -nt $@ ]; then mv $(BUILD)/disk.img $(BUILD)/disk.old.img && \
	    echo "          programs have changed; the disk you worked on is now $(BUILD)/disk.old.img"; fi
	$(Q)$(BUILD)/host/mkfs -s 48M $(BUILD)/disk.img $(IMAGE_FILES) $(DEVICES)
	@# The disk has sixteen blocks more than its file system: bench writes to them without the file system.
	@dd if=/dev/null of=$(BUILD)/disk.img bs=4096 seek=12304 2>/dev/null
	@touch $@

# The root file system if there is no disk: all programs, and some free space.
$(BUILD)/initrd.img: $(BUILD)/host/mkfs $(IMAGE_FILES)
	$(call say,MKFS,$@)
	$(Q)$(BUILD)/host/mkfs -s 4M $@ $(IMAGE_FILES) $(DEVICES)

# ---- host programs ----

host_objects = $(patsubst %,$(BUILD)/host/obj/%.o,$(1))
# The sources of a program P in mkfs/ are P.c, P_*.c, and all files that belong to no other program there.
IMAGE_TOOLS := mkfs fsck fscat
MKFS_SHARED := $(filter-out $(foreach tool,$(IMAGE_TOOLS),mkfs/$(tool).c mkfs/$(tool)_%.c),$(wildcard mkfs/*.c))
WHEEL := $(filter-out %/main.c %/show.c,$(wildcard user/roulette/*.c)) user/lib/font.c
FBTEST := user/fbtest/patterns.c user/lib/font.c
VIRTQUEUE := kernel/virtio/virtqueue.c $(wildcard labs/1-virtqueue/host/*.c)

$(foreach tool,$(IMAGE_TOOLS),$(eval $(BUILD)/host/$(tool): \
    $(call host_objects,mkfs/$(tool).c $(wildcard mkfs/$(tool)_*.c) $(MKFS_SHARED))))
$(BUILD)/host/draw_wheel: $(call host_objects,grade/rate/draw_wheel.c $(WHEEL))
$(BUILD)/host/draw_fbtest: $(call host_objects,grade/marking/draw_fbtest.c $(FBTEST))
$(BUILD)/host/virtqueue_test: $(patsubst %,$(BUILD)/host/asan/%.o,$(VIRTQUEUE))
$(BUILD)/host/virtqueue_test: HOST_LINK := $(SANITIZE)
$(HOST_PROGRAMS):
	$(call say,HOSTLD,$@)
	$(Q)$(HOST_COMPILER) $(HOST_LINK) -o $@ $^

# ---- running it ----

# Tells a command of grade/ what to work on (grade/machine/job.py). CHOICE holds the variables you set. If the command runs
# make, it passes them on; otherwise that make would rebuild everything with another compiler.
CHOICE = $(foreach name,CC TOOLPREFIX START SAN CI,$(if $($(name)),$(name)=$($(name))))
JOB = BUILD='$(BUILD)' QEMU='$(QEMU_FOUND)' GDB='$(GDB_FOUND)' COMPILER='$(COMPILER)' CHOICE='$(CHOICE)'
HARNESS = $(JOB) $(PYTHON_FOUND) -m

RUN := CPUS='$(CPUS)' MEM='$(MEM)' DISK='$(DISK)' ARGS='$(ARGS)' QEMU='$(QEMU_FOUND)' BUILD='$(BUILD)' \
    VNC='$(VNC)' PYTHON='$(PYTHON_FOUND)' sh grade/show/qemu.sh

.PHONY: qemu qemu-gdb gdb screenshot
qemu: all ## Boot to a shell (CPUS= MEM= DISK= ARGS= VNC=)
	@$(RUN)

qemu-gdb: all ## Start the machine and wait for GDB: type `make gdb` in a second terminal
	@$(RUN) gdb

gdb: $(BUILD)/kernel.elf ## Debug the machine that `make qemu-gdb` started
	@# `make qemu-gdb` may still be starting: wait up to 3 seconds.
	@turns=0; until [ -S $(BUILD)/gdb.sock ] || [ $$turns -ge 15 ]; do turns=$$((turns + 1)); sleep 0.2; done
	@[ -S $(BUILD)/gdb.sock ] || { echo "gdb: nothing to debug: type 'make qemu-gdb' in another terminal first"; exit 1; }
	@$(GDB_FOUND) -q -iex 'add-auto-load-safe-path $(CURDIR)/.gdbinit' -iex 'set $$build = "$(BUILD)"' $(BUILD)/kernel.elf

screenshot: all ## Save a picture of the spinning wheel (OUT=wheel.png)
	@$(HARNESS) grade.show.screenshot $(OUT)

# ---- tests ----

# Two at a time where pytest can do that (xdist): most tests only wait, or keep just one core busy.
PYTEST = EXPECTED_SKIPS='$(EXPECTED_SKIPS)' $(JOB) PYTHON='$(PYTHON_FOUND)' sh grade/tests/pytest.sh --seed='$(SEED)' $(if $(PYTHON_XDIST),-n 2 --dist loadgroup) $(PYTEST_ARGS)
.PHONY: test test-all
test: all ## Run the tests, except the long ones (PYTEST_ARGS="-k boot": only some)
	@$(PYTEST) -m 'not long' $(TESTS)

test-all: all ## Run all tests
	@$(PYTEST) $(TESTS)

# ---- tools and housekeeping ----

.PHONY: setup doctor format check-format clean help
setup: ## Install missing tools
	@$(CHOSEN_TOOLS) sh grade/setup/setup.sh

doctor: ## List the tools found, their versions, and how to fix problems
	@$(CHOSEN_TOOLS) sh grade/setup/doctor.sh

C_FILES = $(shell find kernel user mkfs labs grade -name '*.[ch]')
format: ## Format the C files (.clang-format)
	$(Q)clang-format -i $(C_FILES)

check-format: ## List the C files that `make format` would change
	$(Q)clang-format --dry-run --Werror $(C_FILES)

clean: ## Remove all build output
	rm -rf build $(filter-out build,$(BUILD))

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(wildcard Makefile grade/*/*.mk grade/*/*/*.mk) | awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'
	@echo
	@sed -n '/^# ---- what can be set/,/^\.DEFAULT/s/^\([A-Z_]*\) ?= *\(.*\)# \(.*\)/  \1=\2|\3/p;s/^\([A-Z_]*\) ?=# \(.*\)/  \1=|\2/p' Makefile | \
	    awk -F'|' '{ printf "%-20s %s\n", $$1, $$2 }'

include $(sort $(wildcard grade/*/*.mk grade/*/*/*.mk))

FORCE:
-include $(shell find $(addprefix $(BUILD)/,kernel user host grade vqsan) -name '*.d' 2>/dev/null)
