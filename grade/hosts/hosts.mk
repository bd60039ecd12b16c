# Runs the same commands and tests on other hosts. The Makefile includes this.

FRESH ?=# make fresh: the rows to run, such as trixie; empty: all

.PHONY: matrix matrix-fetch fresh nightly
matrix: all ## Build and test with every compiler and QEMU found (TESTS= PYTEST_ARGS=; MATRIX=dir: also search there)
	@$(HARNESS) grade.hosts.matrix $(if $(MATRIX),--extra '$(MATRIX)')

matrix-fetch: ## Download GCC 14 and QEMU 10 for `make matrix`, without installing them (MATRIX=dir)
	@sh grade/hosts/matrix_fetch.sh '$(or $(MATRIX),build/matrix)'

fresh: ## Try the README's commands on fresh machines, as root (FRESH=row: see grade/hosts/fresh.py; 1 hour)
	@$(HARNESS) grade.hosts.fresh --logs '$(BUILD)/fresh' $(FRESH)

nightly: ## Run all checks that .ci/run otherwise runs in turns, as root (hours)
	@.ci/run nightly
