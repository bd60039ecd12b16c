# Experiments on how a driver waits. The Makefile includes this; handouts have it from lab 4 on.

FUNCTION ?= virtq_poll# make loop: the kernel function to show
COMMAND ?=# make trace: the program to run; empty: roulette -q -f 0 -n 3
EXPERIMENT ?=# make hypothesis: its name; empty: list the experiments
GUESS ?=# make hypothesis: your guess; empty: make asks you

.PHONY: loop trace hypothesis
loop: $(BUILD)/kernel.elf ## Show the compiled loops of a kernel function (FUNCTION=)
	@$(HARNESS) grade.explore.loop --function '$(FUNCTION)' $<

trace: all ## Show where the time of a frame goes: table, plot, and a file for Perfetto (COMMAND= CPUS= ARGS=)
	@$(HARNESS) grade.explore.timeline --cpus '$(CPUS)' --args '$(ARGS)' $(if $(COMMAND),--command '$(COMMAND)')

hypothesis: all ## Guess, run an experiment, and add both to your notebook (EXPERIMENT= GUESS=)
	@$(HARNESS) grade.explore.hypothesis '$(EXPERIMENT)'
