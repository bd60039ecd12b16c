# The judge of the frame rate. The Makefile includes this.

.PHONY: frame-cost calibrate
SIZE ?= 640x480# make frame-cost: size of the picture
frame-cost: all ## Show what a frame of the wheel costs, as the judge counts it (SIZE=)
	@$(HARNESS) grade.rate.cost -r '$(SIZE)'

calibrate: all ## Measure on this host the costs behind the judge's prices (1 minute)
	@$(HARNESS) grade.rate.calibrate
