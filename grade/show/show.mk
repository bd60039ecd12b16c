# For people who want to see it: the Makefile includes this.

SECONDS ?= 5# how long `make record` records

.PHONY: qemu-web record
qemu-web: all ## The same in a browser on this host: display and console (CPUS= MEM= DISK= ARGS=)
	@CPUS='$(CPUS)' MEM='$(MEM)' DISK='$(DISK)' ARGS='$(ARGS)' QEMU='$(QEMU_FOUND)' BUILD='$(BUILD)' \
	    PYTHON='$(PYTHON_FOUND)' $(PYTHON_FOUND) -m grade.show.web -- sh grade/show/qemu.sh

record: all ## An animated GIF of the spinning wheel (OUT=wheel.gif SECONDS=5)
	@$(HARNESS) grade.show.record --seconds '$(SECONDS)' \
	    $(if $(filter command line,$(origin OUT)),$(OUT),wheel.gif)
