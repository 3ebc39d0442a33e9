"""How the base is asked: in training as the settings say, and in predictions as in training."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from tiny_runs import small_run

from safe_data.core.errors import InputError
from safe_data.core.options_file import options_of, options_yaml
from safe_data.shards.dataset import ShardDataset
from safe_eval.predictions import read_predictions
from safe_train.base.prompts import Prompts, check_pictures, prompt_text
from safe_train.batches import Loader
from safe_train.checkpoint import read_checkpoint
from safe_train.cli import main
from safe_train.presets import preset_config
from safe_train.questions import Asked, Questions
from safe_train.settings.backbone import AskingConfig, LoadingConfig
from safe_train.settings.predict import PredictConfig
from safe_train.stages import stage_a as stage_a_module
from safe_train.stages.stage_a import stage_a
from safe_train.toy.words import make_processor

TEMPLATE = "USER: {image}\n{question} ASSISTANT:"
SUFFIX = "Answer the question using a single word or phrase."


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("USER:", "prompt_template='USER:': has no {question}; write it where the question belongs"),
        ("{image}", "prompt_template='{image}': has no {question}; write it where the question belongs"),
        (
            "{qestion} {image}",
            "prompt_template='{qestion} {image}': has the field {qestion}; did you mean 'question'?",
        ),
        (
            "{question} {}",
            "prompt_template='{question} {}': has the field {}; there are {question} and {image}",
        ),
        (
            "{question!r}",
            "prompt_template='{question!r}': has the field {question!r}; did you mean 'question'?",
        ),
        (
            "{question.__class__}",
            "prompt_template='{question.__class__}': has the field {question.__class__}; did you mean "
            "'question'?",
        ),
        (
            "{question:>9}",
            "prompt_template='{question:>9}': has the field {question:>9}; did you mean 'question'?",
        ),
        (
            "{question} {question}",
            "prompt_template='{question} {question}': has {question} 2 times; write it once",
        ),
        (
            "{question",
            "prompt_template='{question': expected '}' before end of string; write a brace that is no field "
            "twice, as {{",
        ),
    ],
)
def test_a_template_that_asks_nothing(template: str, message: str) -> None:
    with pytest.raises(InputError) as refused:
        AskingConfig(prompt_template=template)
    assert str(refused.value) == message


def test_an_answer_has_room() -> None:
    for settings in (AskingConfig, PredictConfig):
        with pytest.raises(InputError, match="answer_tokens=0: must be at least 1"):
            settings(answer_tokens=0)


def test_a_template_stands_instead_of_the_models_own() -> None:
    processor = make_processor()
    given: dict[str, Any] = {"template": TEMPLATE}
    assert prompt_text(processor, "Who?", has_image=True, **given) == "USER: <image>\nWho? ASSISTANT:"
    assert prompt_text(processor, "Who?", has_image=False, **given) == "USER: Who? ASSISTANT:"
    assert prompt_text(processor, "{x} {image}?", has_image=True, template="{{{image}}} {question}") == (
        "{<image>} {x} {image}?"
    )
    processor.chat_template = "{{ messages[0]['content'][-1]['text'] }} by chat"
    assert prompt_text(processor, "Who?", has_image=False) == "Who? by chat"
    assert prompt_text(processor, "Who?", has_image=False, **given) == "USER: Who? ASSISTANT:"


def test_a_picture_that_the_template_has_no_place_for_is_refused(
    shards: Path, audio_only: Path, untaught: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is loaded."""
    blind = AskingConfig(prompt_template="Q: {question} A:")
    check_pictures(blind, [ShardDataset(audio_only, "train")])
    check_pictures(AskingConfig(), [ShardDataset(shards, "train")])
    monkeypatch.setattr(stage_a_module, "load_backbone", None)
    with pytest.raises(InputError) as refused:
        stage_a(small_run(tmp_path / "out", (shards,), untaught, prompt_template=blind.prompt_template))
    assert str(refused.value) == (
        f"prompt_template='Q: {{question}} A:': has no {{image}}, and {shards} has pictures; write {{image}} "
        "where the picture belongs"
    )


class Spy(Prompts):
    """Prompts that remember what was asked."""

    asked: set[str]

    def encode(self, prompt: str, *more: Any) -> Any:
        self.asked = {*getattr(self, "asked", ()), prompt}
        return super().encode(prompt, *more)


def test_questions_have_the_suffix_and_captions_do_not(questions: Questions) -> None:
    processor = make_processor()
    rows = [Asked(number, "audio", int(questions.clip[number]), 0) for number in range(40)]
    examples = {questions.of(row.question) for row in rows}
    assert {example.task for example in examples} >= {"vqa"}
    spy = Spy(processor, AskingConfig(prompt_suffix=SUFFIX))
    Loader(questions, processor, spy).batch(rows)
    assert spy.asked == {f"{one.prompt}\n{SUFFIX}" for one in examples if one.task != "caption"} | {
        one.prompt for one in examples if one.task == "caption"
    }


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, bool]]:
    """The texts that reach the processor, and whether with a picture."""
    from safe_train.base import prompts

    seen: set[tuple[str, bool]] = set()
    real = prompts.prompt_text

    def spy(processor: Any, prompt: str, *, has_image: bool, template: str | None = None) -> str:
        text = real(processor, prompt, has_image=has_image, template=template)
        seen.add((text, has_image))
        return text

    monkeypatch.setattr(prompts, "prompt_text", spy)
    return seen


def test_predictions_ask_as_training_asked(
    shards: Path, untaught: Path, tmp_path: Path, asked: set[tuple[str, bool]]
) -> None:
    adapter, out = tmp_path / "adapter", tmp_path / "out.jsonl"
    words = ["stage-a", str(shards), "--config=demo", f"--backbone={untaught}", f"--out={adapter}", "--quiet"]
    quick = ["--steps=1", "--batch-size=24", "--bottleneck=16", "--eval-steps=0", "--tracker=none"]
    options = ["--prompt-template", TEMPLATE, "--prompt-suffix", SUFFIX, "--answer-tokens", "3"]
    assert main([*words, *quick, *options]) == 0
    wanted = AskingConfig(prompt_template=TEMPLATE, prompt_suffix=SUFFIX, answer_tokens=3)
    assert read_checkpoint(adapter).config.asking == wanted
    trained = set(asked)
    asked.clear()
    predict = ["predict", str(adapter), str(shards), f"--backbone={untaught}", "--condition=full", "--quiet"]
    assert main([*predict, "--split=train", f"--out={out}"]) == 0
    assert trained - asked <= {("USER: <image>\n? ASSISTANT:", True)}  # the probe of the processor
    for text, has_image in asked:
        assert text.startswith("USER: <image>\n" if has_image else "USER: ")
        assert text.endswith(" ASSISTANT:")
    examples = {
        e.prompt: e.task for r in map(ShardDataset(shards, "train").record, range(5)) for e in r.examples
    }
    for prompt, task in examples.items():
        assert any(f"\n{wanted.worded(prompt, task)} ASSISTANT:" in text for text, _ in asked)
    longest = max(len((row.answer or "").split()) for row in read_predictions(out))
    assert longest == 3


def test_an_answer_length_of_ones_own_is_part_of_what_the_rows_depend_on(
    adapter: Path, shards: Path, untaught: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.jsonl"
    words = [
        "predict",
        str(adapter),
        str(shards),
        f"--backbone={untaught}",
        f"--out={out}",
        "--condition=full",
    ]
    assert main([*words, "--answer-tokens=2", "--quiet"]) == 0
    assert max(len((row.answer or "").split()) for row in read_predictions(out)) == 2
    capsys.readouterr()
    other = ["--answer-tokens=3", "--dtype=bfloat16", "--device-map=cpu", "--attention=eager"]
    assert main([*words, *other, "--quiet"]) == 3
    assert capsys.readouterr().err == (
        f"safe-train predict: {out}: is of another run, which differs:\n"
        "  loading.dtype: auto there, bfloat16 here\n"
        "  loading.device_map: None there, cpu here\n"
        "  loading.attention: None there, eager here\n"
        "  asking.answer_tokens: 2 there, 3 here\n"
        "name another file, or add --force to start over\n"
    )


def test_predictions_compute_as_training_did_and_lie_where_they_are_told() -> None:
    trained = LoadingConfig(dtype="bfloat16", device_map="auto", quantization="4bit", attention="eager")
    assert PredictConfig().loading(trained) == LoadingConfig(dtype="bfloat16", quantization="4bit")
    own = PredictConfig(dtype="float16", device_map="cpu", quantization="none", attention="sdpa")
    assert own.loading(trained) == LoadingConfig(dtype="float16", device_map="cpu", attention="sdpa")


def test_a_base_in_bfloat16_is_trained_and_asked_in_it(shards: Path, untaught: Path, tmp_path: Path) -> None:
    adapter, out = tmp_path / "adapter", tmp_path / "out.jsonl"
    words = ["stage-a", str(shards), "--config=demo", f"--backbone={untaught}", f"--out={adapter}", "--quiet"]
    quick = ["--steps=3", "--batch-size=24", "--bottleneck=16", "--eval-steps=0", "--tracker=none"]
    assert main([*words, *quick, "--dtype=bfloat16", "--answer-tokens=4", "--device-map=cpu"]) == 0
    predict = ["predict", str(adapter), str(shards), f"--backbone={untaught}", f"--out={out}", "--quiet"]
    assert main([*predict, "--condition=full", "--condition=gate_off"]) == 0
    identity = msgspec.json.decode((tmp_path / "out.jsonl.run.json").read_bytes())["identity"]
    assert identity["loading"]["dtype"] == "bfloat16"
    rows: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in read_predictions(out):
        said = (row.example_id, row.answer, row.confidence, row.choice_probabilities)
        rows.setdefault((row.model, row.condition), []).append(said)
    assert rows["safe", "gate_off"] == rows["base", "full"] != rows["safe", "full"]


def test_the_options_are_read_from_the_file_they_are_written_to(tmp_path: Path) -> None:
    given: dict[str, Any] = {
        "prompt_template": TEMPLATE, "prompt_suffix": SUFFIX, "answer_tokens": 7, "dtype": "bfloat16",
        "device_map": "balanced", "quantization": "4bit", "attention": "sdpa", "precision": "bf16",
        "activation_checkpointing": True,
    }  # fmt: skip
    config = preset_config("kl", shards=(Path("s"),), backbone="b", out=tmp_path, **given)
    stored = yaml.safe_load(options_yaml("safe-train stage-a", options_of(config), []))
    assert {**stored["loading"], **stored["asking"]} | {
        name: stored["optim"][name] for name in ("precision", "activation_checkpointing")
    } == given


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "--precision=fp16",
            "precision=fp16: needs loss scaling, which is missing here; choose bf16; on a device ",
        ),
        ("--precision=float16", "precision='float16': is no choice; "),
        ("--dtype=bf16", "bf16"),
        ("--quantization=2bit", "2bit"),
        ("--attention=flash", "flash"),
        (
            "--device-map=cuda:77",
            "device_map=cuda:77: this machine has no such device; leave it out, or choose cpu",
        ),
        ("--prompt-template={qestion}", "has the field {qestion}; did you mean 'question'?"),
    ],
)
def test_an_option_that_cannot_be_is_one_line(
    option: str,
    message: str,
    shards: Path,
    untaught: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["stage-a", str(shards), f"--backbone={untaught}", f"--out={tmp_path / 'out'}", "--tracker=none"]
    assert main([*words, option]) == 3
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
