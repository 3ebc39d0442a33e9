"""Benchmarks from their official files to the numbers computed by hand: built, answered and scored."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from corpora import write_json
from folders import picture_bytes, sound_bytes
from videos import video_bytes

from safe_data.build.build import build_dataset
from safe_data.records import Example
from safe_data.shards.dataset import ShardDataset
from safe_eval.options import Sampling, ScoreOptions
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.scoring.score import score_files
from safe_eval.scoring.scores import Scores

Reply = Callable[[Example], str]


def answered(root: Path, source: str, split: str, reply: Reply) -> Path:
    """Build a corpus, and write a reply to each of its questions."""
    build_dataset(root, root / "shards", source=source)
    dataset = ShardDataset(root / "shards", split)
    records = [dataset.record(place) for place in range(len(dataset))]
    rows = [
        Prediction(
            example_id=example.id,
            record_id=record.id,
            dataset=record.dataset,
            split=record.split,
            group=record.group,
            task=example.task,
            question_type=example.question_type,
            needs_audio=example.needs_audio,
            prompt=example.prompt,
            choices=example.choices,
            references=example.references,
            answer=reply(example),
        )
        for record in records
        for example in record.examples
    ]
    write_predictions(root / "predictions.jsonl", rows)
    return root / "predictions.jsonl"


def score(predictions: Path, protocol: str | None = None) -> Scores:
    return score_files([predictions], Sampling(resamples=100), ScoreOptions(protocol=protocol))


def values(scores: Scores, metric: str, *slices: str) -> list[float]:
    """The values of a metric on these slices."""
    found = {row.slice: row.value for row in scores.metrics if row.metric == metric}
    return [pytest.approx(found[name]) for name in slices]


def put(root: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)


def test_pope_by_its_default_rule_and_its_script(tmp_path: Path) -> None:
    """Two pictures. Random: TP 1, FN 1, TN 2. Popular: TP 1, FP 1, TN 1 and a reply that is neither."""
    names = [f"COCO_val2014_{number:012d}" for number in (1, 2)]
    put(tmp_path, {f"val2014/{name}.jpg": picture_bytes(kind="JPEG") for name in names})
    replies = {
        "random": ("Yes, there is.", "No, there is not.", "There is no dog.", "no"),
        "popular": ("yes", "Yes.", "I cannot tell", "No."),
    }
    for kind in replies:
        rows = [
            {"question_id": place, "image": f"{names[place // 2]}.jpg", "text": f"{kind}?", "label": label}
            for place, label in enumerate(("yes", "no") * 2)
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        put(tmp_path, {f"coco_pope_{kind}.json": lines.encode()})

    def reply(example: Example) -> str:
        kind, _, place = example.id.partition("-")
        return replies[kind][int(place)]

    predictions = answered(tmp_path, "pope", "test", reply)
    ours = score(predictions)
    slices = ("all", "vl", "type:random", "type:popular", "type:answer yes")
    assert values(ours, "yes_no_accuracy", *slices) == [5 / 8, 5 / 8, 3 / 4, 2 / 4, 2 / 4]
    told = {row.name: row.value for row in ours.aggregates}
    assert told["f1:random"] == pytest.approx(2 * 1 / (2 * 1 + 0 + 1))
    assert told["f1:popular"] == pytest.approx(2 * 1 / (2 * 1 + 1 + 1))
    assert (told["precision:random"], told["recall:random"]) == (1.0, 0.5)
    assert (told["yes_ratio:random"], told["yes_ratio:popular"]) == (1 / 4, 2 / 4)
    # Its script reads what is not no as yes, and so "I cannot tell" is right.
    official = score(predictions, "pope_first_sentence")
    assert values(official, "pope_first_sentence", *slices[:4]) == [6 / 8, 6 / 8, 3 / 4, 3 / 4]


def test_avhbench_by_task(tmp_path: Path) -> None:
    """Always yes: right where the label is Yes; a caption is scored as a caption."""
    heard, seen = "Video-driven Audio Hallucination", "Audio-driven Video Hallucination"
    asked = [(heard, "Yes"), (heard, "No"), (heard, "No"), (seen, "Yes"), ("AV Matching", "No")]
    rows = [{"video_id": "00191", "task": task, "text": f"{task}?", "label": label} for task, label in asked]
    for video, caption in (("00191", "a man snores"), ("00006", "a dog barks")):
        rows.append({"video_id": video, "task": "AV Captioning", "text": "Describe.", "label": caption})
    write_json(tmp_path / "QA.json", rows)
    put(tmp_path, {f"video/{video}.mp4": video_bytes(seconds=1.0) for video in ("00191", "00006")})

    def reply(example: Example) -> str:
        return "Yes." if example.task == "vqa" else "a man snores"

    scores = score(answered(tmp_path, "avhbench", "test", reply))
    slices = ("all", "audio", "vl", f"type:{heard}", f"type:{seen}", "type:AV Matching")
    assert values(scores, "yes_no_accuracy", *slices) == [2 / 5, 1 / 4, 1.0, 1 / 3, 1.0, 0.0]
    told = {row.name: row.value for row in scores.aggregates if row.metric == "yes_no_accuracy"}
    assert (told["yes_ratio"], told["recall"]) == (1.0, 1.0)
    assert (told["precision"], told["f1"]) == (pytest.approx(2 / 5), pytest.approx(4 / 7))
    assert values(scores, "bleu_1", "all") == [(3 + 1) / (3 + 3)]


def test_cmm_by_its_default_rule_and_its_script(tmp_path: Path) -> None:
    """One pair and one sound. Perception is accuracy where the answer is yes, resistance where it is no."""
    put(
        tmp_path,
        {
            "reorg_raw_files/v/a.mp4": video_bytes(seconds=1.0),
            "reorg_raw_files/v/a.wav": sound_bytes(),
            "reorg_raw_files/a/b.wav": sound_bytes(seed=1),
        },
    )
    pair = {"sub_category": "visual-audio-language", "video_path": "./reorg_raw_files/v/a.mp4"}
    pair |= {"audio_path": "./reorg_raw_files/v/a.wav"}
    sound = {"sub_category": "audio-language", "video_path": "None", "audio_path": "reorg_raw_files/a/b.wav"}
    asked = [(pair, "see", "yes"), (pair, "hear", "no"), (sound, "hear", "yes"), (sound, "hear", "no")]
    rows = [
        {"category": "c", "modality": "m", "question": f"Did you {verb} it?", "answer": answer, **of}
        for of, verb, answer in asked
    ]
    write_json(tmp_path / "all_data_final_reorg.json", rows)
    replies = ("Yes, I did.", "Unknown.", "I did hear it, yes.", "No, it is silent.")
    predictions = answered(tmp_path, "cmm", "test", lambda example: replies[int(example.id.split("-")[-1])])
    slices = ("all", "audio", "vl", "type:answer yes", "type:answer no", "type:audio-language")
    ours = values(score(predictions), "yes_no_accuracy", *slices)
    assert ours == [3 / 4, 2 / 3, 1.0, 1.0, 1 / 2, 1.0]
    # Its script looks in the first five letters: "unkno" holds a no, and the late yes is not seen.
    official = values(score(predictions, "cmm_first_letters"), "cmm_first_letters", *slices)
    assert official == [3 / 4, 2 / 3, 1.0, 1 / 2, 1.0, 1 / 2]


def test_mmau_by_its_default_rule_and_its_script(tmp_path: Path) -> None:
    """A letter is an answer by default; the script wants the words of the choice."""
    replies = {"a": "Man", "b": "(A)", "c": "A woman", "d": "(B) six"}
    rows = [
        {"id": name, "audio_id": f"./test-mini-audios/{name}.wav", "question": "Who?", "task": "sound"}
        | {"choices": ["Man", "Woman"], "answer": "Man", "difficulty": "easy"}
        for name in "abc"
    ]
    twice = {"choices": ["two", "six", "two", "nine"], "answer": "six", "task": "speech"}
    rows.append(rows[0] | {"id": "d", "audio_id": "./test-mini-audios/d.wav"} | twice)
    write_json(tmp_path / "mmau-test-mini.json", rows)
    put(tmp_path, {f"test-mini-audios/{name}.wav": sound_bytes(seed=ord(name)) for name in replies})
    predictions = answered(tmp_path, "mmau", "test-mini", lambda example: replies[example.id])
    slices = ("all", "audio", "type:sound", "type:speech")
    assert values(score(predictions), "accuracy", *slices) == [3 / 4, 3 / 4, 2 / 3, 1.0]
    official = values(score(predictions, "mmau_words"), "mmau_words", *slices)
    assert official == [2 / 4, 2 / 4, 1 / 3, 1.0]
