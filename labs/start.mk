# What is solved at the start of each lab. START=LAB builds what a student is given there, in a directory of its own.
# Each name is a macro SOLVED_name, 0 or 1 in every compiler call, by which the sources fence a solution:
#
#     #if SOLVED_DISK
#     ...the reference...
#     #else
#     ...what the student is given...
#     #endif // SOLVED_DISK
#
# grade/staff/handout.py reads the lines SOLVED_AT_* as well. A handout has neither this file nor a macro left.

SOLUTIONS := VIRTQUEUE DISK GPU WHEEL FRAME_RATE

SOLVED_AT_0-tour := VIRTQUEUE DISK GPU WHEEL FRAME_RATE
SOLVED_AT_1-virtqueue :=
SOLVED_AT_2-disk := VIRTQUEUE
SOLVED_AT_3-gpu := VIRTQUEUE DISK
SOLVED_AT_4-slow-wheel := VIRTQUEUE DISK GPU
SOLVED_AT_5-frame-rate := VIRTQUEUE DISK GPU WHEEL

LABS := $(patsubst SOLVED_AT_%,%,$(sort $(filter SOLVED_AT_%,$(.VARIABLES))))
ifneq ($(START),)
ifeq ($(filter $(START),$(LABS)),)
$(error START=$(START): there is no such lab; choose of: $(LABS))
endif
endif
SOLVED := $(if $(START),$(SOLVED_AT_$(START)),$(SOLUTIONS))
SOLVED_FLAGS := $(foreach name,$(SOLUTIONS),-DSOLVED_$(name)=$(if $(filter $(name),$(SOLVED)),1,0))
