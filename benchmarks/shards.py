"""The speed of safe_data, as ratios to named references: loading, building, caching, verifying."""

from benchmarks import building, caching, loading, machine, verifying
from benchmarks.timing import print_line


def main() -> None:
    """Say what it runs on, then measure one after the other."""
    print_line(benchmark="shards", **machine.describe())
    loading.main()
    verifying.main()
    building.main()
    caching.main()
