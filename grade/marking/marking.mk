# Grading, as a student sees it. grade/marking/mark.py builds by itself, so that a file that does not compile is a result too.

LAB ?= $(HANDOUT_LAB)# which lab; empty: all of them
SEED ?=# brings back the choices of an earlier run
RESULTS ?=# where the results go; empty: build/results
FROM ?=# make next: your tree of the lab before; empty: this one
RELEASE ?=# make next: what was released for the next lab, a directory
EARLIER ?= source# where the solutions of earlier labs come from: mine, object or source

.PHONY: grade next
grade: ## Grade a lab: what holds, what does not, and where to look (LAB= SEED= RESULTS=)
	@$(HARNESS) grade.marking.mark \
	    --lab '$(LAB)' --seed '$(SEED)' --results '$(RESULTS)' --submission '$(SUBMISSION)' --id '$(ID)'

next: ## Go on to the next lab with what you have (LAB= RELEASE= OUT= EARLIER=)
	@$(HARNESS) grade.marking.next --lab '$(LAB)' --earlier '$(EARLIER)' --from '$(FROM)' --release '$(RELEASE)' \
	    --out '$(if $(filter command line,$(origin OUT)),$(OUT))'
