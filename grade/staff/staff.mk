# What staff make; none of it is in a handout.

ID ?=# of a handout: what varies in it, such as a student's number; empty: nothing
SUBMISSION ?=# make grade: a student's directory, zip or tar
ONLY ?=# make mutants: those with this in their names
VERDICTS ?=# make mutants: a folder; do not grade again what is noted there and has not changed
GIF ?=# make demo-wheel: record into this file
DOCS ?=# experiments: the folder whose stale-index.md gets the tables; empty: they are only printed

.PHONY: leaderboard handout mutants gradescope grade-prepare
handout: ## Write what students are given for a lab (LAB= OUT= ID= EARLIER=)
	@$(PYTHON_FOUND) -m grade.staff.handout --lab '$(LAB)' --out '$(if $(filter command line,$(origin OUT)),$(OUT))' \
	    --id '$(or $(ID),plain)' --earlier '$(EARLIER)'

mutants: all ## Grade the known-wrong and the known-good solutions (LAB= ONLY= VERDICTS=)
	@BUILD='$(BUILD)' COMPILER='$(COMPILER)' LINKER='$(LINKER)' HOST_COMPILER='$(HOST_COMPILER)' QEMU='$(QEMU_FOUND)' \
	    $(PYTHON_FOUND) -m grade.staff.mutants --lab '$(LAB)' --only '$(ONLY)' --verdicts '$(VERDICTS)' -- TOOLPREFIX='$(TOOLPREFIX)' CC='$(CC)'

gradescope: ## Pack the autograder for Gradescope (LAB= OUT=grader.zip)
	@$(PYTHON_FOUND) -m grade.staff.gradescope --lab '$(LAB)' --id '$(or $(ID),plain)' \
	    --out '$(if $(filter command line,$(origin OUT)),$(OUT),gradescope.zip)'

grade-prepare:
	@BUILD='$(BUILD)' $(PYTHON_FOUND) -m grade.staff.submission '$(LAB)' '$(or $(ID),plain)' TOOLPREFIX='$(TOOLPREFIX)' CC='$(CC)'

# Lab 4's experiments work on copies of the tree in build/experiments.
EXPERIMENT = QEMU='$(QEMU_FOUND)' $(PYTHON_FOUND) -m grade.staff.experiments.$(1) --build '$(BUILD)' \
    $(if $(DOCS),--docs '$(DOCS)') $(foreach name,CC TOOLPREFIX,$(if $($(name)),$(name)='$($(name))'))

.PHONY: experiment-barriers experiment-case demo-wheel
experiment-barriers: all ## Lab 4: seven ways to read the index, measured (DOCS=docs: into the book; 2 minutes)
	@$(call EXPERIMENT,barriers)

experiment-case: all ## Lab 4: each theory of the story, measured (DOCS=docs: into the book; 2 minutes)
	@$(call EXPERIMENT,case)

demo-wheel: all ## Lab 4, for the lecture: a key changes the loop while the wheel turns (VNC=; GIF=file: record)
	@VNC='$(VNC)' $(call EXPERIMENT,demo) $(if $(GIF),--gif '$(GIF)')

leaderboard: ## Who could turn how many wheels, of those who want to be listed (RESULTS=folder)
	@$(PYTHON_FOUND) -m grade.staff.leaderboard '$(RESULTS)'

.PHONY: fences
fences: vqsan ## Show which fence is enough where, by experiment (a minute)
	@BUILD='$(BUILD)' QEMU='$(QEMU_FOUND)' $(PYTHON_FOUND) -m grade.staff.fences
