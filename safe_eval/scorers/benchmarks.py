"""Benchmarks: by which rule each published benchmark is scored, and by which others it has been.

A rule is the name of a metric. The first rule of a benchmark is its protocol: it scores the benchmark's rows
unless another is asked for with `--protocol`. docs/protocols.md shows this table.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from safe_data.core.errors import InputError, did_you_mean


@dataclass(frozen=True)
class Benchmark:
    """A published benchmark, and the rules by which its answers are scored."""

    name: str  # as safe_data writes it
    title: str  # as its paper writes it
    rules: tuple[str, ...]  # names of metrics: the protocol, then the other published rules
    source: str  # of the protocol
    deviation: str = ""  # from that source
    spellings: tuple[str, ...] = ()  # besides name and title, whatever their case, hyphens and splits
    tasks: frozenset[str] = frozenset({"vqa"})  # other tasks on the same data have their general metrics
    reads_choices: bool = False  # the protocol reads choices; otherwise rows with choices are multiple choice

    @property
    def protocol(self) -> str:
        """The rule that scores it by default."""
        return self.rules[0]


_VQA_CODE = "Antol et al. 2015; GT-Vision-Lab/VQA, vqaEval.py"
_ONE_REFERENCE = "a single reference is an exact match after normalisation; the script gives 0"
_VQA_OR_CLASSIFY = frozenset({"vqa", "classify"})
_LETTERS_TOO = (
    "a letter is an answer, and so is one word that names one choice; the script wants all its words"
)
_CHOSEN_IN_WORDS = "choices are named in words; published models choose a class"

_ALL = (
    Benchmark(
        "vqav2",
        "VQAv2",
        ("vqa_accuracy", "vqa_accuracy_normalised", "vqa_accuracy_2017"),
        _VQA_CODE,
        _ONE_REFERENCE,
        ("vqa2", "vqa2.0", "vqa-v2.0", "lmms-lab/VQAv2"),
    ),
    Benchmark(
        "okvqa",
        "OK-VQA",
        ("vqa_accuracy", "vqa_accuracy_normalised", "vqa_accuracy_2017"),
        "Marino et al. 2019, which uses GT-Vision-Lab/VQA, vqaEval.py",
        _ONE_REFERENCE,
        ("lmms-lab/OK-VQA", "HuggingFaceM4/OK-VQA"),
    ),
    Benchmark(
        "textvqa",
        "TextVQA",
        ("vqa_accuracy_normalised", "evalai_accuracy", "vqa_accuracy", "vqa_accuracy_2017"),
        "Singh et al. 2019; VLMEvalKit, vqa_eval.py",
        f"{_ONE_REFERENCE}. MMF's evaluator also cuts 's off and joins at commas",
        ("textvqa-v0.5.1", "textvqa-0.5.1", "lmms-lab/textvqa", "facebook/textvqa"),
    ),
    Benchmark(
        "vizwiz",
        "VizWiz",
        (
            "vqa_accuracy_normalised",
            "evalai_accuracy",
            "vqa_accuracy",
            "vqa_accuracy_no_answer_ids",
            "vqa_accuracy_2017",
        ),
        "Gurari et al. 2018; VLMEvalKit, vqa_eval.py",
        f"{_ONE_REFERENCE}. The VizWiz API normalises the answer, but not the references",
        ("VizWiz-VQA", "lmms-lab/VizWiz-VQA"),
    ),
    Benchmark(
        "gqa",
        "GQA",
        ("gqa_accuracy", "gqa_accuracy_caseless"),
        "Hudson & Manning 2019; eval.py, as ported in MILVLG/openvqa",
        "a missing answer is wrong; the script stops",
        ("lmms-lab/GQA",),
    ),
    Benchmark(
        "avqa",
        "AVQA",
        ("avqa_accuracy",),
        "Yang et al. 2022; AlyssaYoung/AVQA, validate.py",
        _CHOSEN_IN_WORDS,
        reads_choices=True,
    ),
    Benchmark(
        "music_avqa",
        "MUSIC-AVQA",
        ("music_avqa_accuracy", "music_avqa_contained"),
        "Li et al. 2022; GeWu-Lab/MUSIC-AVQA, main_avst.py",
        _CHOSEN_IN_WORDS,
        reads_choices=True,
    ),
    Benchmark(
        "pope",
        "POPE",
        ("yes_no_accuracy", "pope_first_sentence", "yes_no_words", "exact_match"),
        "Li et al. 2023; AoiDragon/POPE, evaluate.py",
        "a reply that is neither yes nor no is unparsed; the script reads it as yes",
        (
            "lmms-lab/POPE",
            *("pope_adv", "pope_pop", "pope_adversarial", "pope_popular", "pope_random", "pope_full"),
        ),
        reads_choices=True,
    ),
    Benchmark(
        "mme",
        "MME",
        ("yes_no_accuracy", "mme_first_letters", "yes_no_words"),
        "Fu et al. 2023; calculation.py, as in lmms-eval and VLMEvalKit",
        "the whole reply is read; the script reads its first four letters",
        ("mme_perception", "mme_cognition", "lmms-lab/MME"),
        reads_choices=True,
    ),
    Benchmark(
        "avhbench",
        "AVHBench",
        ("yes_no_accuracy",),
        "Sung-Bin et al. 2025; kaist-ami/AVHBench, README",
        "no script of the benchmark was found; captions of AV Captioning have the caption metrics",
        reads_choices=True,
    ),
    Benchmark(
        "cmm",
        "CMM",
        ("yes_no_accuracy", "cmm_first_letters"),
        "Leng et al. 2024; DAMO-NLP-SG/CMM, calculate_score.py",
        'the script looks in the first five letters, so "unknown" counts as no',
        ("Curse of Multi-Modalities",),
        reads_choices=True,
    ),
    Benchmark(
        "clotho_aqa",
        "Clotho-AQA",
        ("clotho_aqa_accuracy", "clotho_aqa_unanimous"),
        "Lipping et al. 2022: the answer of any annotator",
        "replies are read in words; published models choose a class",
        ("lmms-lab/ClothoAQA", "clotho_aqa_test_unanimous", "clotho_aqa_test_majority"),
    ),
    Benchmark(
        "scienceqa",
        "ScienceQA",
        ("accuracy", "scienceqa_letter", "scienceqa_llava"),
        "Lu et al. 2022; lupantech/ScienceQA, run_gpt3.py",
        "a reply that names no choice is unparsed; the script draws one",
        ("scienceqa_img", "scienceqa_full", "lmms-lab/ScienceQA", "lmms-lab/ScienceQA-IMG", "sqa_img"),
        tasks=_VQA_OR_CLASSIFY,
        reads_choices=True,
    ),
    Benchmark(
        "mmau",
        "MMAU",
        ("accuracy", "mmau_words"),
        "Sakshi et al. 2024; Sakshi113/MMAU, evaluation.py",
        _LETTERS_TOO,
        ("mmau_test_mini", "mmau_mini", "mmau_v05.15.25", "lmms-lab/mmau"),
        tasks=_VQA_OR_CLASSIFY,
        reads_choices=True,
    ),
    Benchmark(
        "mmar",
        "MMAR",
        ("accuracy", "mmau_words"),
        "Ma et al. 2025; ddlBoJack/MMAR, code/evaluation.py",
        _LETTERS_TOO,
        ("BoJack/MMAR",),
        tasks=_VQA_OR_CLASSIFY,
        reads_choices=True,
    ),
    Benchmark(
        "mmsu",
        "MMSU",
        ("accuracy",),
        "Wang et al. 2025; dingdongwang/MMSU, README",
        "its script could not be read; lmms-eval draws a choice where it finds none",
        ("ddwang2000/MMSU",),
        tasks=_VQA_OR_CLASSIFY,
        reads_choices=True,
    ),
    Benchmark(
        "daily_omni",
        "Daily-Omni",
        ("accuracy", "daily_omni_first_letter"),
        "Zhou et al. 2025; Lliar-liar/Daily-Omni, test_utils.py",
        "the script looks at the first letter, so a sentence that begins with A is an A",
        tasks=_VQA_OR_CLASSIFY,
        reads_choices=True,
    ),
    Benchmark(
        "omnibench",
        "OmniBench",
        ("accuracy", "omnibench_last_letter"),
        "Li et al. 2024; multimodal-art-projection/OmniBench, answer_parsing.py",
        "of several choices the script takes the last one; here they are no answer",
        ("m-a-p/OmniBench", "omni_bench"),
        tasks=_VQA_OR_CLASSIFY,
        reads_choices=True,
    ),
    Benchmark(
        "worldsense",
        "WorldSense",
        ("accuracy", "worldsense_any_letter"),
        "Hong et al. 2025; VLMEvalKit, utils/worldsense.py",
        "the kit takes the first capital A, B, C or D, even inside a word",
        ("honglyhly/WorldSense", "lmms-lab/WorldSense"),
        tasks=_VQA_OR_CLASSIFY,
        reads_choices=True,
    ),
)

BENCHMARKS: dict[str, Benchmark] = {benchmark.name: benchmark for benchmark in _ALL}

_SPACES = re.compile(r"[\s_./:,|()\[\]\u2010-\u2015-]+")
# What harnesses add to a name: a split, its year, that it is a part of one, or how many frames were sent.
_FRAMES = re.compile(r"[\W_]+\d+(?:\.\d+)?[\W_]?(?:fps|frames?)\s*$")
_SPLITS = re.compile(
    r"train|training|trainval|val|valid|validation|minival|dev|test|testdev|teststd|std|standard|testmini|all"
    r"|lite|mini|full|balanced|instructions|(?:train|val|test)(?:20)?\d\d|20\d\d"
)


@lru_cache(maxsize=1 << 10)
def benchmark_of(dataset: str | None) -> Benchmark | None:
    """The benchmark that a dataset is, whatever the case, hyphens and split of its name; or None.

    >>> [found.name for found in map(benchmark_of, ("MUSIC-AVQA", "TextVQA_VAL", "vizwiz_vqa_val")) if found]
    ['music_avqa', 'textvqa', 'vizwiz']
    >>> benchmark_of("my_gqa_like"), benchmark_of("gqa_ru"), benchmark_of(None)
    (None, None, None)
    """
    return None if dataset is None else _BY_NAME.get(_bare(dataset))


def check_protocol(protocol: str, datasets: set[str | None]) -> None:
    """Refuse a protocol that scores the benchmark of none of these datasets, and list those that do.

    Raises:
        InputError: no dataset is a benchmark that has such a rule.
    """
    found = sorted({b.name: b for b in map(benchmark_of, datasets) if b}.items())
    if any(protocol in benchmark.rules for _, benchmark in found):
        return
    if not found:
        names = ", ".join(sorted(map(str, datasets)))
        raise InputError(
            f"protocol {protocol!r} scores none of these predictions: no dataset is a known benchmark "
            f"({names}); name the benchmark in 'dataset', such as {', '.join(list(BENCHMARKS)[:3])}"
        )
    rules = list(dict.fromkeys(rule for _, benchmark in found for rule in benchmark.rules))
    of_each = "; ".join(f"{benchmark.title} has {', '.join(benchmark.rules)}" for _, benchmark in found)
    hint = did_you_mean(protocol, rules)
    raise InputError(f"no benchmark here has the protocol {protocol!r}; {hint}{hint and ' '}{of_each}")


def _bare(name: str) -> str:
    """A name without case and separators, and without the splits and frames at its end."""
    text = _FRAMES.sub("", unicodedata.normalize("NFKC", name).casefold())
    words = [word for word in _SPACES.split(text) if word]
    while words and _SPLITS.fullmatch(words[-1]):
        words.pop()
    return "".join(words)


_BY_NAME = {
    _bare(spelling): benchmark
    for benchmark in _ALL
    for spelling in (benchmark.name, benchmark.title, *benchmark.spellings)
}
