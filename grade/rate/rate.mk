# What a frame of the wheel costs, as the judge counts it; the Makefile includes this.

.PHONY: frame-cost calibrate
SIZE ?= 640x480# make frame-cost: of the picture
frame-cost: all ## What a frame of the wheel costs, as the judge counts it (SIZE=)
	@$(HARNESS) grade.rate.cost -r '$(SIZE)'

calibrate: all ## Measure on this host what the prices of the frame rate's judge stand for (a minute)
	@$(HARNESS) grade.rate.calibrate
