# Compiles the sources that QEMU plugins are made of. The Makefile includes this file.

$(BUILD)/host/pic/%.o: % $(FLAGS_STAMP)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOST_COMPILER) $(HOST_FLAGS) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<
