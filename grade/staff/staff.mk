# Commands for staff. Handouts do not have this file.

ID ?=# handouts: a student's number; it changes small sizes; empty: change nothing
SUBMISSION ?=# make grade: a student's directory, zip or tar
ONLY ?=# make mutants: only cases whose names contain this
VERDICTS ?=# make mutants: a folder that stores right verdicts; skip their cases while nothing changes
GIF ?=# make demo-wheel: record into this file
DOCS ?=# experiments: write the tables to stale-index.md in this folder; empty: only print them

.PHONY: leaderboard handout mutants gradescope grade-prepare
handout: ## Make the tree that students get for a lab (LAB= OUT= ID= EARLIER=)
	@$(HARNESS) grade.staff.handout --lab '$(LAB)' --out '$(if $(filter command line,$(origin OUT)),$(OUT))' \
	    --id '$(or $(ID),plain)' --earlier '$(EARLIER)'

mutants: all ## Grade solutions that are known to be wrong or right (LAB= ONLY= VERDICTS=)
	@$(HARNESS) grade.staff.mutants --lab '$(LAB)' --only '$(ONLY)' --verdicts '$(VERDICTS)' \
	    '$(LINKER)' '$(HOST_COMPILER)'

gradescope: ## Pack the autograder for Gradescope (LAB= OUT=grader.zip)
	@$(HARNESS) grade.staff.gradescope --lab '$(LAB)' --id '$(or $(ID),plain)' \
	    --out '$(if $(filter command line,$(origin OUT)),$(OUT),gradescope.zip)'

grade-prepare:
	@$(HARNESS) grade.staff.submission '$(LAB)' '$(or $(ID),plain)'

# Lab 4's experiments run in copies of the tree in build/experiments.
RUN_EXPERIMENT = $(HARNESS) grade.staff.experiments.$(1) $(if $(DOCS),--docs '$(DOCS)')

.PHONY: experiment-barriers experiment-case demo-wheel
experiment-barriers: all ## Lab 4: measure seven ways to read the index (DOCS=docs: write to the book; 2 minutes)
	@$(call RUN_EXPERIMENT,barriers)

experiment-case: all ## Lab 4: measure each theory of the story (DOCS=docs: write to the book; 2 minutes)
	@$(call RUN_EXPERIMENT,case)

demo-wheel: all ## Lab 4, for the lecture: change the loop with a key while the wheel turns (VNC=; GIF=file: record)
	@VNC='$(VNC)' $(call RUN_EXPERIMENT,demo) $(if $(GIF),--gif '$(GIF)')

leaderboard: ## List how many wheels each student's kernel could turn (RESULTS=folder)
	@$(HARNESS) grade.staff.leaderboard '$(RESULTS)'

.PHONY: fences
fences: vqsan ## Show by experiment which fence is enough in which place (1 minute)
	@$(HARNESS) grade.staff.fences
