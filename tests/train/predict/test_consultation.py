"""Consultation: a skip is the base's answer bit for bit, and a mixed batch says what single questions say."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_corpora import Row, build_corpus
from tiny_families import save_family
from tiny_models import SHORT, wake

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.generation import Generator, watching
from safe_eval.prediction import Prediction
from safe_eval.predictions import select
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.prompts import stored_picture
from safe_train.checkpoint import used_encoders
from safe_train.gates.all_gates import Recipe, make_gate
from safe_train.gates.asking import ask_every_budget
from safe_train.gates.gate import Decisions, Gate
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.states import States
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.predict.chosen_gate import always
from safe_train.predict.predict import predictions
from safe_train.predict.sounds import WantedEncoder
from safe_train.settings.pathway import PathwayConfig

BUDGETS = (2, 4)
Said = tuple[str | None, float | None, dict[str, float] | None]


@dataclass(frozen=True)
class Unsure:
    """Hears with the fewest tokens above one entropy, and with the most above another."""

    some: float
    most: float
    kind: str = "unsure"
    needs_state: bool = True

    def decide(self, states: States) -> Decisions:
        scores = np.clip(states.entropy / states.largest_entropy, 0, 1)
        tokens = np.where(states.entropy > self.most, 4, np.where(states.entropy > self.some, 2, 0))
        return Decisions(tokens, scores)


@pytest.fixture
def nested(backbone: Backbone) -> SafeModel:
    """A model that may hear with 2 or 4 tokens."""
    return awake(backbone)


def awake(backbone: Backbone, shape: tuple[int, ...] = (512,)) -> SafeModel:
    config = PathwayConfig(tokens=BUDGETS, rank=8, heads=2, bottleneck=64)
    return SafeModel(backbone.model, wake(new_pathway(config, backbone.model, [shape], seed=0)))


def mixed(outcomes: Outcomes) -> Unsure:
    """A gate that skips a third of these questions; between two entropies, so that no rounding decides."""
    entropy = np.sort(outcomes.states.entropy)
    third, two_thirds = len(entropy) // 3, 2 * len(entropy) // 3
    return Unsure(*(float(entropy[at : at + 2].mean()) for at in (third, two_thirds)))


@pytest.fixture
def outcomes(nested: SafeModel, backbone: Backbone, test_split: ShardDataset) -> Outcomes:
    return ask_every_budget(nested, backbone, test_split, asking=SHORT, batch_size=20, quiet=True)


@pytest.fixture
def gate(outcomes: Outcomes) -> Unsure:
    return mixed(outcomes)


def ask(
    model: SafeModel,
    backbone: Backbone,
    dataset: ShardDataset,
    gate: Gate | None,
    conditions: Sequence[str] = ("full",),
    batch_size: int = 20,
    **more: Any,
) -> list[Prediction]:
    (used,) = used_encoders([dataset.with_encoder("logmel")])
    encoders = (WantedEncoder(used.name, used.fingerprint, None),)
    asked = {"asking": SHORT, "batch_size": batch_size, "gate": gate, **more}
    return list(predictions(model, backbone, dataset, encoders, conditions, **asked))


def said(rows: Sequence[Prediction]) -> list[Said]:
    return [(row.answer, row.confidence, row.choice_probabilities) for row in rows]


def test_a_skip_is_the_base_to_the_last_bit_and_a_row_that_listens_is_fused(
    nested: SafeModel, backbone: Backbone, test_split: ShardDataset, gate: Unsure, outcomes: Outcomes
) -> None:
    rows = ask(nested, backbone, test_split, gate, ("full", "gate_off"))
    full, off, base = (
        select(rows, model="safe", condition="full"),
        select(rows, condition="gate_off"),
        select(rows, model="base"),
    )
    assert said(off) == said(base)
    decided = gate.decide(outcomes.states).tokens.tolist()
    assert [row.audio_tokens for row in full] == decided
    assert set(decided) == {0, *BUDGETS}
    for place, (row, shut) in enumerate(zip(full, off, strict=True)):
        assert row.consulted is (decided[place] > 0)
        if row.consulted:
            assert row.answer == outcomes.answers[place][outcomes.column(decided[place])]
            wanted = outcomes.influence_kl[place, outcomes.column(decided[place])]
            assert row.influence_kl == pytest.approx(wanted, rel=1e-3)
        else:
            assert said([row]) == said([shut])
            assert row.influence_kl == 0.0
    assert [row.gate_score for row in full] == gate.decide(outcomes.states).scores.tolist()
    assert {(row.gate_ms, row.latency_ms) for row in rows} == {(None, None)}
    assert {(r.gate_score, r.consulted, r.audio_tokens, r.influence_kl) for r in off} == {(0, False, 0, None)}


def test_one_by_one_says_the_same(
    nested: SafeModel, backbone: Backbone, test_split: ShardDataset, gate: Unsure
) -> None:
    together, alone = (
        select(ask(nested, backbone, test_split, gate, batch_size=size), model="safe") for size in (20, 1)
    )
    same_decisions(together, alone)


def same_decisions(together: Sequence[Prediction], alone: Sequence[Prediction]) -> None:
    assert len({row.audio_tokens for row in alone}) > 1
    for one, other in zip(together, alone, strict=True):
        assert (one.example_id, one.answer, one.audio_tokens) == (
            other.example_id,
            other.answer,
            other.audio_tokens,
        )
        assert one.gate_score == pytest.approx(other.gate_score, rel=1e-3)
        assert one.confidence == pytest.approx(other.confidence, rel=1e-3)
        assert one.choice_probabilities == pytest.approx(other.choice_probabilities, rel=1e-3)
        assert one.influence_kl == pytest.approx(other.influence_kl, rel=1e-3, abs=1e-6)


def test_the_sound_changes_no_decision(
    nested: SafeModel, backbone: Backbone, test_split: ShardDataset, gate: Unsure
) -> None:
    rows = ask(nested, backbone, test_split, gate, ("full", "mute_audio", "swap_audio", "noise_audio"))
    arms = [select(rows, model="safe", condition=name) for name in ("full", "mute_audio", "swap_audio")]
    decided = [[(row.audio_tokens, row.gate_score) for row in arm] for arm in arms]
    assert decided[0] == decided[1] == decided[2]
    for one, other in zip(arms[0], arms[1], strict=True):
        assert (said([one]) == said([other])) is (not one.consulted)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many prompts each generation is asked for."""
    made: list[int] = []
    generate = Generator.generate

    def count(self: Generator, inputs: dict[str, Any], *rest: Any) -> Any:
        made.append(len(inputs["input_ids"]))
        return generate(self, inputs, *rest)

    monkeypatch.setattr(Generator, "generate", count)
    return made


def test_arms_share_the_pass_behind_the_state_and_always_makes_none(
    nested: SafeModel, backbone: Backbone, test_split: ShardDataset, gate: Unsure, calls: list[int]
) -> None:
    questions = sum(len(test_split.record(clip).examples) for clip in range(len(test_split)))
    conditions = ("full", "mute_audio", "swap_audio")
    calls.clear()
    ask(nested, backbone, test_split, None, conditions)
    assert sum(calls) == 4 * questions  # the base and three arms
    calls.clear()
    rows = ask(nested, backbone, test_split, gate, conditions)
    listens = sum(row.consulted is True for row in rows)
    assert sum(calls) == 2 * questions + listens  # the base, one pass, and who listens
    calls.clear()
    ask(nested, backbone, test_split, always(4), ("full",), influence=True)
    assert sum(calls) == 3 * questions


def test_a_sound_that_nobody_hears_is_not_opened(
    nested: SafeModel,
    backbone: Backbone,
    test_split: ShardDataset,
    gate: Unsure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = select(ask(nested, backbone, test_split, gate), model="safe")

    def broken(*_: object) -> None:
        raise OSError("cannot be opened")

    monkeypatch.setattr(ShardDataset, "audio", broken)
    monkeypatch.setattr(ShardDataset, "embeddings", broken)
    deaf = select(ask(nested, backbone, test_split, Unsure(99, 99)), model="safe")
    assert not [row.error for row in deaf if row.error]
    rows = select(ask(nested, backbone, test_split, gate), model="safe")
    failed = [row.error == "OSError: cannot be opened" for row in rows]
    assert failed == [row.consulted for row in whole]
    kept = [row.answer for row, lost in zip(rows, failed, strict=True) if not lost]
    assert kept == [row.answer for row, lost in zip(whole, failed, strict=True) if not lost]


def test_choices_of_several_tokens_are_scored_under_the_decision_of_their_row(
    nested: SafeModel, backbone: Backbone, tmp_path: Path
) -> None:
    def longer(row: Row) -> Row | None:
        if row["split"] == "train" and int(row["id"].rpartition("-")[2]) > 12:
            return None
        row["examples"] = [{**one, "choices": [*one["choices"], "two red"]} for one in row["examples"]]
        if int(row["id"].rpartition("-")[2]) % 3 == 0:
            del row["image_file_name"]
            row["examples"] = [one for one in row["examples"] if one["needs_audio"]]
        return row

    dataset = ShardDataset(build_corpus(tmp_path, "longer", longer), "train", "logmel")
    gate = mixed(ask_every_budget(nested, backbone, dataset, asking=SHORT, quiet=True))
    together, alone = (
        select(
            ask(nested, backbone, dataset, gate, ("full", "gate_off"), batch_size=size),
            model="safe",
            condition="full",
        )
        for size in (16, 1)
    )
    same_decisions(together, alone)
    shut = select(ask(nested, backbone, dataset, gate, ("gate_off",), batch_size=16), condition="gate_off")
    for row, other in zip(together, shut, strict=True):
        likelihoods = [(one.metadata or {})["choice_log_likelihoods"] for one in (row, other)]
        assert (likelihoods[0] == likelihoods[1]) is (not row.consulted)


@pytest.mark.parametrize(
    ("family", "batches_alike"),
    [
        ("LLaVA", True),
        ("Qwen2.5-VL", True),
        ("Gemma 3", True),
        ("Llama 3.2 Vision", True),
        ("BLIP-2 OPT", False),  # its processor pads between picture and words
        ("BLIP-2 T5", False),
    ],
)
def test_families_are_asked_alike(family: str, batches_alike: bool, shards: Path, tmp_path: Path) -> None:
    backbone = load_backbone(save_family(family, tmp_path))
    model = awake(backbone)
    dataset = ShardDataset(shards, "val", "logmel")
    outcomes = ask_every_budget(model, backbone, dataset, asking=SHORT, batch_size=16, quiet=True)
    gate = mixed(outcomes)
    rows = ask(model, backbone, dataset, gate, ("full", "gate_off"), batch_size=16)
    full, off = (select(rows, model="safe", condition=name) for name in ("full", "gate_off"))
    assert not [row.error for row in rows if row.error]
    assert {row.consulted for row in full} == {True, False}
    for row, shut in zip(full, off, strict=True):
        assert row.consulted or said([row]) == said([shut])
        assert (row.influence_kl == 0.0) is (not row.consulted)
    head = backbone.model.get_output_embeddings()
    logits = head(torch.from_numpy(outcomes.states.hidden)).softmax(-1).max(-1).values
    np.testing.assert_allclose(logits.detach(), outcomes.states.confidence, rtol=1e-3)
    if batches_alike:
        same_decisions(full, select(ask(model, backbone, dataset, gate, batch_size=1), model="safe"))


@torch.no_grad()
@pytest.mark.parametrize("beams", [1, 3])
def test_rows_that_are_left_change_no_other_row(
    backbone: Backbone, test_split: ShardDataset, beams: int
) -> None:
    dialogue = Dialogue(*backbone[:2])
    asked = [Question("what is there ?", stored_picture(test_split, clip)) for clip in range(5)]
    inputs = dialogue.encode(asked)
    settings = {"do_sample": False, "num_beams": beams, "max_new_tokens": 5, "return_dict_in_generate": True}
    whole = backbone.model.generate(**inputs, **settings).sequences
    left = [True, False, False, True, False]
    shapes: list[tuple[int, ...]] = []

    def leave(first: torch.Tensor, hidden: torch.Tensor) -> Sequence[bool]:
        shapes.extend([tuple(first.shape), tuple(hidden.shape)])
        return left

    with watching(backbone.model, len(asked), leave) as watched:
        found = backbone.model.generate(**inputs, **settings, **watched).sequences
    kept = [row for row, is_left in enumerate(left) if not is_left]
    length = found.shape[1]
    assert torch.equal(found[kept], whole[kept][:, :length])
    assert [shape[0] for shape in shapes] == [5, 5]
    assert not backbone.model.get_output_embeddings()._forward_pre_hooks
    made = dialogue.generate(inputs, lambda first, _: [True] * len(first))
    assert made.tokens.shape == (5, 1)  # it ends after its first step


def test_always_and_never(
    nested: SafeModel, backbone: Backbone, test_split: ShardDataset, outcomes: Outcomes
) -> None:
    fewest = select(ask(nested, backbone, test_split, always(2)), model="safe")
    assert {(r.consulted, r.audio_tokens, r.gate_score, r.influence_kl) for r in fewest} == {
        (True, 2, 1.0, None)
    }
    assert [row.answer for row in fewest] == [one[outcomes.column(2)] for one in outcomes.answers]
    told = select(ask(nested, backbone, test_split, always(2), influence=True), model="safe")
    assert said(told) == said(fewest)
    kl = [row.influence_kl for row in told]
    assert kl == pytest.approx(outcomes.influence_kl[:, outcomes.column(2)].tolist(), rel=1e-3)
    never = ask(nested, backbone, test_split, make_gate(Recipe("never", (), 0.5, 4, (4,)), {}))
    assert said(select(never, model="safe")) == said(select(never, model="base"))
    assert {(r.consulted, r.audio_tokens, r.gate_score) for r in select(never, model="safe")} == {
        (False, 0, 0)
    }
