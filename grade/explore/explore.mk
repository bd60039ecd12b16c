# Experiments on how a driver waits. The Makefile includes this; a handout has it from lab 4 on.

FUNCTION ?= virtq_poll# make loop: the kernel's function to show
COMMAND ?=# make trace: what is run (roulette -q -f 0 -n 3)
EXPERIMENT ?=# make hypothesis: which one; empty: it lists them
GUESS ?=# make hypothesis: your guess, if you do not want to be asked

.PHONY: loop trace hypothesis
loop: $(BUILD)/kernel.elf ## Show the loops of a kernel function as they were compiled (FUNCTION=)
	@$(HARNESS) grade.explore.loop --function '$(FUNCTION)' $<

trace: all ## Where the time of a picture goes: table, plot, and a file for Perfetto (COMMAND= CPUS= ARGS=)
	@$(HARNESS) grade.explore.timeline --cpus '$(CPUS)' --args '$(ARGS)' $(if $(COMMAND),--command '$(COMMAND)')

hypothesis: all ## Guess first, then see: an experiment, written into your notebook (EXPERIMENT= GUESS=)
	@$(HARNESS) grade.explore.hypothesis '$(EXPERIMENT)'
