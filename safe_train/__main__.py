"""Run safe-train where the program is not on the path: python -m safe_train."""

import sys

from safe_train.cli import main

if __name__ == "__main__":
    sys.exit(main())
