"""Captions: CIDEr-D, CIDEr, BLEU, ROUGE-L in NumPy; METEOR and SPICE by Java, where it is."""

from safe_eval.scorers.captions.bleu import BleuCounts, bleu, bleu_counts
from safe_eval.scorers.captions.cider import cider, cider_d
from safe_eval.scorers.captions.corpus import Corpus, index
from safe_eval.scorers.captions.frequencies import (
    Frequencies,
    count_frequencies,
    read_frequencies,
    write_frequencies,
)
from safe_eval.scorers.captions.given_spice import read_spice_values
from safe_eval.scorers.captions.measure import (
    JAVA_METRICS,
    MAXIMA,
    TASKS,
    CaptionScores,
    measure,
    reference_frequencies,
    score_of_sums,
)
from safe_eval.scorers.captions.meteor import meteor, meteor_counts
from safe_eval.scorers.captions.rouge import rouge_l
from safe_eval.scorers.captions.spice import spice, spider

__all__ = [
    "JAVA_METRICS",
    "MAXIMA",
    "TASKS",
    "BleuCounts",
    "CaptionScores",
    "Corpus",
    "Frequencies",
    "bleu",
    "bleu_counts",
    "cider",
    "cider_d",
    "count_frequencies",
    "index",
    "measure",
    "meteor",
    "meteor_counts",
    "read_frequencies",
    "read_spice_values",
    "reference_frequencies",
    "rouge_l",
    "score_of_sums",
    "spice",
    "spider",
    "write_frequencies",
]
