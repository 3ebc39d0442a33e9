"""Links into the items: from a number on the page to the filter that shows what is behind it.

A link is a fragment of the page, such as `#items?outcome=1:wrong&needs_audio=yes`, made of numbers, our own
words, and names that are percent-encoded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote

from safe_eval.report.chart_links import Link
from safe_eval.report.labels import slice_title

NOT_RIGHT = "wrong,unparsed,error"
NOT_FAILED = "right,wrong,unparsed"
FULL = "full"
_SLICES = {"all": (), "audio": (("needs_audio", "yes"),), "vl": (("needs_audio", "no"),)}
_TYPE = "type:"

Parameters = Sequence[tuple[str, str]]


class Place(NamedTuple):
    """An arm as the rows of the scores name it; of several runs, the run stands before the model."""

    model: str
    condition: str
    seed: int | None  # None: over all seeds of `About.seeds`


class About(NamedTuple):
    """The questions that a number is about."""

    slice: str = "all"
    metric: str | None = None
    dataset: str | None = None
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Links:
    """The numbers of the arms, and the metric that the items show of each dataset."""

    arms: Mapping[Place, int]
    metric_of: Mapping[str, str]  # by dataset; of a run without names it has one entry
    datasets: tuple[str, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds of the arms."""
        return tuple(sorted({place.seed for place in self.arms if place.seed is not None}))

    def arm(self, place: Place, seeds: Sequence[int] = ()) -> int | None:
        """The number of an arm; without a seed, of the first; a model with one seed has no other."""
        if place.seed is None:
            found = [self.arms.get(place._replace(seed=seed)) for seed in seeds]
            return next((number for number in found if number is not None), None)
        if place in self.arms:
            return self.arms[place]
        same = [number for other, number in self.arms.items() if other[:2] == place[:2]]
        return same[0] if len(same) == 1 else None

    def wrong(self, place: Place, about: About) -> Link | None:
        """The answers of an arm that are not right."""
        number, filters = self.arm(place, about.seeds), self._filters(about)
        if number is None or filters is None:
            return None
        words = f"answers of {self._named(place, about)} that are not right{self._questions(about)}"
        return items([("outcome", f"{number}:{NOT_RIGHT}"), *filters], words)

    def wrong_in_all(self, places: Sequence[Place], about: About) -> Link | None:
        """The items that no arm of several gets right."""
        numbers, filters = [self.arm(place) for place in places], self._filters(about)
        if filters is None or not numbers or None in numbers:
            return None
        outcomes = [("outcome", f"{number}:{NOT_RIGHT}") for number in numbers]
        first = places[0]
        words = f"items that {_arm(first)} gets right with no seed{self._questions(about)}"
        return items([*outcomes, *filters], words)

    def flip(self, a: Place, b: Place, kind: str, about: About) -> Link | None:
        """The items that are right in a and not in b (gained), the reverse (lost), or either (any)."""
        of_a, of_b, filters = self.arm(a, about.seeds), self.arm(b, about.seeds), self._filters(about)
        if of_a is None or of_b is None or of_a == of_b or filters is None:
            return None
        one, other = self._named(a, about), _arm(b)
        if a.model == b.model:
            other = b.condition
        if kind == "lost":
            one, other = other, one
        words = f"items right for {one} and not for {other}{self._questions(about)}"
        if kind == "any":
            words = f"items right for only one of {one} and {other}{self._questions(about)}"
        return items([("flip", f"{of_a}:{of_b}:{kind}"), *filters], words)

    def sure(
        self, place: Place, low: float, high: float, about: About, outcome: str = NOT_FAILED
    ) -> Link | None:
        """The answers of an arm whose confidence lies between two numbers, ends included."""
        number, filters = self.arm(place, about.seeds), self._filters(about)
        if number is None or filters is None:
            return None
        between = [("confidence", f"{number}:{low!r}:{high!r}"), ("outcome", f"{number}:{outcome}")]
        what = "answers that are not right" if outcome == "wrong,unparsed" else "answers"
        words = f"{what} of {self._named(place, about)} with a confidence from {low:.3g} to {high:.3g}"
        return items([*between, *filters], words + self._questions(about))

    def _filters(self, about: About) -> list[tuple[str, str]] | None:
        """The filters of a slice, a dataset and a metric; None if no filter shows the slice."""
        if about.slice.startswith(_TYPE):
            found = [("type", about.slice.removeprefix(_TYPE))]
        elif about.slice in _SLICES:
            found = list(_SLICES[about.slice])
        else:
            return None
        if len(self.datasets) > 1:
            if not about.dataset:
                return None
            found.append(("dataset", about.dataset))
        if about.metric is not None and about.metric != self.metric(about.dataset):
            found.append(("metric", about.metric))
        return found

    def metric(self, dataset: str | None) -> str | None:
        """The metric that the items of a dataset are shown with."""
        if len(self.metric_of) == 1:
            return next(iter(self.metric_of.values()))
        return self.metric_of.get(dataset or "")

    def _named(self, place: Place, about: About) -> str:
        """An arm, and its seed where the number is over several and one of them is shown."""
        if place.seed is not None or len(about.seeds) < 2:
            return _arm(place)
        return f"{_arm(place)} (seed {about.seeds[0]}, one of {len(about.seeds)})"

    def _questions(self, about: About) -> str:
        on = f" on {about.dataset}" if about.dataset and len(self.datasets) > 1 else ""
        if about.slice == "all":
            return on
        return f": {slice_title(about.slice)}{on}"


def items(parameters: Parameters, opens: str) -> Link:
    """The items that a query selects.

    >>> items([("type", "a b&c"), ("outcome", "1:wrong")], "one").href
    '#items?type=a%20b%26c&outcome=1:wrong'
    """
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe=':,')}" for name, value in parameters)
    return Link(f"#items?{query}", opens)


def _arm(place: Place) -> str:
    return place.model if place.condition == FULL else f"{place.model} under {place.condition}"
