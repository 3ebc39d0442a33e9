"""Card: the README of an export: metadata that the Hugging Face Hub reads, and what a user must know.

Names may come from the files of strangers, and are escaped. Numbers stand beside the hash of their source.

**Source:** the Hub's documentation of model cards; `ModelCardData` of huggingface_hub writes the metadata.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from safe_data.core.markdown import plain, table
from safe_data.core.numerals import share_text
from safe_eval.card.headline import headlines
from safe_eval.card.model_card import model_card
from safe_eval.card.published import Published, name_of
from safe_train.checkpoint import CheckpointConfig
from safe_train.export.asked_by import Proof
from safe_train.gates.gate_files import FittedGate
from safe_train.plan.checklist import Checklist
from safe_train.plan.plan_text import RAISED
from safe_train.settings.export import ExportConfig

_TAGS = ("safe-hearing", "audio", "vision-language", "multimodal", "adapter")


@dataclass(frozen=True)
class Told:
    """What a card is made from; `files` are the name, the bytes and the hash of each."""

    title: str
    config: CheckpointConfig
    gate: FittedGate | None
    checklist: Checklist | None
    checklist_sha256: str | None
    published: Published | None
    proof: Proof
    files: Sequence[tuple[str, int, str]]
    settings: ExportConfig


def card_of(told: Told) -> str:
    """The content of README.md."""
    parts = [_what(told), _use(told), _made(told), _gate(told), _launch(told), _evaluation(told)]
    sections = [*parts, _limits(told), _files(told)]
    body = "\n".join("\n".join([*section, ""]) for section in map(list, sections) if section)
    return f"---\n{_metadata(told)}\n---\n\n{body}"


def _metadata(told: Told) -> str:
    """The YAML on top."""
    from huggingface_hub import ModelCardData

    settings = told.settings
    results = list(_results(told))
    more: dict[str, Any] = {"base_model_relation": "adapter"} if settings.base_model else {}
    data = ModelCardData(
        base_model=settings.base_model,
        license=settings.license,
        library_name="safe-hearing",
        tags=list(_TAGS),
        model_name=told.title if results else None,
        eval_results=results or None,
        **more,
    )
    text: str = data.to_yaml()
    return text.strip()


def _results(told: Told) -> Iterator[Any]:
    """The numbers that lead, as the Hub's model index has them."""
    from huggingface_hub import EvalResult

    published = told.published
    if published is None:
        return
    for one in headlines(published.scores):
        if one.model != told.settings.model:
            continue
        name = name_of(one.dataset)
        hub = published.hub.get(name)
        yield EvalResult(
            task_type="visual-question-answering",
            dataset_type=hub.id if hub else name,
            dataset_name=f"{name} ({one.condition})",
            dataset_args={"condition": one.condition, "items": one.n},
            metric_type=one.metric,
            metric_name=f"{one.metric}, {one.interval}",
            metric_value=round(one.value, 6),
        )


def _what(told: Told) -> Iterator[str]:
    config = told.config
    yield f"# {plain(told.title)}"
    yield ""
    whole = "The base itself was trained too." if config.adapted else "The base stays as it is, to the bit."
    yield (
        f"An audio pathway: it lets the vision-language model {plain(config.base.name)} "
        f"({plain(config.base.architecture)}) hear. {whole} No weights of the base are in this repository"
        f"{', but those that were trained of it' if config.adapted else ''}, and no code: "
        "`trust_remote_code` is not needed, and nothing here is run."
    )


def _use(told: Told) -> Iterator[str]:
    settings = told.settings
    yield from ("## How to use it", "", "```python", "from safe_train import load_safe", "")
    yield f'safe = load_safe("{settings.repository or "FOLDER"}", backbone="{settings.base_model or "BASE"}")'
    yield 'answer = safe.answer("What is making this sound?", picture="street.jpg", sound="street.wav")'
    yield "print(answer.text, answer.consulted)"
    yield from ("```", "")
    named = [encoder for encoder in told.config.encoders if encoder.source is None]
    if named:
        names = ", ".join(f"{plain(one.name)} (fingerprint {plain(one.fingerprint)})" for one in named)
        yield f'Say where its encoders are with `encoders=("NAME:FOLDER",)`: {names}.'
    yield (
        "`answer.consulted` says whether the gate let it hear. Another base, or another version of an "
        "encoder, is refused: the hashes must fit."
    )


def _made(told: Told) -> Iterator[str]:
    config, pathway = told.config, told.config.pathway
    rows = [
        ("base", f"{config.base.name}, {config.base.parameters:,} parameters"),
        ("sha256 of the base's weights", config.base.weights_sha256),
        ("trained", f"{config.trained_parameters:,} parameters, {config.step:,} steps, seed {config.seed}"),
        ("fused layers", ", ".join(map(str, pathway.layers))),
        ("audio tokens", ", ".join(map(str, pathway.budgets))),
        *(
            ("hears by", f"{one.name}, fingerprint {one.fingerprint}, {one.sample_rate_hz:,} Hz")
            for one in config.encoders
        ),
        *(
            (
                "trained on",
                f"{one.name} ({one.split}), {one.records:,} records, fingerprint {one.fingerprint}",
            )
            for one in config.datasets
        ),
        ("versions", ", ".join(f"{name} {number}" for name, number in config.versions.items())),
    ]
    yield from ("## How it was made", "", *table(("what", "which"), rows))


def _gate(told: Told) -> Iterator[str]:
    yield from ("## When it listens", "")
    if told.gate is None:
        yield "It has no gate: it hears every question that comes with a sound."
        return
    facts, found = told.gate.facts, told.gate.facts.found
    on, skipped = facts.fitted_on, found.skips_audio
    yield (
        f"Its gate ({plain(facts.kind)}) was fitted on {on.questions:,} questions of {plain(on.dataset)} "
        f"({plain(on.split)}). There it skipped {share_text(found.skips.value)} of them, and "
        f"{share_text(skipped.value if skipped else None)} of those that need the sound. "
        f"Shown to lose no more than it may: {'yes' if facts.holds else 'no'}."
    )
    for note in facts.notes:
        yield f"- {plain(note)}"


def _launch(told: Told) -> Iterator[str]:
    found = told.checklist
    yield from ("## Launch checklist", "")
    if found is None:
        yield "No checklist was given: whether it is fit for a launch was not decided here."
        return
    yield (
        f"**{found.decision}**, by the checklist with sha256 `{told.checklist_sha256}`. That it "
        "is about this pathway is only said by who exported it."
    )
    if found.world is not None:
        yield "It was measured on a small synthetic world: it shows that the machinery works, and no more."
    flags = [(flag.rule, RAISED[flag.raised]) for flag in found.flags]
    needs = [(one.name, one.decision) for one in found.launch]
    tried = [(f"{one.number}. {one.title}", one.decision) for one in found.experiments]
    for columns, rows in (
        (("red flag", "raised"), flags),
        (("a launch needs", "decision"), needs),
        (("experiment", "decision"), tried),
    ):
        yield from ("", *table(columns, rows))


def _evaluation(told: Told) -> Iterator[str]:
    if told.published is None:
        yield from ("## Evaluation", "", "No scores were given.")
        return
    yield model_card(told.published, told.settings.model).rstrip()
    yield ""
    if told.proof == "recorded":
        yield "The run's own record says that these predictions are of this pathway."
    else:
        yield "That these predictions are of this pathway is only said by who exported it."


def _limits(told: Told) -> Iterator[str]:
    yield from ("## Limits", "")
    yield "- It fits the base above alone, with its very files."
    yield "- Behind a closed gate it is the base, with all its faults; what it hears may be wrong as well."
    yield "- It was tried on the datasets named here; about other sounds and languages nothing is known."
    if told.settings.license is None:
        yield "- No licence was given: ask who published it before you use it."
    if told.config.adapted:
        yield "- Its base was trained as well, so a closed gate does not give back the original base."


def _files(told: Told) -> Iterator[str]:
    rows = [(name, f"{size:,}", sha256) for name, size, sha256 in told.files]
    yield from ("## Files", "", *table(("file", "bytes", "sha256"), rows, numbers=("bytes",)))
    yield from ("", "`sha256sum -c SHA256SUMS` checks them, and this page.")
