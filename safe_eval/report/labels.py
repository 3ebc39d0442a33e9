"""Labels: models, conditions and slices in words."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from safe_eval.condition import condition_parts
from safe_eval.report.numbers import MINUS
from safe_eval.scorers.scorer import CAPTION_METRICS

SLICES = {"vl": "VL", "audio": "Audio", "all": "All"}
LONGEST_MODEL = 24  # characters of a name that is repeated for each condition
_TYPE = "type:"
_CONDITIONS = {
    "full": "full input",
    "mute_audio": "audio muted",
    "noise_audio": "audio as noise",
    "swap_audio": "audio swapped",
    "contradict": "audio that contradicts",
    "reverb": "audio in a hall",
    "mute_vision": "picture greyed",
    "swap_vision": "picture swapped",
    "blur": "picture blurred",
    "text_only": "question alone",
    "gate_off": "gate off",
}
_FAMILIES = {
    "snr": "noise at {} dB SNR",
    "lowpass": "audio below {} Hz",
    "codec_mp3": "audio as MP3 at {} kbps",
    "clip": "first {} s of audio",
    "shift": "audio {} ms late",
    "drop": "{} % of audio and pictures dropped",
}


@dataclass(frozen=True)
class Models:
    """The models of a page: the baseline, if there is one, those that it is about, and all others."""

    baseline: str | None
    tested: tuple[str, ...]
    others: tuple[str, ...] = ()  # such as the base of each of several runs

    @property
    def equals(self) -> bool:
        """Whether several models are on the page as equals, so that an arm needs the name of its model."""
        return len(self.tested) > 1 or bool(self.others)

    @property
    def reference(self) -> str | None:
        """The model that the others are compared with: the baseline, or without one the first of equals."""
        return self.baseline or (self.tested[0] if self.equals else None)

    def title(self, model: str, condition: str) -> str:
        """An arm in words, as short as it can be told from the others.

        >>> alone, two = Models("base", ("safe",)), Models(None, ("alpha", "beta"))
        >>> alone.title("safe", "full"), alone.title("safe", "mute_audio"), alone.title("base", "mute_audio")
        ('safe', 'audio muted', 'base, audio muted')
        >>> two.title("beta", "mute_audio")
        'beta, audio muted'
        """
        if condition == "full":
            return model
        changed = condition_title(condition)
        return f"{model}, {changed}" if self.equals or model == self.baseline else changed


def models_of(names: Collection[str], baseline: str | None, others: Collection[str] = ()) -> Models:
    """The models by their names; a baseline that is none of them is no baseline.

    >>> models_of({"safe", "base"}, "base")
    Models(baseline='base', tested=('safe',), others=())
    >>> models_of({"b", "a"}, "base")
    Models(baseline=None, tested=('a', 'b'), others=())
    >>> models_of({"a"}, "a").tested
    ('a',)
    """
    known = baseline if baseline in names else None
    tested = tuple(name for name in sorted(names) if name != known and name not in others)
    return Models(known, tested or tuple(sorted(names)), tuple(sorted(others)))


def condition_title(name: str) -> str:
    """A condition in words.

    >>> condition_title("swap_audio"), condition_title("snr_-5db"), condition_title("clip_0.5")
    ('audio swapped', 'noise at −5 dB SNR', 'first 0.5 s of audio')
    >>> condition_title("shift_-40")
    'audio 40 ms early'
    """
    kind, number = condition_parts(name) or (name, None)
    if number is None:
        return _CONDITIONS.get(kind, name)
    early = kind == "shift" and number < 0
    title = _FAMILIES[kind].format(f"{abs(number) if early else number:g}".replace("-", MINUS))
    return title.replace("late", "early") if early else title


def condition_order(name: str) -> tuple[int, float, str]:
    """The sort key of conditions: those without a number, then each kind that has one by its number.

    >>> sorted(["snr_5db", "drop_20", "blur", "snr_-5db", "full", "clip_10", "clip_2"], key=condition_order)
    ['full', 'blur', 'snr_-5db', 'snr_5db', 'clip_2', 'clip_10', 'drop_20']
    """
    kind, number = condition_parts(name) or (name, None)
    known = [*_CONDITIONS, *_FAMILIES]
    return known.index(kind) if kind in known else len(known), number or 0.0, name


def arm_key(model: str, condition: str) -> str:
    """What the title of an arm does not say of its name in comparisons and criteria.

    >>> arm_key("safe", "full"), arm_key("safe", "mute_audio")
    ('', 'safe/mute_audio')
    """
    if condition == "full":
        return ""
    return f"{model}/{condition}" if len(model) <= LONGEST_MODEL else condition


def slice_title(name: str, noun: str = "questions") -> str:
    """A slice in words.

    >>> slice_title("vl"), slice_title("all", "captions"), slice_title("type:count")
    ('VL questions', 'All captions', 'count')
    """
    return f"{SLICES[name]} {noun}" if name in SLICES else name.removeprefix(_TYPE)


def noun_of(metric: str) -> str:
    """What a metric judges.

    >>> noun_of("cider_d"), noun_of("vqa_accuracy")
    ('captions', 'questions')
    """
    return "captions" if metric in CAPTION_METRICS else "questions"


def slices_in_order(names: Iterable[str]) -> list[str]:
    """Slices in the order of the tables: VL, audio, all, then the others by name."""
    known = list(SLICES)
    return sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name))


def set_title(metric: str, dataset: str | None, seed: int | None) -> str:
    """The title of a table: metric, dataset and seed.

    >>> set_title("vqa_accuracy", None, 0)
    'vqa_accuracy · seed 0'
    """
    return " · ".join(part for part in (metric, dataset, "" if seed is None else f"seed {seed}") if part)
