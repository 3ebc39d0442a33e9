"""Asking at every budget: the table holds what predictions say, and the states that a forward pass gives."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_corpora import Row, build_corpus
from tiny_models import SHORT, wake
from two_encoders import two_encoder_split

from safe_data.core.errors import InputError
from safe_data.records import Example, Record
from safe_data.shards.dataset import ShardDataset
from safe_eval.predictions import select
from safe_eval.scoring.score import score_predictions
from safe_train.base.backbone import Backbone
from safe_train.base.prompts import Prompts, stored_picture
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.gates.asking import ask_every_budget
from safe_train.gates.outcomes import Outcomes, read_outcomes, write_outcomes
from safe_train.gates.scored_questions import ScoredQuestion, scores_of
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.predict.predict import predictions, wanted_encoders
from safe_train.settings.pathway import PathwayConfig


@pytest.fixture
def outcomes(model: SafeModel, backbone: Backbone, test_split: ShardDataset) -> Outcomes:
    return ask_every_budget(model, backbone, test_split, asking=SHORT, batch_size=20, quiet=True)


def test_the_answers_and_scores_are_those_of_predictions(
    outcomes: Outcomes, adapter: Path, model: SafeModel, backbone: Backbone, test_split: ShardDataset
) -> None:
    encoders = wanted_encoders(read_checkpoint(adapter))
    rows = list(predictions(model, backbone, test_split, encoders, ("full",), asking=SHORT, batch_size=20))
    most = outcomes.budgets[-1]
    for name, tokens in (("base", 0), ("safe", most)):
        arm = select(rows, model=name)
        assert [row.example_id for row in arm] == list(outcomes.example_ids)
        said = [answers[outcomes.column(tokens)] for answers in outcomes.answers]
        assert said == [row.answer for row in arm]
        (scored,) = [
            row
            for row in score_predictions(rows).metrics
            if (row.model, row.metric, row.slice) == (name, "accuracy", "all")
        ]
        assert outcomes.scores[:, outcomes.column(tokens)].mean() == pytest.approx(scored.value)
    assert [row.group for row in select(rows, model="base")] == list(outcomes.groups)
    assert [row.needs_audio for row in select(rows, model="base")] == outcomes.needs_audio.tolist()
    assert len({answers[-1] for answers in outcomes.answers}) > 5
    assert any(answers[0] != answers[-1] for answers in outcomes.answers)


@torch.no_grad()
def test_a_state_is_what_one_forward_pass_gives(
    outcomes: Outcomes, model: SafeModel, backbone: Backbone, test_split: ShardDataset
) -> None:
    prompts = Prompts(backbone.processor, SHORT)
    asked = [(clip, one) for clip in range(4) for one in test_split.record(clip).examples]
    silent = test_split.embeddings([clip for clip, _ in asked])
    for row, (clip, example) in enumerate(asked):
        inputs = prompts.encode(example.prompt, stored_picture(test_split, clip))
        made = model.base(**inputs, output_hidden_states=True)
        logits = made.logits[0, -1].double()
        raw = logits.softmax(-1)
        said = model.base.generation_config
        logits[[*said.suppress_tokens, *said.begin_suppress_tokens]] = -torch.inf  # what cannot be said first
        chances = logits.softmax(-1)
        best = chances.topk(2).values
        states = outcomes.states
        wanted = -(chances * chances.clamp(min=1e-300).log()).sum().item()
        assert states.entropy[row] == pytest.approx(wanted, rel=1e-4)
        assert states.confidence[row] == pytest.approx(best[0].item(), rel=1e-4)
        assert states.margin[row] == pytest.approx((best[0] - best[1]).item(), rel=1e-3, abs=1e-6)
        np.testing.assert_allclose(states.hidden[row], made.hidden_states[-1][0, -1], atol=1e-4)
        with model.fuse(audio=torch.from_numpy(silent[row : row + 1].astype(np.float32))):
            heard = model.base(**inputs).logits[0, -1].double().log_softmax(-1)
        divergence = (raw * (raw.log() - heard)).sum().item()
        assert outcomes.influence_kl[row, -1] == pytest.approx(divergence, rel=1e-3)
    assert outcomes.influence_kl[:, 0].tolist() == [0.0] * len(outcomes)


def test_the_facts_say_what_the_table_was_made_from(
    outcomes: Outcomes, adapter: Path, backbone: Backbone, test_split: ShardDataset, tmp_path: Path
) -> None:
    read = read_checkpoint(adapter)
    made = ask_every_budget(
        attach_checkpoint(read, backbone), backbone, test_split, asking=SHORT, facts={"seed": 3}, quiet=True
    )
    assert made.facts["adapter_sha256"] == read.config.weights_sha256
    assert made.facts["base_files"] == read.config.base.files
    assert made.facts["dataset"]["fingerprint"] == test_split.fingerprint
    assert (made.facts["split"], made.facts["left_out"], made.facts["seed"]) == ("test", {}, 3)
    write_outcomes(tmp_path / "outcomes.parquet", outcomes)
    assert read_outcomes(tmp_path / "outcomes.parquet").facts == outcomes.facts


def test_latency_is_measured_when_asked(
    model: SafeModel, backbone: Backbone, test_split: ShardDataset, outcomes: Outcomes
) -> None:
    assert np.isnan(outcomes.latency_ms).all()
    assert outcomes.facts["state_ms"] is None
    timed = ask_every_budget(
        model, backbone, test_split, asking=SHORT, latency_questions=3, batch_size=64, quiet=True
    )
    assert np.all((timed.latency_ms > 0) & (timed.latency_ms < 60_000))
    assert 0 < timed.facts["state_ms"] < timed.latency_ms[0]
    assert timed.answers == outcomes.answers


def test_a_budget_that_was_not_trained_is_refused(
    model: SafeModel, backbone: Backbone, test_split: ShardDataset
) -> None:
    with pytest.raises(InputError, match=r"3 audio tokens: this pathway was trained with \[4\]; try these"):
        ask_every_budget(model, backbone, test_split, budgets=[0, 3, 4], asking=SHORT)


def test_what_no_gate_can_learn_from_is_left_out_and_counted(
    model: SafeModel, backbone: Backbone, tmp_path: Path
) -> None:
    def edit(row: Row) -> Row:
        number = int(row["id"].rpartition("-")[2])
        if number % 4 == 1:
            del row["audio_file_name"], row["events"]
        elif number % 4 == 2:
            row["examples"] = [{**one, "references": []} for one in row["examples"]]
        elif number % 4 == 3:
            row["examples"] = [{**one, "needs_audio": None} for one in row["examples"]]
        return row

    dataset = ShardDataset(build_corpus(tmp_path, "edited", edit), "train", "logmel")
    records = [dataset.record(clip) for clip in range(len(dataset))]
    kept = [
        (bool(dataset.has_audio[clip]), one)
        for clip, record in enumerate(records)
        for one in record.examples
        if one.references and (one.needs_audio is False or (one.needs_audio and dataset.has_audio[clip]))
    ]
    made = ask_every_budget(model, backbone, dataset, asking=SHORT, quiet=True)
    assert made.example_ids == tuple(one.id for _, one in kept)
    assert set(made.facts["left_out"]) == {
        "without references",
        "that do not say whether they need the sound",
        "without the sound that they need",
    }
    asked = sum(len(record.examples) for record in records)
    assert sum(made.facts["left_out"].values()) == asked - len(kept)
    for row, (has_sound, _) in enumerate(kept):  # without a sound the gate stays shut
        assert has_sound or made.answers[row][0] == made.answers[row][-1]
        assert (made.influence_kl[row, -1] > 0) == has_sound


def test_a_split_without_such_questions_is_refused(
    model: SafeModel, backbone: Backbone, tmp_path: Path
) -> None:
    def caption(row: Row) -> Row:
        row["examples"] = [
            {key: value for key, value in one.items() if key != "choices"} | {"task": "caption"}
            for one in row["examples"]
        ]
        return row

    dataset = ShardDataset(build_corpus(tmp_path, "told", caption), "train", "logmel")
    with pytest.raises(
        InputError, match=r"has no question to learn from \(\d+ whose answers have no score alone\)"
    ):
        ask_every_budget(model, backbone, dataset, asking=SHORT, quiet=True)


def test_a_pathway_of_two_encoders_hears_both(backbone: Backbone, tmp_path: Path) -> None:
    split = two_encoder_split(tmp_path)
    config = PathwayConfig(tokens=4, rank=8, heads=2, bottleneck=64)
    pathway = wake(new_pathway(config, backbone.model, [(512,), (8, 64)], seed=0))
    model = SafeModel(backbone.model, pathway)

    def ask() -> Outcomes:
        return ask_every_budget(
            model, backbone, split, encoders=("logmel", "loud"), asking=SHORT, batch_size=4, quiet=True
        )

    both = ask()
    with torch.no_grad():
        pathway.projector(1).layers[0].weight.zero_()  # as if the second encoder said nothing
    one = ask()
    changed = {
        identity.rsplit("-", 1)[0]
        for identity, before, after in zip(
            both.example_ids, both.influence_kl[:, -1], one.influence_kl[:, -1], strict=True
        )
        if before != after
    }
    assert changed == {"clip-000", "clip-002", "clip-003", "clip-004"}


def test_scores_are_those_of_the_benchmark() -> None:
    references = ("red", "red", "dark red", *("blue",) * 7)
    example = Example(id="q", task="vqa", prompt="which colour ?", references=references, needs_audio=False)
    record: Any = Record(id="r", dataset="vqav2", split="val", group="g", image="r.png", examples=(example,))
    (row,) = scores_of(
        [ScoredQuestion(0, record, example, True, False, "vqa_accuracy")], [("blue", "red", "green")]
    )
    assert row.tolist() == pytest.approx([1.0, 0.6, 0.0])
