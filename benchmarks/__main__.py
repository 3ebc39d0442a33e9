"""`python -m benchmarks NAME [NAME …]`: run a benchmark, which prints a JSON line a result."""

import importlib
import os
import sys
from pathlib import Path

NAMES = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if "\ndef main() -> None:" in path.read_text("utf-8")
)
# A BLAS thread a process, for both sides: on shared cores two wait for each other. Read when numpy is loaded.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")


def main(names: list[str]) -> int:
    """Run the named benchmarks in turn; 2 if there is none of a name."""
    if not names or not set(names) <= set(NAMES):
        print(f"usage: python -m benchmarks NAME …; there are {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names:
        importlib.import_module(f"benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
