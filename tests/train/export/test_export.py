"""An export as others get it: in a new process it answers the same, and it tells nothing of this machine."""

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from made_outcomes import made_outcomes
from safetensors.torch import load_file
from tiny_models import SHORT

from safe_data.core.errors import InputError
from safe_data.core.files import json_bytes, write_json
from safe_data.shards.dataset import ShardDataset
from safe_eval.cli import main as safe_eval
from safe_train.checkpoint import CONFIG, WEIGHTS, read_checkpoint, read_config
from safe_train.cli import main
from safe_train.export.export import export_checkpoint
from safe_train.export.folder import places_in
from safe_train.export.loaded import load_safe
from safe_train.gates.fitting import fit_on
from safe_train.gates.gate_files import made_for, read_gate, write_gate
from safe_train.plan.checklist import Checklist, LaunchItem
from safe_train.settings.export import ExportConfig
from safe_train.settings.gate import GateConfig
from safe_train.settings.predict import PredictConfig

HOSTILE = "<script>x</script>|`$(rm)`"


def checklist(**changes: Any) -> Checklist:
    given: dict[str, Any] = {
        "decision": "no-go",
        "world": None,
        "seeds": (0,),
        "flags": (),
        "launch": (LaunchItem(name=HOSTILE, experiments=(), decision="no-go"),),
        "experiments": (),
        "steps": (),
        "failed": {"freeze": "/srv/somebody/failed"},
        "has_defect": False,
        "made_by": {},
        "versions": {},
    }
    return Checklist(**{**given, **changes})


@pytest.fixture(scope="module")
def trained(adapter: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of short answers that names folders of this machine, with files that nobody else needs."""
    folder = tmp_path_factory.mktemp("home") / "adapter"
    shutil.copytree(adapter, folder)
    config = read_config(folder / CONFIG)
    there = msgspec.structs.replace(config.encoders[0], source=f"logmel:{folder}")
    base = msgspec.structs.replace(config.base, name=HOSTILE)
    write_json(folder / CONFIG, msgspec.structs.replace(config, asking=SHORT, encoders=(there,), base=base))
    (folder / "options.yaml").write_text(f"out: {folder}\n")
    (folder / "run").mkdir()
    return folder


@pytest.fixture(scope="module")
def run(trained: Path, shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Predictions of the checkpoint, each asked alone, and their scores."""
    folder = tmp_path_factory.mktemp("run")
    words = [
        str(trained),
        str(shards),
        "--backbone",
        str(untaught),
        "--out",
        str(folder / "predictions.jsonl"),
    ]
    asked = ["--condition", "full", "--batch-size", "1", "--split", "val", "--quiet"]
    assert main(["predict", *words, *asked]) == 0
    assert safe_eval(["score", str(folder / "predictions.jsonl"), "--out", str(folder), "--quiet"]) == 0
    return folder


@pytest.fixture(scope="module")
def exported(trained: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    write_json(folder / "checklist.json", checklist())
    words = ["--license", "apache-2.0", "--base-model", "org/base", "--repository", "org/pathway"]
    words += ["--checklist", str(folder / "checklist.json"), "--scores", str(run / "scores.json")]
    assert (
        main(["export", str(trained), "--out", str(folder / "out"), "--title", f"Hear {HOSTILE}", *words])
        == 0
    )
    return folder / "out"


ANSWER = """
import json, sys
import safe_train
safe = safe_train.load_safe(sys.argv[1], backbone=sys.argv[2], encoders=("logmel",))
asked = json.loads(sys.stdin.read())
said = [
    safe.answer(text, picture=seen and bytes.fromhex(seen), sound=bytes.fromhex(heard), choices=tuple(c))
    for text, seen, heard, c in asked
]
print(json.dumps([[one.text, one.confidence, one.choice_probabilities, one.audio_tokens] for one in said]))
"""


def test_in_a_new_process_it_gives_the_same_answers(
    exported: Path, untaught: Path, run: Path, shards: Path, tmp_path: Path
) -> None:
    """To the bit, from the files of the pictures and sounds; each was asked alone."""
    dataset = ShardDataset(shards, "val")
    rows = [json.loads(line) for line in (run / "predictions.jsonl").read_text("utf-8").splitlines()]
    safe = {row["example_id"]: row for row in rows if row["model"] == "safe"}
    asked, expected = [], []
    for index in range(len(dataset)):
        record, image, sound = dataset.record(index), dataset.image_bytes(index), dataset.audio_bytes(index)
        for example in record.examples:
            if sound is None or example.task != "vqa" or len(asked) == 6:
                continue
            row = safe[example.id]
            asked.append([example.prompt, image and image.hex(), sound.hex(), list(example.choices or ())])
            expected.append(
                [row["answer"], row["confidence"], row["choice_probabilities"], row["audio_tokens"]]
            )
    assert len(asked) == 6
    shutil.copytree(exported, tmp_path / "elsewhere")
    words = [sys.executable, "-c", ANSWER, str(tmp_path / "elsewhere"), str(untaught)]
    found = subprocess.run(words, input=json.dumps(asked), capture_output=True, text=True, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == expected


def test_the_weights_are_the_same_and_the_rest_stays_at_home(trained: Path, exported: Path) -> None:
    names = {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()}
    assert names == {WEIGHTS, CONFIG, "README.md", "SHA256SUMS", ".eval_results/synthetic_full.yaml"}
    assert (exported / WEIGHTS).read_bytes() == (trained / WEIGHTS).read_bytes()
    assert {tensor.dtype.is_floating_point for tensor in load_file(exported / WEIGHTS).values()} == {True}
    ours, theirs = read_config(trained / CONFIG), read_checkpoint(exported).config
    assert theirs.encoders[0].source is None
    assert msgspec.structs.replace(theirs, encoders=ours.encoders) == ours
    for name in names - {WEIGHTS}:
        text = (exported / name).read_text("utf-8")
        assert list(places_in(text)) == []
        assert str(trained.parent) not in text


def test_every_file_has_its_hash(exported: Path) -> None:
    lines = (exported / "SHA256SUMS").read_text("utf-8").splitlines()
    found = dict(reversed(line.split("  ", 1)) for line in lines)
    names = {str(path.relative_to(exported)) for path in exported.rglob("*") if path.is_file()}
    assert set(found) == names - {"SHA256SUMS"}
    for name, sha256 in found.items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == sha256
    assert found[WEIGHTS] in (exported / "README.md").read_text("utf-8")


def test_the_hub_reads_the_metadata(exported: Path) -> None:
    from huggingface_hub import ModelCard

    data = ModelCard((exported / "README.md").read_text("utf-8")).data
    assert (data.license, data.base_model, data.library_name) == ("apache-2.0", "org/base", "safe-hearing")
    assert data.model_name == f"Hear {HOSTILE}"
    assert data.eval_results[0].metric_type == "accuracy"
    listed = yaml.safe_load((exported / ".eval_results/synthetic_full.yaml").read_text("utf-8"))
    assert listed[0]["value"] == pytest.approx(data.eval_results[0].metric_value, abs=1e-6)


def test_the_card_says_what_came_out_and_escapes_names(exported: Path) -> None:
    card = (exported / "README.md").read_text("utf-8")
    body = card.partition("\n---\n")[2]
    assert "**no-go**, by the checklist with sha256" in body
    assert "The run's own record says that these predictions are of this pathway." in body
    assert 'load_safe("org/pathway", backbone="org/base")' in body
    assert "Say where its encoders are" in body
    assert "<script>" not in body
    assert "\\<script\\>" in body
    assert "It has no gate: it hears every question that comes with a sound." in body
    assert "/srv/somebody" not in card


def test_without_scores_and_checklist_it_says_so(trained: Path, tmp_path: Path) -> None:
    export_checkpoint(trained, tmp_path / "bare")
    card = (tmp_path / "bare/README.md").read_text("utf-8")
    assert card.startswith("---\nlibrary_name: safe-hearing\n")
    assert "# bare" in card
    for said in ("No checklist was given", "No scores were given.", "No licence was given"):
        assert said in card
    assert 'load_safe("FOLDER", backbone="BASE")' in card


@pytest.mark.parametrize(("kind", "files"), [("entropy", 1), ("linear", 2)])
def test_a_gate_goes_along_without_its_questions(
    kind: Any, files: int, trained: Path, tmp_path: Path
) -> None:
    with_gate, out = tmp_path / "adapter", tmp_path / "out"
    shutil.copytree(trained, with_gate)
    of = msgspec.structs.asdict(made_for(read_config(with_gate / CONFIG)))
    facts = {"dataset": {"name": "made", "fingerprint": "f" * 12}, "split": "gate", **of}
    table = dataclasses.replace(made_outcomes(), facts=facts)
    write_gate(with_gate, fit_on(table, GateConfig(kind=kind)), table)
    export_checkpoint(with_gate, out)
    assert len([*(out / "gate").iterdir()]) == files  # not the questions it was fitted on
    assert all(
        file.read_bytes() == (with_gate / "gate" / file.name).read_bytes()
        for file in (out / "gate").iterdir()
    )
    gate = read_gate(out)
    assert gate is not None
    assert f"Its gate ({kind}) was fitted on" in (out / "README.md").read_text("utf-8")


def test_an_export_is_replaced_with_force_only_and_whole(trained: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export_checkpoint(trained, out)
    (out / "mine.txt").write_text("kept")
    (out / "gate").mkdir()
    with pytest.raises(InputError, match="is there already; name another folder, or add --force"):
        export_checkpoint(trained, out)
    export_checkpoint(trained, out, ExportConfig(force=True))
    assert (out / "mine.txt").read_text() == "kept"
    assert not (out / "gate").exists()
    with pytest.raises(InputError, match="is the checkpoint itself"):
        export_checkpoint(trained, trained, ExportConfig(force=True))


def test_scores_of_another_checkpoint_are_refused(adapter: Path, run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"the answers of safe are of the checkpoint whose config\.json"):
        export_checkpoint(adapter, tmp_path / "out", ExportConfig(scores=run))
    with pytest.raises(InputError, match="model=other: is not in the scores of"):
        export_checkpoint(adapter, tmp_path / "out", ExportConfig(scores=run, model="other"))
    assert not (tmp_path / "out").exists()


def test_without_a_record_the_card_does_not_claim_one(trained: Path, run: Path, tmp_path: Path) -> None:
    alone = tmp_path / "run"
    shutil.copytree(run, alone)
    (alone / "predictions.jsonl.run.json").unlink()
    export_checkpoint(trained, tmp_path / "out", ExportConfig(scores=alone))
    assert "only said by who exported it." in (tmp_path / "out/README.md").read_text("utf-8")


def test_a_place_of_this_machine_is_never_written(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"README\.md: would name /srv/me/x, a place on this machine"):
        export_checkpoint(trained, tmp_path / "out", ExportConfig(title="of /srv/me/x"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"/srv/me/clap"', ["/srv/me/clap"]),
        ("clap:/opt/models", ["/opt/models"]),
        ("~/models", ["~/models"]),
        (r"C:\models", [r"C:\models"]),
        ("https://huggingface.co/org/name and org/name, 1/2, a / b, and/or", []),
    ],
)
def test_places_are_found(text: str, found: list[str]) -> None:
    assert list(places_in(text)) == found


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--base-model", "a b"], "base_model='a b': is no id of the Hub, which is ORG/NAME"),
        (["--license", "My Own"], "license='My Own': is no identifier of the Hub"),
        (["--hub", "world=org/world"], "hub: names the datasets of scores; give these with --scores"),
        (["--checklist", "none.json"], "none.json: cannot be read (No such file or directory)"),
    ],
)
def test_bad_settings_are_one_line(
    words: list[str], message: str, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(trained), "--out", str(tmp_path / "out"), *words]) == 3
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b'{"format_version": 1}', json_bytes(checklist(format_version=9))]
)
def test_another_file_is_no_checklist(content: bytes, trained: Path, tmp_path: Path) -> None:
    (tmp_path / "c.json").write_bytes(content)
    with pytest.raises(InputError, match=r"c\.json: is "):
        export_checkpoint(trained, tmp_path / "out", ExportConfig(checklist=tmp_path / "c.json"))


def test_what_cannot_be_loaded_is_one_sentence(exported: Path, untaught: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="load_safe: got an unexpected keyword argument 'gait'"):
        load_safe(exported, backbone=untaught, gait="always")
    safe = load_safe(
        exported, backbone=untaught, encoders=("logmel",), pathway_precision="int8", answer_tokens=2
    )
    assert safe.answer("What is it?").consulted is False
    with pytest.raises(InputError, match=r"none\.wav: cannot be read"):
        safe.answer("What is it?", sound=tmp_path / "none.wav")
    for given in ({"sound": b"no sound"}, {"picture": b"no picture"}):
        with pytest.raises(InputError, match=f"the {next(iter(given))}: "):
            safe.answer("What is it?", **given)
    assert PredictConfig(answer_tokens=2).answer_tokens == safe.settings.answer_tokens
