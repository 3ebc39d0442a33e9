"""Run safe-data where the program is not on the path: python -m safe_data."""

import sys

from safe_data.cli import main

if __name__ == "__main__":
    sys.exit(main())
