"""Parity holds for what SAFE does, and sees each way in which a closed gate might not be the base."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Question
from safe_train.parity import parity as parity_module
from safe_train.parity.comparison import all_questions
from safe_train.parity.parity import ParityReport, check_parity, exit_code, judged, prove
from safe_train.parity.pathways import Tried, tried_pathways
from safe_train.parity.timing import TimeRatio
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.settings.backbone import AskingConfig
from safe_train.settings.parity import ParityConfig

Spoil = Callable[[SafeModel], None]


def decisions(
    backbone: Backbone, asked: list[Question], config: ParityConfig, spoil: Callable[[SafeModel, int], None]
) -> dict[str, str]:
    """What parity decides where something is done to the model after each pathway was attached."""
    whole = tried_pathways(config, backbone, ShardDataset(config.data, config.split))

    def attach(number: int) -> SafeModel:
        model = whole[number].attach()
        spoil(model, number)
        return model

    tried = [Tried(one.name, partial(attach, number)) for number, one in enumerate(whole)]
    proof = prove(backbone, asked, tried, config)
    return {one.name: one.decision for one in judged(proof, config) if not one.name.startswith("time")}


WHOLE = dict.fromkeys(("logits", "control", "generations", "checksums", "weights"), "holds")


def leak(model: SafeModel, by: float, tokens: Callable[[int], bool] = lambda _: True) -> None:
    """A hook that adds to a layer's output whatever the gate is, in passes of so many tokens."""

    def hook(_module: Any, _args: Any, output: Any) -> Any:
        hidden = output[0] if isinstance(output, tuple) else output
        if tokens(hidden.shape[1]):
            hidden = hidden + by * torch.arange(1.0, hidden.shape[2] + 1)
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    model._hooks.append(model.base.get_decoder().layers[1].register_forward_hook(hook))


def test_a_closed_gate_is_the_base(backbone: Backbone, asked: list[Question], config: ParityConfig) -> None:
    assert decisions(backbone, asked, config, lambda *_: None) == WHOLE


def test_one_weight_changed_by_a_millionth_is_seen(
    backbone: Backbone, asked: list[Question], config: ParityConfig
) -> None:
    def change(model: SafeModel, number: int) -> None:
        if number == 1:
            with torch.no_grad():
                model.base.lm_head.weight[7, 3] += 1e-6

    found = decisions(backbone, asked, config, change)
    assert found == WHOLE | {"checksums": "does not hold", "weights": "does not hold"}


def test_a_hook_that_leaks_is_seen(backbone: Backbone, asked: list[Question], config: ParityConfig) -> None:
    found = decisions(backbone, asked, config, lambda model, _: leak(model, 1e-3))
    assert (found["logits"], found["weights"]) == ("does not hold", "holds")


def test_a_generation_that_differs_is_seen(
    backbone: Backbone, asked: list[Question], config: ParityConfig
) -> None:
    """Only the tokens after the first: the logits of the prompts are the base's."""
    found = decisions(backbone, asked, config, lambda model, _: leak(model, 5.0, lambda n: n == 1))
    assert found == WHOLE | {"generations": "does not hold", "checksums": found["checksums"]}


def test_checksums_that_follow_the_seed_are_seen(
    backbone: Backbone, asked: list[Question], config: ParityConfig
) -> None:
    """Differences too small for the bound, but not the same from pathway to pathway."""
    found = decisions(backbone, asked, config, lambda model, number: leak(model, 1e-9 * 10**number))
    assert found == WHOLE | {"checksums": "does not hold"}


def test_a_pathway_that_says_nothing_proves_nothing(
    backbone: Backbone, asked: list[Question], config: ParityConfig
) -> None:
    def silent() -> SafeModel:
        return SafeModel(backbone.model, new_pathway(config.pathway, backbone.model, [(512,)], 0).eval())

    findings = judged(prove(backbone, asked, [Tried("silent", silent)], config), config)
    control = next(one for one in findings if one.name == "control")
    assert control.decision == "not measured"
    assert control.evidence.startswith("with the gate open, silent says what the base says")
    assert exit_code([one for one in findings if not one.name.startswith("time")], strict_time=False) == 2


def test_a_base_that_is_not_frozen_is_refused(
    backbone: Backbone, asked: list[Question], config: ParityConfig
) -> None:
    backbone.model.lm_head.weight.requires_grad_(True)
    with pytest.raises(InputError, match="1 parameters of the base are trainable"):
        prove(backbone, asked, [], config)


def test_the_report_is_written_once(config: ParityConfig, tmp_path: Path) -> None:
    written = replace(config, samples=8, out=tmp_path / "parity.json", time_limit=100.0)
    report = check_parity(written)
    assert report.exit_code == 0
    read = msgspec.json.decode((tmp_path / "parity.json").read_bytes(), type=ParityReport)
    assert read == report
    assert [one.name for one in report.pathways] == ["seed 0", "seed 1"]
    assert {one.gate_off.checksum for one in report.pathways} == {report.base_checksum}
    assert {one.gate_off.questions for one in report.pathways} == {8}
    assert report.weights_sha256_before == report.weights_sha256_after
    with pytest.raises(
        InputError, match=r"parity\.json: is there already; name another file, or add --force"
    ):
        check_parity(written)


def test_samples_are_spread_over_the_split(
    config: ParityConfig, vl_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Question] = []

    def look(_backbone: Backbone, questions: list[Question], *_: object) -> None:
        found.extend(questions)
        raise InputError("seen")

    monkeypatch.setattr(parity_module, "prove", look)
    with pytest.raises(InputError, match="seen"):
        check_parity(replace(config, samples=3))
    every = all_questions(ShardDataset(vl_only, "test"), AskingConfig(), vl_only=True)
    wanted = [every[0], every[round((len(every) - 1) / 2)], every[-1]]
    assert [(one.prompt, one.picture and one.picture.sha256) for one in found] == [
        (one.prompt, one.picture and one.picture.sha256) for one in wanted
    ]


def test_trained_pathways_are_tried(config: ParityConfig, shards: Path, adapter: Path) -> None:
    """Of a dataset with sounds, the VL questions alone; a single pathway is compared with the base."""
    report = check_parity(replace(config, data=shards, checkpoints=(adapter,), samples=6, time_limit=100.0))
    (found,) = report.pathways
    assert (found.name, report.exit_code) == (str(adapter), 0)
    every = all_questions(ShardDataset(shards, "test"), AskingConfig())
    assert len(every) > len(all_questions(ShardDataset(shards, "test"), AskingConfig(), vl_only=True)) >= 6


def test_a_dataset_without_vision_questions_is_refused(config: ParityConfig, audio_only: Path) -> None:
    with pytest.raises(InputError, match="split 'test' has no questions that do not need the sound"):
        check_parity(replace(config, data=audio_only))


@pytest.mark.parametrize(
    ("ratio", "strict", "code"),
    [
        (TimeRatio(1.0, 0.99, 1.009, 20, 1.0), False, 0),
        (TimeRatio(1.02, 0.98, 1.06, 20, 1.0), False, 0),
        (TimeRatio(1.02, 0.98, 1.06, 20, 1.0), True, 2),
        (TimeRatio(1.02, 1.011, 1.03, 20, 1.0), False, 1),
    ],
)
def test_noise_is_no_failure(
    ratio: TimeRatio, strict: bool, code: int, backbone: Backbone, asked: list[Question], config: ParityConfig
) -> None:
    whole = tried_pathways(config, backbone, ShardDataset(config.data, config.split))
    proof = prove(backbone, asked[:3], whole[:1], config)
    timed = msgspec.structs.replace(proof, forward_time=ratio, generation_time=ratio)
    assert exit_code(judged(timed, config), strict_time=strict) == code
