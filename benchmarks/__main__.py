"""`python -m benchmarks NAME [NAME …]`: run a benchmark, which prints one JSON line per result."""

import importlib
import os
import sys
from pathlib import Path

NAMES = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if "\ndef main() -> None:" in path.read_text("utf-8")
)
# One BLAS thread per process, on both sides: on shared cores two threads wait for each other. NumPy reads
# these when it is imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


def main(names: list[str]) -> int:
    """Run the named benchmarks in turn; 2 if a name is unknown or none is given."""
    if not names or not set(names) <= set(NAMES):
        print(f"usage: python -m benchmarks NAME …; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
