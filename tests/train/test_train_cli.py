"""safe-train as it is typed: stage A, then predictions, with shards and a backbone from disk."""

import importlib.util
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from tiny_corpora import build_corpus
from tiny_runs import files_of, interrupt, killing, lines_of, terminate

from safe_data.build.build import build_dataset
from safe_data.sources.synthetic.world import write_world
from safe_eval.predictions import read_predictions
from safe_train.checkpoint import read_checkpoint
from safe_train.cli import main
from safe_train.stages.logs import StepLoss
from safe_train.stages.stage_a_text import last_losses

FEW_STEPS = """
optim:
  steps: 3
  batch_size: 6
  fusion_lr: 0.004
pathway: {layer: [2, 4], tokens: 4, rank: 8, heads: 2, bottleneck: 64}
eval_steps: 0  # the section may be left out
tracker: [none]
quiet: true
"""


@pytest.fixture(scope="module")
def adapter(shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    config = folder / "few_steps.yaml"
    config.write_text(FEW_STEPS)
    options = ["--config", "demo", "--config", str(config), "--backbone", str(untaught)]
    words = ["stage-a", str(shards), *options, "--out", str(folder / "adapter")]
    assert main([*words, "--batch-size", "10", "--seed", "4"]) == 0
    return folder / "adapter"


@pytest.fixture
def typed(shards: Path, untaught: Path, tmp_path: Path) -> Callable[..., int]:
    """Run stage A for 8 quick steps into `tmp_path/out`, with more options."""

    def typed(*options: str) -> int:
        words = ["stage-a", str(shards), "--config", "demo", "--backbone", str(untaught)]
        quick = ["--steps=8", "--batch-size=6", "--eval-steps=0", "--tracker=none", "--quiet"]
        return main([*words, f"--out={tmp_path / 'out'}", *quick, *options])

    return typed


def ask(adapter: Path, shards: Path, backbone: Path, out: Path, *options: str) -> int:
    words = [str(adapter), str(shards), "--backbone", str(backbone), "--out", str(out)]
    return main(["predict", *words, *options])


def test_a_preset_a_file_and_the_command_line_win_in_this_order(adapter: Path) -> None:
    config = read_checkpoint(adapter).config
    assert config.loss.kl_weight == 3.0  # the preset's
    assert config.optim.projector_lr == 0.003
    assert (config.optim.fusion_lr, config.optim.steps) == (0.004, 3)  # the file's
    assert (config.pathway.layers, config.pathway.bottleneck) == ((2, 4), 64)
    assert (config.optim.batch_size, config.seed) == (10, 4)  # the command line's
    written = (adapter / "options.yaml").read_text()
    assert written.startswith("# safe-train stage-a; Python ")
    stored = yaml.safe_load(written)
    assert stored["optim"]["batch_size"] == 10
    assert stored["optim"]["epochs"] is None
    assert stored["pathway"]["layer"] == [2, 4]
    assert stored["run"]["tracker"] == ["none"]


def test_what_ran_can_be_run_again(adapter: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    assert main(["stage-a", "--config", str(adapter / "options.yaml"), "--out", str(out)]) == 0
    assert files_of(out) == files_of(adapter)


def test_a_complete_run_is_reported_again(adapter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in adapter.rglob("*")}
    assert main(["stage-a", "--config", str(adapter / "options.yaml")]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    first, second = printed.out.splitlines()
    parameters = read_checkpoint(adapter).config.trained_parameters
    assert first.startswith(f"{adapter}: {parameters:,} parameters trained on ")
    last = lines_of(adapter / "losses.jsonl")[-1]
    assert second == (
        f"  last batch, in nats per token: cross-entropy {last['cross_entropy']:.3f} on audio questions, "
        f"KL divergence {last['distillation']:z.4f} from the base"
    )
    assert before == {path: path.stat().st_mtime_ns for path in adapter.rglob("*")}


def test_the_last_evaluation_is_printed(
    typed: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("--eval-steps", "8", "--validation-questions", "4") == 0
    printed = capsys.readouterr().out.splitlines()[2:]
    assert re.fullmatch(r"  last evaluation, on the validation split: audio accuracy \d\.\d{3}", printed[0])
    bounds = r"accuracy \d\.\d{3}, drift -?\d+\.\d points \[-\d+\.\d, \d+\.\d\], KL .+"
    assert re.fullmatch(rf"  VL, an irrelevant sound  {bounds}", printed[1])
    assert re.fullmatch(rf"  VL, silence              {bounds}", printed[2])
    assert re.fullmatch(
        r"  4 questions cannot show that VL drift is within 1 point; about \d+ would", printed[3]
    )
    assert len(printed) == 4


def test_what_was_not_measured_is_not_printed_as_0(
    typed: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed("--kl-weight", "0") == 0
    assert capsys.readouterr().out.endswith("on audio questions, KL divergence not measured\n")
    assert typed("--weights", '{"muted": 1}', "--force") == 0
    assert ": cross-entropy not measured, KL divergence 0.0" in capsys.readouterr().out


def test_a_validation_split_that_no_dataset_has_is_said(
    shards: Path, untaught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["stage-a", str(shards), "--config=demo", f"--backbone={untaught}", f"--out={tmp_path / 'out'}"]
    quick = ["--steps=1", "--batch-size=6", "--tracker=none", "--validation-split=vall"]
    assert main([*words, *quick]) == 0
    said = "no dataset has a split 'vall' with sounds, so nothing is evaluated; see --validation-split"
    assert f"stage A: {said}\n" in capsys.readouterr().err


@pytest.mark.parametrize("how", [interrupt, terminate])
def test_an_interruption_is_one_line_and_the_same_command_goes_on(
    how: Callable[[], None],
    typed: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with monkeypatch.context() as patch:
        killing(patch, "_show", 4, how)
        assert typed() == 2
    assert capsys.readouterr() == ("", "safe-train stage-a: interrupted; run the same command again\n")
    assert (tmp_path / "out/run/step-5").is_dir()
    assert typed() == 0
    assert [line["step"] for line in lines_of(tmp_path / "out/losses.jsonl")] == list(range(8))


def test_another_run_is_refused_and_force_starts_over(
    typed: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert typed() == 0
    before = files_of(tmp_path / "out")
    capsys.readouterr()
    assert typed("--projector-lr", "0.001") == 3
    assert capsys.readouterr() == (
        "",
        f"safe-train stage-a: {tmp_path / 'out'}: holds another run; this one differs:\n"
        "  options.optim.projector_lr: 0.003 there, 0.001 here\n"
        "choose another folder, or add --force to start over\n",
    )
    assert files_of(tmp_path / "out") == before
    assert typed("--projector-lr", "0.001", "--force") == 0
    assert read_checkpoint(tmp_path / "out").config.optim.projector_lr == 0.001


def test_answers_under_the_conditions_asked_for(
    adapter: Path, shards: Path, untaught: Path, tmp_path: Path
) -> None:
    out = tmp_path / "predictions.jsonl"
    assert ask(adapter, shards, untaught, out, "--condition", "full", "--condition", "snr_10db") == 0
    rows = read_predictions(out)
    arms = {(row.model, row.condition) for row in rows}
    assert arms == {("base", "full"), ("safe", "full"), ("safe", "snr_10db")}
    assert {row.split for row in rows} == {"test"}


def test_another_dataset_is_refused_unless_meant(
    adapter: Path, untaught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_world(tmp_path / "world", clips=24, seed=5)
    build_dataset(tmp_path / "world", tmp_path / "other")
    out = tmp_path / "predictions.jsonl"
    assert ask(adapter, tmp_path / "other", untaught, out) == 3
    assert "add --allow-other-dataset to answer it anyway" in capsys.readouterr().err
    assert not out.exists()
    allowed = ("--allow-other-dataset", "--condition", "full")
    assert ask(adapter, tmp_path / "other", untaught, out, *allowed) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--layer=5", "layers=[5]: LlavaForConditionalGeneration has 4 decoder layers, counted from 1"),
        ("--layer=-1", "layers=[-1]: name each layer once, counting from 1"),
        ("--layer=first", "argument --layer: invalid int value: 'first'"),
        ("--rank=7", "rank=7 does not divide among heads=2; choose a multiple"),
        ("--tokens=0", "tokens=0: must be at least 1"),
        ("--dropout=1.5", "dropout=1.5: must be at least 0 and below 1"),
        ("--encoder=nosuch", "no embeddings are named 'nosuch'; it has logmel-"),
        ("--encoder=a --encoder=a", "encoder=['a', 'a']: name each encoder once"),
        ("--backbone=nowhere", "vision-language checkpoint 'nowhere' is not a directory; give one"),
        ("--split=nosuch", "no split 'nosuch'; it has test, train, val"),
        ("--weights={x/audio: 1}", "'x/audio' is no pool of questions; "),
        ("--encoder=logmel --encoder=logmel:x", "name each encoder once"),
        ("--weights={'': 1}", "weight 1.0 of '': a weight needs the name of what is drawn"),
        ("--config=list.yaml", "--tracker: expected a list such as [a, b], not one str"),
        ("--optim.steps=8", "unrecognized arguments: --optim.steps=8; did you mean '--steps'?"),
        ("--seed=9223372036854775808", "seed=9223372036854775808: a seed is below 2**63"),
        ("--weights={audio: 0}", "no dataset has a weight above 0; nothing would be drawn"),
        ("--weights={audio: -1, vl: 2}", "weight -1.0 of 'audio': a weight is a number, 0 or more"),
        ("--weights={audio: x}", "--weights: expected float, not x"),
        ("--silent-fraction=2", "silent_fraction=2.0: must be in [0, 1]"),
        ("--curriculum=nowhere.yaml", "nowhere.yaml: cannot be read (No such file or directory)"),
        ("--curriculum=waits.yaml", "stage 'one' waits for 'audio_accuracy'; evaluated is nothing"),
        ("--curriculum=waits.yaml --eval-steps=2", "stage 'one' waits for 'audio_acuracy'; did you mean"),
        ("--epochs=2 --steps=8", "steps=8 and epochs=2.0: give one of them"),
        ("--steps=-1", "steps=-1: must be 0 or more"),
        ("--batch-size=0", "batch_size=0: must be at least 1"),
        ("--workers=0", "workers=0: must be at least 1"),
        ("--schedule=linear", "--schedule: expected one of 'cosine', 'constant', not linear"),
        (
            "--gate-warm-up=slow",
            "--gate-warm-up: expected one of 'none', 'linear', 'cosine', 'step'",
        ),
        ("--spike-factor=1", "spike_factor=1.0: must be above 1"),
        ("--kl-weight=-1", "kl_weight=-1.0: must be 0 or more"),
        ("--seed=-1", "seed=-1: a seed is 0 or more"),
        ("--tracker=tensorbord", "tracker 'tensorbord' is unknown; did you mean 'tensorboard'?"),
        ("--config=dmeo", "--config dmeo: is neither a file nor a preset; did you mean 'demo'?"),
        ("--learning-rate=1", "unrecognized arguments: --learning-rate=1"),
        ("--out=waits.yaml", "waits.yaml: cannot be written (File exists); a file is where a directory"),
    ],
)
def test_what_cannot_be_trained_is_one_line_and_exit_3(
    options: str,
    message: str,
    typed: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    metric = "audio_acuracy" if "eval" in options else "audio_accuracy"
    until = {"metric": metric, "at_least": 0.5, "steps": 9}
    stages = [{"name": "one", "weights": {"audio": 1}, "until": until}, {"name": "two", "weights": {"vl": 1}}]
    Path("list.yaml").write_text("tracker: none\n")
    Path("waits.yaml").write_text(yaml.safe_dump({"stages": stages}))
    assert typed(*re.split(" (?=--)", options)) == 3
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("safe-train stage-a: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
    out = tmp_path / "out"
    assert not out.exists() or list(out.iterdir()) == []


def test_a_dataset_that_asks_nothing_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], untaught: Path
) -> None:
    shards = build_corpus(tmp_path, "mute", lambda row: row | {"examples": []})
    words = [str(shards), "--backbone", str(untaught), "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["stage-a", *words]) == 3
    assert capsys.readouterr().err == (
        "safe-train stage-a: mute: no question of split 'train' has references and says whether it needs the "
        "sound (needs_audio); there is nothing to train on\n"
    )
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        (("safetensors", "accelerate"), "safe-train stage-a needs safetensors, accelerate, which are"),
        (("tensorboard",), "the tensorboard tracker needs tensorboard, which is"),
    ],
)
def test_a_missing_extra_is_one_line(
    lacking: tuple[str, ...],
    message: str,
    typed: Callable[..., int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in lacking else real(name))
    assert typed("--tracker=tensorboard") == 3
    fix = "run pip install '.[train]' in the SAFE project folder"
    assert capsys.readouterr() == ("", f"safe-train stage-a: {message} not installed; {fix}\n")
    assert not (tmp_path / "out").exists()


def test_a_divergence_that_rounds_to_zero_is_not_negative() -> None:
    assert last_losses(StepLoss(0, 1.0, None, -1e-9)).endswith("KL divergence 0.0000 from the base")
