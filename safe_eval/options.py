"""Options: what a user can choose, on the command line or in a call. The text below a field is its help.

This file loads nothing, so that `safe-eval --help` answers at once.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from safe_data.core.errors import InputError

MOST_RESAMPLES = 1_000_000  # more would fill the memory
CORPUS = "corpus"  # in place of a file: the document frequencies of the references scored

By = Literal["question_type", "split", "dataset", "task"]
PairBy = Literal["auto", "id", "prompt"]
Tokenizer = Literal["own", "java"]  # of captions; both give Penn Treebank tokens
Goal = Literal["superiority", "equivalence", "non_inferiority", "lomo_drop", "seeds"]
Relationship = Literal["first_party", "third_party", "collaborative", "other"]


@dataclass(frozen=True)
class Sampling:
    """How intervals and p values are drawn."""

    confidence: float = 0.95
    """confidence level of the intervals, between 0.5 and 1 (above 0.75 where equivalence is tested); a
    percentage such as 95 is refused"""
    resamples: int = 10_000
    """how many times the clusters are drawn with replacement, from 100 to 1,000,000"""
    seed: int = 0
    """seed of the draws, 0 or more; the same seed gives the same numbers"""

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1:
            raise InputError(f"confidence {self.confidence} is not between 0.5 and 1; 95 % is 0.95")
        if self.resamples < 100:
            raise InputError(f"resamples {self.resamples} is too few for an interval; give at least 100")
        if self.resamples > MOST_RESAMPLES:
            raise InputError(
                f"resamples {self.resamples} is more than any interval needs; give at most {MOST_RESAMPLES}"
            )
        if self.seed < 0:
            raise InputError(f"seed {self.seed} is negative; seeds are 0 or more")

    @property
    def equivalence_confidence(self) -> float:
        """The confidence of the interval that decides equivalence: 0.90 for two one-sided tests at 0.05."""
        return 2 * self.confidence - 1


@dataclass(frozen=True)
class CaptionModels:
    """Pretrained models that judge captions. The hub is asked only for an id that is given here."""

    sbert: str | None = None
    """sentence-BERT for sbert_sim and fense: a directory, or an id such as
    sentence-transformers/paraphrase-TinyBERT-L6-v2"""
    fluency: str | None = None
    """detector of fluency errors for fluency_error, fense and spider_fl: a directory, or an id; FENSE's own
    is a .ckpt, beside config.json and the tokenizer of its BERT"""
    clap: str | None = None
    """CLAP for clap_reference_sim and clap_sim: a directory, or an id such as laion/clap-htsat-unfused"""
    sounds: Path | None = None
    """folder of a built dataset with CLAP embeddings of the sounds, for clap_sim (its own CLAP is used if
    --clap is not given)"""


@dataclass(frozen=True)
class ScoreOptions:
    """What to score beside what every scores.json holds, and with what."""

    metric: tuple[str, ...] = ()
    """one more metric by its name, such as exact_match or vqa_accuracy_2017; meteor, spice and what needs
    SPICE run in Java; an unknown name is refused"""
    protocol: str | None = None
    """another published rule for the benchmarks that have it, such as vqa_accuracy_2017"""
    spread: bool = False
    """also score the answers by every published rule of their benchmark, to show how much the rules differ"""
    prior: Path | None = None
    """predictions or references of another split, or the root of a dataset with one, to fit the question-only
    prior on; examples that are scored too are refused"""
    df: str = CORPUS
    """document frequencies of CIDEr: of the references scored (corpus), or the path of a file of them"""
    write_df: Path | None = None
    """file to write the references' document frequencies to, for runs that must share them"""
    spice: Path | None = None
    """JSON or CSV file of SPICE values made elsewhere, in [0, 1], of one model under one condition; a JSON
    list per example gives those of several candidates"""
    tokenizer: Tokenizer = "own"
    """what cuts captions into tokens: own, which needs no Java, or java, Stanford's own program"""
    models: CaptionModels = field(default_factory=CaptionModels)
    """pretrained models that judge captions"""
    baseline: str | None = None
    """model that every other is compared with (default: base where there is one, otherwise none)"""
    pairs: bool = False
    """also compare each pair of models under the same condition; up to 6 without a baseline always are"""
    prompt: str | None = None
    """prompt_id that tables are about, where examples are asked in several wordings (default: the first by
    name); the table prompts is about all of them"""
    allow_partial: bool = False
    """leave out a last line that was cut off, as an interrupted run leaves it, instead of refusing it"""


@dataclass(frozen=True)
class CompareOptions:
    """Which answers of two files to compare, and how."""

    by: By | None = None
    """also compare for each value of this field"""
    margin: tuple[str, ...] = ()
    """largest difference that does not matter, as METRIC=NUMBER, such as vqa_accuracy=0.005 for half a point;
    a number alone where every metric compared is an accuracy, or only one is compared"""
    slice: str = "all"
    """items on which equivalence is decided, such as all, audio, vl or type:NAME; others are refused"""
    pair_by: PairBy = "auto"
    """what pairs the rows of A and B: their id, or their prompt and media; auto takes prompts where no id is
    on both sides, or where most of those ask something else"""
    intersect: bool = False
    """leave out examples that are on one side only, instead of refusing; those that prompts do not pair are
    always left out, and counted"""
    allow_partial: bool = False
    """leave out a last line that was cut off, instead of refusing the file"""
    metric: str | None = None
    """compare by this metric alone, such as cider_d or consulted (default: all that judge the answers)"""
    protocol: str | None = None
    """another published rule for the benchmarks that have it, such as vqa_accuracy_2017"""
    tokenizer: Tokenizer = "own"
    """what cuts captions into tokens: own, which needs no Java, or java, Stanford's own program"""
    models: CaptionModels = field(default_factory=CaptionModels)
    """pretrained models that judge captions"""
    baseline: str | None = None
    """model of B; A is then the other model of its file (default without B: base where there is one)"""
    condition_a: str | None = None
    """condition of A (default: each that both sides have)"""
    condition_b: str | None = None
    """condition of B (default: the condition of A)"""
    model_a: str | None = None
    """model of A; needed where its file holds several"""
    model_b: str | None = None
    """model of B; needed where its file holds several"""
    seed_a: int | None = None
    """trained seed of A; needed where its file holds several"""
    seed_b: int | None = None
    """trained seed of B; needed where its file holds several"""

    @property
    def conditions(self) -> tuple[str | None, str | None]:
        """The conditions asked for; one alone is meant for both sides."""
        return self.condition_a or self.condition_b, self.condition_b or self.condition_a


@dataclass(frozen=True)
class CalibrateOptions:
    """Whose confidences to calibrate."""

    model: str | None = None
    """model whose confidences are calibrated; needed where a file holds several models"""
    force: bool = False
    """replace another OUT/calibration.json; and go on though test examples are in dev too: the numbers are
    then flattered, and the output says so"""
    allow_partial: bool = False
    """leave out a last line that was cut off, instead of refusing the file"""


@dataclass(frozen=True)
class Assumed:
    """What is taken to be true of answers that are not there yet; --like takes most of it from a run."""

    changed: float = 0.1
    """share of questions on which just one model (of seeds: just one of two seeds) is right, in [0, 1]"""
    cluster_size: float = 1.0
    """mean number of questions per clip, speaker or picture"""
    correlation: float = 0.0
    """how alike the differences within one cluster are, from 0 (independent) to 1 (the same)"""
    share_lost: float = 0.9
    """share of the right answers that are lost without the sound (lomo_drop)"""
    accuracy: float = 1.0
    """share of questions answered right with the sound (lomo_drop); only those can be lost"""
    seed_std: float = 0.0
    """standard deviation between trained seeds, without the noise of the items, such as 0.002"""


@dataclass(frozen=True)
class Observed:
    """Answers that planned ones will be like."""

    like: Path | None = None
    """predictions file, or run folder, from which to take --changed, --cluster-size and --correlation; for
    lomo_drop also --share-lost and --accuracy, for seeds also --seed-std"""
    a: str | None = None
    """answers in --like, as MODEL/CONDITION"""
    b: str | None = None
    """the answers in --like to compare them with"""
    metric: str | None = None
    """metric that scores those answers; needed where several judge them"""
    dataset: str | None = None
    """dataset in --like to use; needed where there are several"""
    seed: int | None = None
    """trained seed in --like to use (default: the mean over all)"""
    slice: str = "all"
    """items of --like to use, such as all, audio, vl or type:NAME"""
    allow_partial: bool = False
    """leave out a last line of --like that was cut off, instead of refusing the file"""


@dataclass(frozen=True)
class PowerOptions:
    """What answers are to show. Give the number of items, or the size of what they show; both for the power.

    superiority and equivalence are two-sided, non_inferiority rules out a loss, lomo_drop shows that most
    answers are lost without the sound, and seeds that trained seeds agree.
    """

    goal: Goal = "superiority"
    """what is to be shown"""
    difference: float | None = None
    """true difference of two accuracies, as a fraction such as 0.02: the one to be found (superiority), or
    the one that is there (equivalence and non_inferiority; default: 0)"""
    margin: float | None = None
    """largest difference (equivalence) or loss (non_inferiority) that does not matter, such as 0.005"""
    bound: float | None = None
    """least share lost that is to be shown (lomo_drop; default: 0.8), or the largest standard deviation
    between seeds (default: 0.005)"""
    items: int | None = None
    """number of questions, which all models answer"""
    seeds: int | None = None
    """number of trained seeds (default: 1; for the goal seeds, as many as the items need, or 3)"""
    power: float = 0.8
    """probability of showing it, between 0.5 and 1"""
    confidence: float = 0.95
    """confidence of the intervals, between 0.5 and 1"""
    assumed: Assumed = field(default_factory=Assumed)
    observed: Observed = field(default_factory=Observed)


@dataclass(frozen=True)
class CardOptions:
    """What the models and datasets of a run are called where its scores are published, and who made them."""

    hub: tuple[str, ...] = ()
    """id of a dataset on the Hugging Face Hub, with its task, such as music_avqa=ORG/NAME:TASK"""
    model_id: tuple[str, ...] = ()
    """id that a model is published under, such as safe=ORG/safe-7b (default: its name)"""
    organization: str = "unknown"
    """who made the evaluation"""
    relationship: Relationship = "other"
    """how the evaluator is related to the model"""
    date: str | None = None
    """when the answers were made, such as 2026-11-26 (default: when scores.json was written)"""
