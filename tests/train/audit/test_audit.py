"""safe-train audit as it is typed: what it prints, its exit codes, and the file that it writes."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import transformers
from audit_plans import published_llava, tiny_llava

from safe_train.audit.audit import Audit
from safe_train.audit.memory import Memory, largest
from safe_train.cli import main
from safe_train.pathway import model as pathway_model

SMALL = ("--layer=2", "--layer=4", "--rank=8", "--heads=2", "--tokens=4", "--bottleneck=16")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_llava().save_pretrained(tmp_path / "tiny")
    return tmp_path / "tiny"


@pytest.fixture
def audit(folder: Path) -> Callable[..., int]:
    return lambda *options: main(["audit", "--backbone", str(folder), *SMALL, *options])


def test_13b_is_counted_from_its_config_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    published_llava(large=True).save_pretrained(tmp_path / "llava-1.5-13b-hf")
    words = ["audit", "--config", "phase1", "--backbone", str(tmp_path / "llava-1.5-13b-hf")]
    assert main([*words, "--most-trainable", "50000000", "--most-share=0.002"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "llava-1.5-13b-hf: LlavaForConditionalGeneration, float16"
    assert "  language model        12,852,352,000            0  95.02 %" in lines
    assert "  total                 13,525,239,812  173,745,156  100.00 %" in lines
    assert "  embeddings of 512 (assumed, as CLAP's)" in lines
    assert "  freeze  holds: only projector and fusion, 1.28 % of all, require gradients" in lines
    assert "  most trainable  does not hold: 173,745,156 (<= 50,000,000)" in lines
    assert "  most share  does not hold: 1.28 % (<= 0.2 %)" in lines
    assert "  not asked: --least-trainable, --card-gb" in lines
    assert "Memory in GB: 4 rows a forward pass, 620 positions a row" in lines
    assert max(map(len, lines)) <= 80


def test_budgets_that_hold(audit: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    budgets = ("--most-trainable=20000", "--least-trainable=1000", "--most-share=.2", "--card-gb=10")
    assert audit(*budgets) == 0
    printed = capsys.readouterr().out
    assert "does not hold" not in printed
    assert "not asked" not in printed
    assert "  card  holds: 16 rows a forward pass (10 GB, 10 % free)\n" in printed
    assert "  most rows on 10 GB with 10 % free: 64\n" in printed


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--most-trainable=100", "most trainable  does not hold: "),
        ("--least-trainable=100000000", "least trainable  does not hold: "),
        ("--most-share=0.0001", "most share  does not hold: "),
        ("--card-gb=0.5", "card  does not hold: 16 rows a forward pass (0.5 GB, 10 % free)"),
    ],
)
def test_a_budget_that_does_not_hold(
    option: str, said: str, audit: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(option) == 1
    assert f"  {said}" in capsys.readouterr().out


def test_the_freeze_is_checked_without_being_asked(
    audit: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert audit() == 0
    assert "not asked: --most-trainable, --least-trainable, --most-share, --card-gb\n" in (
        capsys.readouterr().out
    )
    monkeypatch.setattr(pathway_model, "freeze", lambda base: base.eval())
    assert audit() == 1
    assert "  freeze  does not hold\n    " in capsys.readouterr().out


def test_the_file_holds_all_of_it_and_is_not_overwritten(
    audit: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "audit.json"
    assert audit("--out", str(out), "--dtype=bfloat16") == 0
    found = msgspec.json.decode(out.read_bytes(), type=Audit)
    assert found.precision == "bfloat16"
    assert found.holds
    assert [memory.activation_checkpointing for memory in found.memory] == [False, True]
    assert found.memory[0].activations > 2 * found.memory[1].activations
    assert found.positions == 16 + 44
    before = out.read_bytes()
    capsys.readouterr()
    assert audit("--out", str(out)) == 3
    assert capsys.readouterr().err.endswith(
        "audit.json: is there already; name another file, or add --force to replace it\n"
    )
    assert out.read_bytes() == before
    assert audit("--out", str(out), "--force") == 0
    assert json.loads(out.read_bytes())["precision"] == "float32"
    assert audit("--out", str(tmp_path)) == 0
    assert (tmp_path / "audit.json").is_file()


def test_shards_tell_the_shape_of_an_embedding(
    audit: Callable[..., int], twice_heard: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(str(twice_heard), "--encoder=logmel", "--encoder=whisper") == 0
    assert re.search(r"  embeddings of 512, \d+x\d+ \(the shards\)\n", capsys.readouterr().out)
    assert audit("--embedding=1500x768", "--embedding=512") == 0
    assert "  embeddings of 1500x768, 512 (--embedding)\n" in capsys.readouterr().out


def test_a_config_file_alone_is_enough(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--backbone", str(folder / "config.json"), *SMALL]) == 0
    assert "LlavaForConditionalGeneration, float32" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["LlavaNextConfig", "MllamaConfig", "Idefics3Config", "InternVLConfig"])
def test_a_picture_that_is_cut_into_tiles_has_no_assumed_size(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    getattr(transformers, name)().save_pretrained(tmp_path)
    assert main(["audit", "--backbone", str(tmp_path), *SMALL]) == 3
    assert f"{name}: does not say how many positions a picture has" in capsys.readouterr().err


def test_an_encoder_decoder_is_refused_as_what_the_audit_cannot_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = {"model_type": "t5", "d_model": 32, "d_ff": 32, "num_layers": 2, "num_heads": 2, "d_kv": 16}
    transformers.Blip2Config(text_config=text, use_decoder_only_language_model=False).save_pretrained(
        tmp_path
    )
    assert main(["audit", "--backbone", str(tmp_path)]) == 3
    said = "is an encoder-decoder: stage A trains it, but its counts and memory cannot be estimated here"
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--backbone=nowhere", "vision-language checkpoint 'nowhere' is not a directory; give one"),
        ("--layer=5", "layers=[5]: LlavaForConditionalGeneration has 4 decoder layers, counted from 1"),
        ("--embedding=0x5", "embedding='0x5': give a shape such as 512 or 1500x768"),
        ("--embedding=big", "embedding='big': give a shape such as 512 or 1500x768"),
        ("--positions=16", "positions=16: must be more than the 16 of the answer"),
        ("--headroom=1", "headroom=1.0: must be at least 0 and below 1"),
        ("--card-gb=0", "card_gb=0.0: must be above 0"),
        ("--most-share=-1", "most_share=-1.0: must be above 0"),
        ("--answer-positions=0", "answer_positions=0: must be at least 1"),
    ],
)
def test_what_cannot_be_audited_is_one_line(
    option: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", "--backbone", str(folder), option]) == 3
    printed = capsys.readouterr()
    assert printed.err.startswith("safe-train audit: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
    assert printed.out == ""


def test_a_config_of_something_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no_such_model"}')
    assert main(["audit", "--backbone", str(tmp_path)]) == 3
    assert "config.json: is not the config of a model that can be loaded: " in capsys.readouterr().err
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert main(["audit", "--backbone", str(tmp_path)]) == 3
    assert "BertConfig: no vision-language model can be made of it: " in capsys.readouterr().err


def test_the_most_rows_are_found_where_memory_jumps() -> None:
    parts = dict.fromkeys(("base", "pathway", "gradients", "optimizer", "teacher_cache", "working"), 0)

    def measured(rows: int) -> Memory:
        memory = 7 * rows + 50 * (rows // 8)
        return Memory(rows=rows, activation_checkpointing=False, activations=memory, **parts)

    for limit in range(1, 2000, 37):
        found = largest(measured, limit, 100)
        fitting = [rows for rows in range(1, 101) if measured(rows).total <= limit]
        assert (found.rows if found else None) == max(fitting, default=None)


def test_help_loads_nothing_heavy() -> None:
    code = "import sys, safe_train.cli as c; c.main(['audit', '--help']); print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "--card-gb" in run.stdout
    assert run.stdout.endswith("False\n")
