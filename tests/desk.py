"""A reader's desk: README's commands, and small things in place of the corpora and models that they name.

`python tests/desk.py FOLDER [models]` writes them with the SAFE that this Python has installed.
"""

import json
import re
import shlex
import sys
from pathlib import Path
from typing import Any

README = Path(__file__).resolve().parents[1] / "README.md"
HUB_ID = "llava-hf/llava-1.5-7b-hf"
LOCAL = {  # what a desk has instead
    HUB_ID: "model",
    "clap:laion/clap-htsat-unfused": "clap:clap",
    "whisper:openai/whisper-tiny": "whisper:whisper",
}
CLIPS = 72  # in my_folder; enough for each split to hold some


def readme_commands() -> list[list[str]]:
    """The command lines of the README's indented blocks, without their comments."""
    text = README.read_text("utf-8").replace("\\\n", "")
    lines = [line[4:] for line in text.splitlines() if line.startswith("    ")]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


def doc_commands(page: str) -> list[list[str]]:
    """The commands of a page of docs/ that are whole: what is left out is written as an ellipsis."""
    lines = (README.parent / "docs" / page).read_text("utf-8").replace("\\\n", "").splitlines()
    commands = [line for line in lines if re.match(r"    safe-\w+ (?!\S+:)", line)]  # not what one prints
    typed = [part.partition(" > ")[0] for line in commands for part in line.split("&&")]
    words = [shlex.split(part, comments=True) for part in typed if "…" not in part]
    return [found for found in words if found[-1] != "--help"]


def write_desk(folder: Path) -> None:
    """Write `my_folder` of clips, corpora of one clip, predictions of a model and its base, and captions."""
    from safe_data.sources.synthetic.world import write_world

    write_world(folder / "my_folder", clips=CLIPS, seed=0)
    for path, content in _corpora().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    rows = _predictions()
    dev = [{**row, "example_id": f"dev-{row['example_id']}"} for row in rows if row["condition"] == "full"]
    for name, written in {"predictions": rows, "dev": dev, "captions": _captions()}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in written), "utf-8")


def write_models(folder: Path) -> None:
    """Write a tiny LLaVA that was hardly taught, and a CLAP and a Whisper of random weights."""
    from tiny_encoders import save_clap, save_whisper

    from safe_train.toy.backbone import pretrain
    from safe_train.toy.recipe import Recipe

    pretrain(folder / "model", seed=0, recipe=Recipe(vision_steps=2, language_steps=2))
    save_clap(folder / "clap")
    save_whisper(folder / "whisper")


def _predictions() -> list[dict[str, Any]]:
    """SAFE hears what its base does not, sees as well as it, and is the base without its sound."""
    arms = [("base", "full"), *(("safe", name) for name in ("full", "mute_audio", "swap_audio", "gate_off"))]
    rows = []
    for model, condition in arms:
        for clip in range(160):  # enough groups to rule out a loss of two points, as `demo` asks
            for needs_audio in (True, False):
                hears = (model, condition) == ("safe", "full")
                right = clip % 10 != 1 if hears or not needs_audio else clip % 5 == 0
                rows.append(
                    {
                        "example_id": f"c{clip}-{'audio' if needs_audio else 'vl'}",
                        "references": ["yes"],
                        "answer": "yes" if right else "no",
                        "group": f"g{clip}",
                        "needs_audio": needs_audio,
                        "question_type": "sound" if needs_audio else "colour",
                        "model": model,
                        "condition": condition,
                        "confidence": 0.5 + clip / 400,
                    }
                )
    return rows


def _captions() -> list[dict[str, Any]]:
    texts = {"a dog runs in the park": "a dog runs", "rain falls": "it rains", "a bell": "a bell rings"}
    return [
        {"example_id": f"k{n}", "references": [said], "answer": answer, "task": "caption", "group": f"g{n}"}
        for n, (said, answer) in enumerate(texts.items())
    ]


def _corpora() -> dict[str, bytes]:
    """Files by their paths."""
    from videos import video_bytes

    captions = "audiocap_id,youtube_id,start_time,caption\n1,abcdefghijk,30,A dog barks\n"
    question = {
        "video_id": "00000093",
        "question_id": 1,
        "type": '["Audio", "Counting"]',
        "templ_values": "[]",
    }
    question |= {"question_content": "How many?", "question_deleted": 0, "anser": "two"}
    row = {"file": "a.wav", "prompt": "what rings?", "references": ["a bell"]}
    columns = {"audio": "file", "prompt": "prompt", "references": "references"}
    wanted = {"path": "json", "data_files": "rows.jsonl", "columns": columns, "constants": {"task": "vqa"}}
    return {
        "corpora/audiocaps/val.csv": captions.encode(),
        "corpora/audiocaps/audio/val/abcdefghijk_30.wav": _sound(),
        "corpora/music_avqa/avqa-val.json": json.dumps([question]).encode(),
        "corpora/music_avqa/video/00000093.mp4": video_bytes(),
        "corpora/hub/hub.yaml": json.dumps(wanted).encode(),  # JSON is YAML
        "corpora/hub/rows.jsonl": json.dumps(row).encode() + b"\n",
        "corpora/hub/a.wav": _sound(),
    }


def _sound() -> bytes:
    """A second of noise."""
    import io

    import numpy as np
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, 0.1 * np.random.default_rng(0).standard_normal(8000), 8000, format="WAV")
    return file.getvalue()


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).with_name("data")))
    write_desk(Path(sys.argv[1]))
    if "models" in sys.argv[2:]:
        write_models(Path(sys.argv[1]))
