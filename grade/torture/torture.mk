# make torture: the suites in grade/torture, one after the other. The Makefile includes this.

SHARE ?= 1# of make torture: 0.1 does a tenth of each suite

.PHONY: torture
torture: all $(BUILD)/host/fscheck ## Break it: crashes, faults, hostile input, load; 20 minutes (SHARE= SEED= TORTURE=suite)
	@BUILD='$(BUILD)' QEMU='$(QEMU_FOUND)' $(PYTHON_FOUND) grade/torture/main.py --share '$(SHARE)' --seed '$(SEED)' \
	    $(TORTURE)
