# Two commands do everything: `make demo` and `make test`.
unexport PYTHONDONTWRITEBYTECODE
.PHONY: demo test coverage lint benchmarks clean environment

demo: environment
	@.venv/bin/ps315 demo --force --out ps315-report

# Three processes for two processors: tests wait for peers and deadlines a third of their time.
test:
	@scripts/python-environment.sh test
	@scripts/peers.sh
	.venv/bin/python -m pytest -n 3 --dist loadgroup

coverage:
	@scripts/python-environment.sh test
	@scripts/peers.sh
	.venv/bin/python -m pytest -n 3 --dist loadgroup --cov --cov-report=term:skip-covered

lint:
	@scripts/python-environment.sh test
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports

benchmarks:
	@scripts/python-environment.sh test
	@scripts/peers.sh
	.venv/bin/python -m pytest tests/benchmarks -m benchmark -s -p no:cacheprovider

environment:
	@scripts/python-environment.sh

clean:
	rm -rf .venv ps315-report build dist .mypy_cache .ruff_cache .pytest_cache .coverage*
