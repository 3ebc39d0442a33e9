"""What README.md tells a reader to type works as typed, on a small world in place of theirs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
HUB_ID = "llava-hf/llava-1.5-7b-hf"
LOCAL = {HUB_ID: "model", "clap:laion/clap-htsat-unfused": "clap:clap"}


def commands() -> list[list[str]]:
    """The command lines of the README's indented blocks, without their comments."""
    lines = [line[4:] for line in README.replace("\\\n", "").splitlines() if line.startswith("    ")]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    binary = Path(sys.executable).parent / words[0]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run([binary, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_the_make_targets_exist() -> None:
    named = {words[1] for words in commands() if words[0] == "make"}
    assert {"demo", "test"} <= named <= make_targets()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder: `my_folder` of clips, two corpora of one clip, and local models for the hub's."""
    from safe_data.sources.synthetic.world import write_world
    from safe_train.toy.backbone import pretrain
    from safe_train.toy.recipe import Recipe

    folder = tmp_path_factory.mktemp("desk")
    write_world(folder / "my_folder", clips=72, seed=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "tests" / "data")
        write_corpora(folder)
    pretrain(folder / "model", seed=0, recipe=Recipe(vision_steps=2, language_steps=2))
    return folder


def write_corpora(folder: Path) -> None:
    from folders import sound_bytes
    from tiny_encoders import save_clap
    from videos import video_bytes

    save_clap(folder / "clap")
    captions = "audiocap_id,youtube_id,start_time,caption\n1,abcdefghijk,30,A dog barks\n"
    question = {
        "video_id": "00000093",
        "question_id": 1,
        "type": '["Audio", "Counting"]',
        "templ_values": "[]",
    }
    question |= {"question_content": "How many?", "question_deleted": 0, "anser": "two"}
    for path, data in {
        "audiocaps/val.csv": captions.encode(),
        "audiocaps/audio/val/abcdefghijk_30.wav": sound_bytes(),
        "music_avqa/avqa-val.json": json.dumps([question]).encode(),
        "music_avqa/video/00000093.mp4": video_bytes(),
    }.items():
        (folder / "corpora" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "corpora" / path).write_bytes(data)


def test_the_commands_for_your_data_and_your_model(desk: Path) -> None:
    ran = []
    for words in commands():
        if words[0] in ("safe-data", "safe-train"):
            typed = [LOCAL.get(word, word) for word in words]
            if typed[1] == "stage-a":
                typed += ["--steps", "2"]
            done = run(typed, desk)
            assert done.returncode == 0, f"{shlex.join(typed)}\n{done.stdout}{done.stderr}"
            ran.append(typed[1])
    assert ran == ["build", "check", "stage-a", "predict", "build", "build", "info"]
    assert (desk / "runs/mine/predictions.jsonl").stat().st_size


def test_the_commands_for_your_predictions(desk: Path) -> None:
    made = desk / "runs/mine/predictions.jsonl"
    if not made.is_file():
        test_the_commands_for_your_data_and_your_model(desk)
    shutil.copy(made, desk / "predictions.jsonl")
    codes = {}
    for words in commands():
        if words[0] == "safe-eval":
            done = run(words, desk)
            codes[words[1]] = done.returncode
            assert not done.stderr, f"{shlex.join(words)}\n{done.stderr}"
    # Two steps teach nothing: the verdict must be able to say so.
    assert codes == {"score": 0, "verdict": 1}


def test_paths_named_exist() -> None:
    for path in re.findall(r"`((?:safe_\w+|tests|benchmarks|docs|shards|expectations)/[\w./]*)`", README):
        assert (ROOT / path).exists(), path


def test_the_demo_table_is_filled_in() -> None:
    assert "VL questions" in README
    assert "<!--" not in README
