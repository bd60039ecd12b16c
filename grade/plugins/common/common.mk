# What the plugins of QEMU share; the Makefile includes this.

$(BUILD)/host/pic/%.o: % $(FLAGS_STAMP)
	$(call say,HOSTCC,$<)
	@mkdir -p $(@D)
	$(Q)$(HOST_COMPILER) $(HOST_FLAGS) -fPIC -fvisibility=hidden -MMD -MP -c -o $@ $<
