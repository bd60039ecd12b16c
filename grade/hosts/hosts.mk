# The same commands and tests on other hosts; the Makefile includes this.

FRESH ?=# make fresh: which rows, such as trixie; empty: all

.PHONY: matrix matrix-fetch fresh nightly
matrix: all ## Build and test with every compiler and QEMU found (TESTS= PYTEST_ARGS=; MATRIX=dir: where more are unpacked)
	@$(HARNESS) grade.hosts.matrix $(if $(MATRIX),--extra '$(MATRIX)')

matrix-fetch: ## Unpack GCC 14 and QEMU 10 from Debian's mirrors beside the system, for `make matrix`
	@sh grade/hosts/matrix_fetch.sh '$(or $(MATRIX),build/matrix)'

fresh: ## Try the README's commands on fresh machines, as root (FRESH=row: see grade/hosts/fresh.py; an hour)
	@$(HARNESS) grade.hosts.fresh --logs '$(BUILD)/fresh' $(FRESH)

nightly: ## Everything that .ci/run runs in turns, at once, as root (hours)
	@.ci/run nightly
