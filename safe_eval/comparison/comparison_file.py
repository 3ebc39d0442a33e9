"""The content of comparison.json: A − B on every slice, and the decision."""

import msgspec

from safe_eval.arms.coverage import Coverage
from safe_eval.comparison.matching import Matched, Side
from safe_eval.results.comparisons import Comparison

EQUIVALENT, NOT_SHOWN, NOT_MEASURED = "equivalent", "not shown", "not measured"
EXIT_CODES = {EQUIVALENT: 0, NOT_SHOWN: 1, NOT_MEASURED: 2}
POWER = 0.8  # with which a detectable difference is found


class Difference(Comparison, frozen=True, kw_only=True):
    """A − B on a slice; `seed` is that of A.

    With a margin the equivalence interval is by Student's t, so that it agrees with its p value.
    """

    mean_a: float
    mean_b: float
    holm_p: float | None = None  # adjusted over the family of all tests in the file
    benjamini_hochberg_p: float | None = None
    detectable: float | None = None  # the difference that as many such pairs find 8 times in 10
    equivalence: str | None = None  # equivalent, different or undecided; None without a margin
    equivalence_p: float | None = None


class FlipRow(msgspec.Struct, frozen=True, kw_only=True):
    """What is right on one side only, among all items or those of one question type."""

    metric: str
    dataset: str | None
    a: str
    b: str
    of: str
    n: int
    both_right: int
    only_a_right: int
    only_b_right: int
    both_wrong: int


class SideCoverage(Coverage, frozen=True, kw_only=True):
    """What became of the compared examples on one side."""

    side: str
    dataset: str | None
    condition: str


class ComparisonProvenance(msgspec.Struct, frozen=True, kw_only=True):
    """What would make the numbers again; the hashes of the files stand with their sides."""

    cluster: str  # the field whose values are the clusters
    seed: int
    resamples: int
    confidence: float
    python: str
    versions: dict[str, str]


class ComparisonFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of comparison.json."""

    a: Side
    b: Side
    matched: tuple[Matched, ...]
    coverage: tuple[SideCoverage, ...]
    rows: tuple[Difference, ...]
    flips: tuple[FlipRow, ...]
    family: int  # how many tests the p values are adjusted for
    margin: float | None
    decided_on: str  # the slice that decides
    decision: str | None  # equivalent, not shown, or not measured; None without a margin
    notes: tuple[str, ...]
    provenance: ComparisonProvenance
