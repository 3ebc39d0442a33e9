"""Evaluation during training: the same questions each time, and the figures of a count by hand."""

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from tiny_checkpoints import SHAPE
from tiny_corpora import asking, build_corpus
from tiny_models import wake

from safe_eval.statistics.paired_score import paired_loss
from safe_train.base.adaptation import adapt
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.batches import Batch, Loader
from safe_train.corpora import SILENCE, Corpora
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.questions import Questions, read_questions
from safe_train.retention.distillation import answer_logits, distillation_loss
from safe_train.settings.adaptation import AdaptationConfig, Trained
from safe_train.settings.pathway import PathwayConfig
from safe_train.stages.evaluation import Evaluation

MEASURED = ("accuracy", "drift", "drift_low", "drift_high", "flips", "kl", "effective_questions")
VISION = {"vl_questions"} | {f"{case}_{name}" for case in ("vl", "vl_silent") for name in MEASURED}


@pytest.fixture(scope="module")
def accelerator() -> Accelerator:
    return Accelerator(cpu=True)


def evaluation(loader: Loader, *, questions: int = 1000, seed: int = 0, rows: int = 16) -> Evaluation:
    return Evaluation(loader, questions=questions, seed=seed, rows=rows)


def untrained(backbone: Backbone, *, awake: bool = False) -> SafeModel:
    pathway = new_pathway(SHAPE, backbone.model, [(512,)], seed=0)
    return SafeModel(backbone.model, wake(pathway) if awake else pathway)


def test_the_questions_are_evenly_spaced_and_follow_from_the_seed(
    loader: Loader, questions: Questions
) -> None:
    whole, few = evaluation(loader), evaluation(loader, questions=5)
    assert [row.question for row in whole.audio] == questions.pool("audio").tolist()
    assert [row.question for row in whole.vl] == questions.pool("vl").tolist()
    assert len(few.audio) == len(few.vl) == 5
    spaced = questions.pool("audio")[np.linspace(0, len(questions.pool("audio")) - 1, 5).round().astype(int)]
    assert [row.question for row in few.audio] == spaced.tolist()
    assert evaluation(loader).vl == whole.vl
    assert evaluation(loader, seed=1).vl != whole.vl


def test_audio_questions_hear_their_sound_and_vision_questions_an_unrelated_one(
    loader: Loader, questions: Questions
) -> None:
    made, group = evaluation(loader), questions.corpora.group
    assert all(row.heard == questions.clip[row.question] for row in made.audio)
    assert all(group[row.heard] != group[questions.clip[row.question]] for row in made.vl)


def test_an_untrained_pathway_has_not_drifted(
    loader: Loader, backbone: Backbone, accelerator: Accelerator
) -> None:
    metrics = evaluation(loader, questions=10)(untrained(backbone), accelerator)
    assert metrics.keys() == {"audio_accuracy"} | VISION
    for case in ("vl", "vl_silent"):
        assert [metrics[f"{case}_{name}"] for name in ("drift", "flips", "kl")] == [0.0, 0.0, 0.0]
        assert metrics[f"{case}_drift_low"] < 0 < metrics[f"{case}_drift_high"]  # 10 questions prove little


@pytest.mark.parametrize("trained", ["lora", "full"])
def test_drift_of_a_base_that_is_trained_is_counted_from_the_untouched_one(
    trained: Trained, loader: Loader, backbone: Backbone, untaught: Path, accelerator: Accelerator
) -> None:
    """With a pathway that is silent: all that moved is the base."""
    adaptation = adapt(backbone.model, AdaptationConfig(base=trained, lora_dropout=0.5), seed=0)
    model = SafeModel(backbone.model, new_pathway(SHAPE, backbone.model, [(512,)], seed=0), adaptation)
    with torch.no_grad():
        for weight in adaptation.weights.values():
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(1))
    model.train()

    def before_training(batch: Batch) -> torch.Tensor:
        with model.untouched():
            return answer_logits(model.base, batch)

    made = Evaluation(loader, questions=10, seed=0, rows=10, base_logits=before_training)
    metrics = made(model, accelerator)
    assert metrics == made(model, accelerator)  # without dropout
    assert metrics["vl_no_audio_kl"] > 1e-3  # the gate cannot take it back
    assert model.pathway.training
    untouched, rows = load_backbone(untaught).model, loader.batch(made.vl)
    model.eval()
    with torch.no_grad():
        moved, before = answer_logits(model.base, rows), answer_logits(untouched, rows)
    divergence = distillation_loss(moved, before, rows.real, temperature=1.0)
    assert metrics["vl_kl"] == pytest.approx(float(divergence), rel=1e-4)
    assert metrics["vl_kl"] > 1e-3


def test_the_figures_are_those_of_greedy_answers(
    loader: Loader, backbone: Backbone, accelerator: Accelerator
) -> None:
    """Each question is answered alone by `generate`, after the base was taught the answers to some."""
    model = untrained(backbone, awake=True)
    made = evaluation(loader, questions=24)
    teach(model, loader.batch(made.vl[::2]), loader.batch(made.vl[1::6]))
    metrics = made(model, accelerator)
    right: dict[str, list[bool]] = {"heard": [], "base": [], "audio": [], "silent": []}
    divergences = []
    silence = torch.from_numpy(loader.questions.corpora.embeddings([SILENCE])[0])
    for row in made.vl:
        batch = loader.batch([row])
        with model.fuse(audio=batch.audio), torch.no_grad():
            heard = said(model, batch)
        with model.fuse(audio=silence), torch.no_grad():
            right["silent"].append(said(model, batch)[0])
        base = said(model, batch)
        right["heard"].append(heard[0])
        right["base"].append(base[0])
        student, teacher = (logits.double().log_softmax(-1) for logits in (heard[1], base[1]))
        divergences += (teacher.exp() * (teacher - student)).sum(-1).tolist()
    for row in made.audio:
        batch = loader.batch([row])
        with model.fuse(audio=batch.audio), torch.no_grad():
            right["audio"].append(said(model, batch)[0])
    accuracy = {name: np.mean(values) for name, values in right.items()}
    assert 0 < accuracy["heard"] < accuracy["base"] < 1
    assert metrics["audio_accuracy"] == pytest.approx(accuracy["audio"])
    assert metrics["vl_accuracy"] == pytest.approx(accuracy["heard"])
    assert metrics["vl_drift"] == pytest.approx(accuracy["base"] - accuracy["heard"])
    assert metrics["vl_silent_accuracy"] == pytest.approx(accuracy["silent"])
    assert metrics["vl_silent_drift"] == pytest.approx(accuracy["base"] - accuracy["silent"])
    groups = loader.questions.corpora.group[loader.questions.clip[[row.question for row in made.vl]]]
    by_hand = paired_loss(np.array(right["base"], float), np.array(right["heard"], float), groups)
    bounds = (metrics["vl_drift_low"], metrics["vl_drift_high"])
    assert bounds == pytest.approx((by_hand.low, by_hand.high))
    flips = np.mean(np.array(right["heard"]) != np.array(right["base"]))
    assert metrics["vl_flips"] == pytest.approx(flips)
    assert flips > metrics["vl_drift"] > 0
    assert metrics["vl_kl"] == pytest.approx(np.mean(divergences), rel=1e-4)


def teach(model: SafeModel, batch: Batch, heard: Batch) -> None:
    """Let a base whose weights are random answer these rows rightly, the second ones when it hears them."""
    states, wanted = [], []
    for one, gate in ((batch, 0.0), (heard, 1.0)):
        with model.fuse(audio=one.audio, gate=gate), torch.no_grad():
            hidden = model.base.model(**one.inputs).last_hidden_state
        for column, token in enumerate(one.answers.T):  # a word, and the end
            states.append(hidden[:, -one.answers.shape[1] - 1 + column])
            wanted.append(4.0 * torch.nn.functional.one_hot(token, len(model.base.lm_head.weight)))
    solved = torch.linalg.lstsq(torch.cat(states), torch.cat(wanted), driver="gelsd").solution
    with torch.no_grad():
        model.base.lm_head.weight.copy_(solved.T)


def said(model: SafeModel, batch: Batch) -> tuple[bool, torch.Tensor]:
    """Whether greedy decoding gives exactly the answer, and the logits of the answer's tokens."""
    prompt = batch.inputs["input_ids"].shape[1] - batch.answers.shape[1]
    inputs = {
        name: value[:, :prompt] if value.shape[:2] == batch.inputs["input_ids"].shape else value
        for name, value in batch.inputs.items()
    }
    tokens = batch.answers.shape[1]
    generated = model.base.generate(
        **inputs, do_sample=False, max_new_tokens=tokens, suppress_tokens=None, begin_suppress_tokens=None
    )[0, prompt:]
    logits = model.base(**batch.inputs).logits[0, -tokens - 1 : -1]
    return torch.equal(generated, batch.answers[0, : len(generated)]), logits


def test_the_size_of_the_batches_changes_nothing(
    loader: Loader, backbone: Backbone, accelerator: Accelerator
) -> None:
    model = untrained(backbone, awake=True)
    found = [evaluation(loader, questions=12, rows=rows)(model, accelerator) for rows in (1, 5, 64)]
    for name in found[0]:
        assert [one[name] for one in found] == pytest.approx([found[0][name]] * 3, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_dropout_is_off_and_the_pathway_comes_back_as_it_was(
    loader: Loader, backbone: Backbone, accelerator: Accelerator, training: bool
) -> None:
    pathway = new_pathway(PathwayConfig(tokens=4, dropout=0.5), backbone.model, [(512,)], seed=0)
    model = SafeModel(backbone.model, wake(pathway)).train(training)
    state = torch.get_rng_state()
    one, again = (evaluation(loader, questions=6)(model, accelerator) for _ in range(2))
    assert one == again
    assert model.pathway.training is training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_there_is_no_question_for_is_not_measured(
    vl_only: Path, audio_only: Path, tmp_path: Path, backbone: Backbone, accelerator: Accelerator
) -> None:
    model = untrained(backbone)

    def measured(*folders: Path) -> set[str]:
        found = read_questions(Corpora(folders, "val"), quiet=True)
        made = evaluation(Loader(found, backbone.processor))
        metrics = made(model, accelerator)
        assert tuple(metrics) == made.metrics
        return set(metrics)

    assert measured(audio_only) == {"audio_accuracy"}
    assert measured(vl_only, audio_only) == {"audio_accuracy"} | VISION
    assert measured(build_corpus(tmp_path, "seen", partial(asking, False))) == VISION


class TwoProcesses:
    """One of two processes; what it would add up with the other is what the other would."""

    num_processes, device = 2, torch.device("cpu")

    def __init__(self, process_index: int, others: list[torch.Tensor]) -> None:
        self.process_index, self.others = process_index, others

    def reduce(self, tensor: torch.Tensor, how: str) -> torch.Tensor:
        assert how == "sum"
        self.others.append(tensor)
        return tensor

    def autocast(self) -> AbstractContextManager[None]:
        return nullcontext()


def test_processes_share_the_questions(loader: Loader, backbone: Backbone, accelerator: Accelerator) -> None:
    model = untrained(backbone, awake=True)
    made = evaluation(loader, questions=9)
    whole = made(model, accelerator)
    parts: list[list[torch.Tensor]] = [[], []]
    for process in range(2):
        made(model, TwoProcesses(process, parts[process]))  # type: ignore[arg-type]
    audio, vl = (one + other for one, other in zip(*parts, strict=True))
    assert float(audio[0]) / 9 == pytest.approx(whole["audio_accuracy"])
    tokens, *divergences = vl[:3].tolist()
    assert divergences[0] / tokens == pytest.approx(whole["vl_kl"], rel=1e-4)
    assert divergences[1] / tokens == pytest.approx(whole["vl_silent_kl"], rel=1e-4)
    base, heard, silent = vl[3:].reshape(3, 9)
    assert float(heard.mean()) == pytest.approx(whole["vl_accuracy"])
    assert float((base - silent).mean()) == pytest.approx(whole["vl_silent_drift"])


def test_without_audio_the_hooks_change_nothing_and_one_that_leaks_is_seen(
    loader: Loader, backbone: Backbone, accelerator: Accelerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = untrained(backbone, awake=True)
    made = evaluation(loader, questions=3)
    made(model, accelerator)
    real = SafeModel.attach

    def leaking(model: SafeModel) -> None:
        real(model)
        layer = model.base.get_decoder().layers[1]
        model._hooks.append(layer.register_forward_hook(lambda _module, _args, out: out + 1e-6))

    with monkeypatch.context() as patch:
        patch.setattr(SafeModel, "attach", leaking)
        model.attach()
        with pytest.raises(
            RuntimeError, match=r"without audio, SAFE's hooks change the base's logits by up to"
        ):
            made(model, accelerator)
    model.attach()


def test_a_base_that_is_trained_itself_is_compared_with_what_it_was(
    loader: Loader, backbone: Backbone, untaught: Path, accelerator: Accelerator
) -> None:
    """Then something may be lost without audio, too."""
    before = load_backbone(untaught).model
    made = Evaluation(
        loader, questions=12, seed=0, rows=16, base_logits=lambda batch: answer_logits(before, batch)
    )
    model = untrained(backbone)
    same = made(model, accelerator)
    assert tuple(same) == made.metrics
    assert (same["vl_no_audio_kl"], same["vl_no_audio_drift"]) == (0.0, 0.0)
    with torch.no_grad():
        backbone.model.lm_head.weight[7] += 1.0
    assert made(model, accelerator)["vl_no_audio_kl"] > 1e-6
