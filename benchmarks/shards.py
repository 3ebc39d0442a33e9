"""The speed of safe_data relative to named references: loading, verifying, building, caching."""

from benchmarks import building, caching, loading, machine, verifying
from benchmarks.timing import print_line


def main() -> None:
    """Describe the machine, then run each benchmark in turn."""
    print_line(benchmark="shards", **machine.describe())
    loading.main()
    verifying.main()
    building.main()
    caching.main()
