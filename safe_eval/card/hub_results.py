"""Hub results: `.eval_results/*.yaml`, which the Hugging Face Hub shows on the page of a model.

**Source.** The Hub's documentation of evaluation results, and `EvalResultEntry` of huggingface_hub.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from safe_eval.card.headline import Headline, headlines
from safe_eval.card.published import Published, file_names, name_of

FOLDER = ".eval_results"


def hub_results(published: Published, model: str) -> Iterator[tuple[Path, bytes]]:
    """The files of a model by their path in its repository: one per dataset and condition.

    A condition is a variant of the benchmark, so it has a file of its own, and its notes name it.
    """
    variants: dict[str, list[Headline]] = {}
    for one in headlines(published.scores):
        if one.model == model:
            variants.setdefault(f"{name_of(one.dataset)}_{one.condition}", []).append(one)
    names = file_names(list(variants))
    for variant, rows in variants.items():
        entries = [_entry(one, published) for one in rows]
        text = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=1000)
        yield Path(FOLDER, f"{names[variant]}.yaml"), text.encode()


def unlisted(published: Published) -> list[str]:
    """The datasets whose id on the Hub was not given, so that the Hub lists no results for them."""
    return [name for name in map(name_of, published.datasets) if name not in published.hub]


def _entry(one: Headline, published: Published) -> dict[str, Any]:
    name = name_of(one.dataset)
    hub = published.hub.get(name)
    dataset = {"id": hub.id, "task_id": hub.task_id} if hub else {"id": name, "task_id": "default"}
    about = [f"safe-eval {one.metric}", f"condition {one.condition}", one.of_seeds, one.interval]
    about += [f"{one.n} items in {one.clusters} clusters", f"predictions {published.proof}"]
    return {
        "dataset": dataset,
        "value": one.value,
        "date": published.made.isoformat().replace("+00:00", "Z"),
        "notes": "; ".join(filter(None, about)),
    }
