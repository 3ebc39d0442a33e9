"""The statistics under one name; each noun has its own file.

sampling → bootstrap → intervals, bca, two_way → paired → equivalence; multiplicity and power stand apart.
"""

from safe_eval.statistics.bca import BCA, bca_interval, bca_interval_of
from safe_eval.statistics.bootstrap import cluster_totals, resampled_totals
from safe_eval.statistics.equivalence import Equivalence, equivalence
from safe_eval.statistics.intervals import (
    CLUSTER_BOOTSTRAP,
    CLUSTER_T,
    WILSON,
    clustered_stderr,
    mean_interval,
    t_interval,
    wilson_interval,
    wilson_zero,
)
from safe_eval.statistics.multiplicity import benjamini_hochberg, holm
from safe_eval.statistics.paired import (
    MCNEMAR,
    SIGN_FLIP,
    PairedDifference,
    mcnemar,
    mcnemar_mid_p,
    mcnemar_p_values,
    paired_difference,
    paired_test,
    sign_flip,
)
from safe_eval.statistics.power import (
    design_effect,
    intracluster_correlation,
    minimum_detectable_effect,
    needed_items,
    observed_design_effect,
    paired_std,
)
from safe_eval.statistics.sampling import DIFFERENCE, FRACTION, Interval, Labels, Sampling, Values
from safe_eval.statistics.two_way import TWO_WAY_T, two_way_interval

__all__ = [
    "BCA",
    "CLUSTER_BOOTSTRAP",
    "CLUSTER_T",
    "DIFFERENCE",
    "FRACTION",
    "MCNEMAR",
    "SIGN_FLIP",
    "TWO_WAY_T",
    "WILSON",
    "Equivalence",
    "Interval",
    "Labels",
    "PairedDifference",
    "Sampling",
    "Values",
    "bca_interval",
    "bca_interval_of",
    "benjamini_hochberg",
    "cluster_totals",
    "clustered_stderr",
    "design_effect",
    "equivalence",
    "holm",
    "intracluster_correlation",
    "mcnemar",
    "mcnemar_mid_p",
    "mcnemar_p_values",
    "mean_interval",
    "minimum_detectable_effect",
    "needed_items",
    "observed_design_effect",
    "paired_difference",
    "paired_std",
    "paired_test",
    "resampled_totals",
    "sign_flip",
    "t_interval",
    "two_way_interval",
    "wilson_interval",
    "wilson_zero",
]
