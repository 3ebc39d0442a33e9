"""The content of comparison.json: A − B on every slice, and the decision."""

import msgspec

from safe_data.core import command
from safe_eval.arms.coverage import Coverage
from safe_eval.comparison.disagreement import DisagreementRow
from safe_eval.comparison.matching import Matched
from safe_eval.comparison.sides import Side
from safe_eval.results.comparisons import Comparison
from safe_eval.results.flips import Flip
from safe_eval.statistics.sample_size import WouldShow

EQUIVALENT, NOT_SHOWN, NOT_MEASURED = "equivalent", "not shown", "not measured"
EXIT_CODES = {EQUIVALENT: command.HOLDS, NOT_SHOWN: command.DOES_NOT_HOLD, NOT_MEASURED: command.NOT_JUDGED}
POWER = 0.8  # the probability of finding a detectable difference


class Difference(Comparison, frozen=True, kw_only=True):
    """A − B on a slice; `seed` is the seed of A, and the family holds all tests in the file.

    A mean is equivalent exactly where its equivalence interval lies within the margin.
    """

    mean_a: float
    mean_b: float
    benjamini_hochberg_p: float | None = None
    detectable: float | None = None  # the smallest difference that this many such examples show 8 times in 10
    margin: float | None = None  # in the unit of the metric
    equivalence: str | None = None  # equivalent, different or undecided; None without a margin
    equivalence_p: float | None = None
    would_show: WouldShow | None = None  # that it is equivalent; None where it is, or where no number would


class FlipRow(msgspec.Struct, frozen=True, kw_only=True):
    """How many items are right on both sides, on one side or on neither; `of` is all or a question type."""

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
    """The coverage of one side, counted over the examples that are compared."""

    side: str
    dataset: str | None
    condition: str


class ComparisonProvenance(msgspec.Struct, frozen=True, kw_only=True):
    """What reproduces the numbers; the hashes of the files stand in `a` and `b`."""

    cluster: str  # the field whose values are the clusters
    seed: int
    resamples: int
    confidence: float
    protocol: str | None = None  # in place of the benchmarks' own, where they have such a rule
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
    flipped: tuple[Flip, ...]  # each example that is right on one side only
    disagreement: tuple[DisagreementRow, ...]  # why items are scored differently; disagreements.csv has each
    family: int  # how many tests the p values are adjusted for; rows that repeat one count once
    margins: dict[str, float]  # of each metric that decides
    decided_on: str  # the slice that decides
    same: bool  # whether all answers and scores of A and B are the same, and so equivalent
    decision: str | None  # equivalent, not shown, or not measured; None without a margin
    notes: tuple[str, ...]
    provenance: ComparisonProvenance
