"""Run safe-eval where the program is not on the path: python -m safe_eval."""

import sys

from safe_eval.cli import main

if __name__ == "__main__":
    sys.exit(main())
