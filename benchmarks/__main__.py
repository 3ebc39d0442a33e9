"""`python -m benchmarks NAME [NAME …]`: run a benchmark, which prints a JSON line a result."""

import importlib
import sys
from pathlib import Path

NAMES = sorted(
    path.stem
    for path in Path(__file__).parent.glob("*.py")
    if "\ndef main() -> None:" in path.read_text("utf-8")
)


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
