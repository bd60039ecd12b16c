# Ways to look at the machine. The Makefile includes this.

SECONDS ?= 5# make record: length of the recording

.PHONY: qemu-web record
qemu-web: all ## Boot, with display and console in your browser (CPUS= MEM= DISK= ARGS=)
	@CPUS='$(CPUS)' MEM='$(MEM)' DISK='$(DISK)' ARGS='$(ARGS)' QEMU='$(QEMU_FOUND)' BUILD='$(BUILD)' \
	    PYTHON='$(PYTHON_FOUND)' $(PYTHON_FOUND) -m grade.show.web -- sh grade/show/qemu.sh

record: all ## Record the spinning wheel as an animated GIF (OUT=wheel.gif SECONDS=5)
	@$(HARNESS) grade.show.record --seconds '$(SECONDS)' \
	    $(if $(filter command line,$(origin OUT)),$(OUT),wheel.gif)
