# Grading for students. `make grade` does not depend on `all`: grade/marking/mark.py builds, so it can report a failed build.

LAB ?= $(HANDOUT_LAB)# which lab; empty: all labs
SEED ?=# repeats the random choices of the run with this seed
RESULTS ?=# the directory for the results; empty: build/results
FROM ?=# make next: your tree of the lab before; empty: this tree
RELEASE ?=# make next: the directory with the next lab's handout
EARLIER ?= source# form of the solutions of earlier labs: mine, object or source

.PHONY: grade next
grade: ## Grade a lab: show what works, what fails, and where to look (LAB= SEED= RESULTS=)
	@$(HARNESS) grade.marking.mark \
	    --lab '$(LAB)' --seed '$(SEED)' --results '$(RESULTS)' --submission '$(SUBMISSION)' --id '$(ID)'

next: ## Make your tree for the next lab, with your code or our solutions (LAB= RELEASE= OUT= EARLIER=)
	@$(HARNESS) grade.marking.next --lab '$(LAB)' --earlier '$(EARLIER)' --from '$(FROM)' --release '$(RELEASE)' \
	    --out '$(if $(filter command line,$(origin OUT)),$(OUT))'
