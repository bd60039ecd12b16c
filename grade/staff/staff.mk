# What staff make; none of it is in a handout.

ID ?=# of a handout: what varies in it, such as a student's number; empty: nothing
SUBMISSION ?=# make grade: a student's directory, zip or tar
ONLY ?=# make mutants: those with this in their names
VERDICTS ?=# make mutants: a folder; do not grade again what is noted there and has not changed
GIF ?=# make demo-wheel: record into this file
DOCS ?=# experiments: the folder whose stale-index.md gets the tables; empty: they are only printed

.PHONY: leaderboard handout mutants gradescope grade-prepare
handout: ## Write what students are given for a lab (LAB= OUT= ID= EARLIER=)
	@$(HARNESS) grade.staff.handout --lab '$(LAB)' --out '$(if $(filter command line,$(origin OUT)),$(OUT))' \
	    --id '$(or $(ID),plain)' --earlier '$(EARLIER)'

mutants: all ## Grade the known-wrong and the known-good solutions (LAB= ONLY= VERDICTS=)
	@$(HARNESS) grade.staff.mutants --lab '$(LAB)' --only '$(ONLY)' --verdicts '$(VERDICTS)' \
	    '$(LINKER)' '$(HOST_COMPILER)'

gradescope: ## Pack the autograder for Gradescope (LAB= OUT=grader.zip)
	@$(HARNESS) grade.staff.gradescope --lab '$(LAB)' --id '$(or $(ID),plain)' \
	    --out '$(if $(filter command line,$(origin OUT)),$(OUT),gradescope.zip)'

grade-prepare:
	@$(HARNESS) grade.staff.submission '$(LAB)' '$(or $(ID),plain)'

# Lab 4's experiments work on copies of the tree in build/experiments.
RUN_EXPERIMENT = $(HARNESS) grade.staff.experiments.$(1) $(if $(DOCS),--docs '$(DOCS)')

.PHONY: experiment-barriers experiment-case demo-wheel
experiment-barriers: all ## Lab 4: seven ways to read the index, measured (DOCS=docs: into the book; 2 minutes)
	@$(call RUN_EXPERIMENT,barriers)

experiment-case: all ## Lab 4: each theory of the story, measured (DOCS=docs: into the book; 2 minutes)
	@$(call RUN_EXPERIMENT,case)

demo-wheel: all ## Lab 4, for the lecture: a key changes the loop while the wheel turns (VNC=; GIF=file: record)
	@VNC='$(VNC)' $(call RUN_EXPERIMENT,demo) $(if $(GIF),--gif '$(GIF)')

leaderboard: ## Who could turn how many wheels, of those who want to be listed (RESULTS=folder)
	@$(HARNESS) grade.staff.leaderboard '$(RESULTS)'

.PHONY: fences
fences: vqsan ## Show which fence is enough where, by experiment (a minute)
	@$(HARNESS) grade.staff.fences
