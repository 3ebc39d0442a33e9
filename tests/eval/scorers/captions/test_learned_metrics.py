"""FENSE and its parts equal aac-metrics on the same weights; CLAP similarity equals transformers'."""

import csv
import json
import shutil
from pathlib import Path

import made_captions as made
import numpy as np
import pytest
import tiny_text_models as tiny
import torch
from made_rows import row

from safe_data.build.add_encoder import add_encoder
from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_eval.options import CaptionModels
from safe_eval.scorers.captions.caption_scores import score_captions
from safe_eval.scorers.captions.learned_metrics.fluency import fluency_errors, open_fluency
from safe_eval.scorers.captions.learned_metrics.learned_scores import NO_MODELS, open_models
from safe_eval.scorers.captions.learned_metrics.sentence_bert import open_sentence_bert, sbert_sim

SHARDS = Path(__file__).resolve().parents[4] / "shards/sample"
CANDIDATES = [
    *("a dog barks.", "Rain falls on the tin roof, and wind blows", "two men talk while a cat sleeps"),
    *("xyz a a a", "", "Dog!"),
]
REFERENCES = [
    *(["A dog barks", "the dog barks while rain falls"], ["rain falls"]),
    *(["two men talk", "a cat sleeps", "wind blows", "men and a dog"], ["a"], ["a dog", "b"]),
    ["a cat sleeps . , the", "dog"],
]
# What aac-metrics 0.5.4 (sentence-transformers 6.2) gave with the weights of `tiny_text_models`.
SIMILARITIES = {
    "mean": [0.9226323, 0.5333061, 0.7069939, 0.7371661, 0.2575801, 0.9296285],
    "cls": [0.7834235, 0.2342377, 0.5252227, 0.6464766, 0.2661, 0.7732157],
    "max": [0.9076792, 0.68059, 0.7578639, 0.7686628, 0.2677481, 0.9147574],
}
ERROR_PROBABILITIES = [0.9976773, 0.9985784, 0.4217844, 0.9742726, 0.9946103, 0.9925508]
FENSE = [0.0922632, 0.0533306, 0.7069939, 0.0737166, 0.025758, 0.0929628]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny.save_fluency(folder / "fluency")
    tiny.save_sentence_bert(folder / "mean")
    tiny.save_clap_that_reads(folder / "clap")
    return folder


@pytest.fixture(scope="module")
def sounds(root: Path) -> Path:
    """The committed sample with embeddings by the tiny CLAP."""
    copy = shutil.copytree(SHARDS, root / "sounds")
    add_encoder(str(copy), f"clap:{root / 'clap'}")
    return Path(copy)


@pytest.mark.parametrize("pooling", SIMILARITIES)
def test_similarity_equals_aac_metrics(tmp_path: Path, pooling: str) -> None:
    model = open_sentence_bert(str(tiny.save_sentence_bert(tmp_path / "model", pooling)))
    found = sbert_sim(CANDIDATES, REFERENCES, model)
    assert found.tolist() == pytest.approx(SIMILARITIES[pooling], abs=1e-6)


@pytest.mark.parametrize("released", [True, False])
def test_fluency_errors_equal_aac_metrics(tmp_path: Path, released: bool) -> None:
    """FENSE releases its detector as a .ckpt, which is read without running it."""
    model = open_fluency(str(tiny.save_fluency(tmp_path / "model", released=released)))
    assert model.encode(CANDIDATES)[:, 0].tolist() == pytest.approx(ERROR_PROBABILITIES, abs=1e-6)
    assert fluency_errors(CANDIDATES, model).tolist() == [p > 0.9 for p in ERROR_PROBABILITIES]


def test_a_classifier_of_transformers_is_read_by_its_label(tmp_path: Path) -> None:
    model = open_fluency(str(tiny.save_classifier(tmp_path / "model")))
    other = open_fluency(str(tiny.save_classifier(tmp_path / "other", ("error", "fine"))))
    said, swapped = model.encode(CANDIDATES)[:, 0], other.encode(CANDIDATES)[:, 0]
    assert not np.allclose(said, swapped)
    with pytest.raises(InputError, match=r"none of its labels \(good, bad\) is 'error'"):
        open_fluency(str(tiny.save_classifier(tmp_path / "labels", ("good", "bad"))))


def captions(**fields: object) -> list:
    return [
        row(f"c{i}", text, references=tuple(references), task="caption", record_id=f"r{i}", **fields)
        for i, (text, references) in enumerate(zip(CANDIDATES, REFERENCES, strict=True))
    ]


def test_fense_and_spider_fl_are_lowered_by_errors(root: Path) -> None:
    models = open_models(CaptionModels(sbert=str(root / "mean"), fluency=str(root / "fluency")))
    values = {f"c{i}": 0.5 for i in range(6)}
    scores = score_captions(captions(), models=models, spice_values=values)
    assert scores.items["fense"].tolist() == pytest.approx(FENSE, abs=1e-6)
    assert scores.corpus("fense") == pytest.approx(np.mean(FENSE), abs=1e-6)
    lowered = scores.items["spider"] * np.array([0.1 if p > 0.9 else 1.0 for p in ERROR_PROBABILITIES])
    assert scores.items["spider_fl"].tolist() == pytest.approx(lowered.tolist())


def test_464_audio_captions_equal_aac_metrics(root: Path) -> None:
    made.expected("aac_example_1")
    with (made.TRUTH / "audio/aac_metrics_example_1.csv").open(encoding="utf-8") as file:
        lines = list(csv.reader(file))[1:]
    rows = [row(f"{i:03}", line[0], references=tuple(line[1:6])) for i, line in enumerate(lines)]
    models = open_models(CaptionModels(sbert=str(root / "mean"), fluency=str(root / "fluency")))
    scores = score_captions(rows, models=models)
    assert scores.corpus("sbert_sim") == pytest.approx(0.9466730083242573, abs=1e-6)
    assert scores.corpus("fluency_error") == pytest.approx(0.16810344827586207, abs=1e-12)
    assert scores.corpus("fense") == pytest.approx(0.8214306432175739, abs=1e-6)


def test_a_failure_is_an_error_of_fluency_and_like_nothing(root: Path) -> None:
    models = open_models(CaptionModels(sbert=str(root / "mean"), fluency=str(root / "fluency")))
    lost = row("c9", None, references=("a dog",), task="caption", error="out of memory")
    without = row("c8", None, references=(), task="caption", error="out of memory")
    shared = row("c0", None, references=(), task="caption", error="out of memory", model="other")
    items = score_captions([*captions(), lost, without, shared], models=models).items
    for name, value in {"sbert_sim": 0.0, "fense": 0.0, "fluency_error": 1.0}.items():
        assert items[name][-3:].tolist() == [value] * 3, name


def test_the_order_and_the_company_of_captions_change_nothing(root: Path) -> None:
    models = open_models(CaptionModels(sbert=str(root / "mean"), fluency=str(root / "fluency")))
    rows = captions()
    one, other = (score_captions(some, models=models).items["fense"] for some in (rows, rows[::-1]))
    assert one.tolist() == other[::-1].tolist()


def test_without_models_the_reason_says_what_to_give() -> None:
    scores = score_captions(captions())
    assert scores.not_measured["sbert_sim"].startswith(
        "sentence-BERT similarity is not measured: give a model with --sbert, such as "
    )
    assert "give FENSE's detector of them with --fluency" in scores.not_measured["fluency_error"]
    assert all(
        scores.not_measured[name] in scores.not_measured["fense"] for name in ("sbert_sim", "fluency_error")
    )
    assert "give the CLAP of the dataset with --clap" in scores.not_measured["clap_sim"]
    assert open_models(CaptionModels()) == NO_MODELS


def test_clap_similarity_equals_transformers(root: Path, sounds: Path) -> None:
    from transformers import AutoTokenizer, ClapModel

    data = ShardDataset(sounds, "train", "clap")
    heard = [i for i in range(len(data)) if data.has_audio[i]][:3]
    rows = [
        row(f"c{i}", CANDIDATES[n], references=tuple(REFERENCES[n]), record_id=data.value(i, "id"))
        for n, i in enumerate(heard)
    ]
    models = open_models(CaptionModels(sounds=sounds))  # the dataset names its CLAP
    items = score_captions(rows, models=models).items
    clap, tokenizer = (
        ClapModel.from_pretrained(root / "clap").eval(),
        AutoTokenizer.from_pretrained(root / "clap"),
    )

    def text(sentence: str) -> torch.Tensor:
        with torch.inference_mode():
            made = clap.get_text_features(**tokenizer([sentence], return_tensors="pt"))
        return torch.nn.functional.normalize(getattr(made, "pooler_output", made), dim=-1)[0]

    stored = torch.from_numpy(data.embeddings(heard).astype("f4"))
    for n in range(len(heard)):
        with_sound = torch.nn.functional.cosine_similarity(text(CANDIDATES[n]), stored[n], dim=0)
        assert items["clap_sim"][n] == pytest.approx(float(with_sound), abs=1e-5)
        with_texts = [float(text(CANDIDATES[n]) @ text(reference)) for reference in REFERENCES[n]]
        assert items["clap_reference_sim"][n] == pytest.approx(np.mean(with_texts), abs=1e-5)


def test_a_sound_that_is_not_there_is_a_reason(root: Path, sounds: Path) -> None:
    models = open_models(CaptionModels(clap=str(root / "clap"), sounds=sounds))
    assert (
        "6 captions are of records that sounds lacks, such as 'r0'"
        in (score_captions(captions(), models=models).not_measured["clap_sim"])
    )
    nameless = [row(f"c{i}", "a dog", references=("a cat",)) for i in range(2)]
    reason = score_captions(nameless, models=models).not_measured["clap_sim"]
    assert reason == "similarity to the sound is not measured: 2 captions have no record_id"
    without = open_models(CaptionModels(clap=str(root / "clap")))
    assert score_captions(nameless, models=without).not_measured["clap_sim"].endswith("with --sounds")


def test_sounds_of_another_clap_are_refused(root: Path, sounds: Path, tmp_path: Path) -> None:
    other = tiny.save_clap_that_reads(tmp_path / "other")
    config = json.loads((other / "config.json").read_text("utf-8"))
    tiny.write(other / "config.json", config | {"logit_scale_init_value": 3.0})
    with pytest.raises(InputError, match="its sounds were embedded by another CLAP than"):
        open_models(CaptionModels(clap=str(other), sounds=sounds))
    with pytest.raises(InputError, match=r"holds no CLAP embeddings .* safe-data add-encoder"):
        open_models(CaptionModels(sounds=SHARDS))
    moved = shutil.copytree(sounds, tmp_path / "moved")
    facts = json.loads((moved / "dataset.json").read_text("utf-8"))
    label = next(name for name in facts["encoder_facts"] if name.startswith("clap-"))
    facts["encoder_facts"][label]["source"] = "clap:laion/clap-htsat-unfused"
    tiny.write(moved / "dataset.json", facts)
    with pytest.raises(InputError, match="with --clap: clap:laion/clap-htsat-unfused"):
        open_models(CaptionModels(sounds=moved))  # the hub is asked only for what a user names


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("modules.json", "[{}]", "is no list of modules"),
        ("modules.json", "{", "is not JSON"),
        (
            "modules.json",
            '[{"type": "x.Transformer", "path": ""}, {"type": "x.Dense", "path": "2"}]',
            "Dense",
        ),
        (
            "modules.json",
            '[{"type": "x.Transformer", "path": ""}, {"type": "x.Pooling", "path": "../.."}]',
            "outside the model's own folder",
        ),
        ("1_Pooling/config.json", '{"pooling_mode": "lasttoken"}', "expected one pooling of mean, cls, max"),
        ("tokenizer.json", None, "has no tokenizer"),
        ("model.safetensors", None, "has no model.safetensors"),
        ("model.safetensors", "x", "cannot be loaded"),
    ],
)
def test_a_sentence_bert_that_is_none(
    root: Path, tmp_path: Path, name: str, content: str | None, words: str
) -> None:
    broken = Path(shutil.copytree(root / "mean", tmp_path / "broken"))
    if content is None:
        for path in [broken / name, *broken.glob("tokenizer*" if name == "tokenizer.json" else name)]:
            path.unlink(missing_ok=True)
    else:
        (broken / name).write_text(content)
    with pytest.raises(InputError, match=words):
        open_sentence_bert(str(broken))


def test_a_model_that_lacks_weights_is_refused_and_not_filled_by_chance(root: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    broken = Path(shutil.copytree(root / "mean", tmp_path / "broken"))
    weights = load_file(broken / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"lacks 1 weights, such as encoder\.layer\.1"):
        open_sentence_bert(str(broken))
    lame = Path(shutil.copytree(root / "fluency", tmp_path / "lame"))
    weights = load_file(lame / "model.safetensors")
    save_file({k: v for k, v in weights.items() if k != "clf.bias"}, lame / "model.safetensors")
    with pytest.raises(InputError, match=r"is no detector of fluency errors: expected weights clf\.weight"):
        open_fluency(str(lame))


def test_a_released_detector_that_would_run_code_is_refused(root: Path, tmp_path: Path) -> None:
    hostile = Path(shutil.copytree(root / "fluency", tmp_path / "hostile"))
    torch.save({"state_dict": {"clf.weight": Path("x")}}, hostile / "echecker.ckpt")
    with pytest.raises(InputError, match=r"echecker\.ckpt: cannot be read as weights"):
        open_fluency(str(hostile))


def test_a_path_that_is_none_and_no_id_is_refused() -> None:
    with pytest.raises(InputError, match=r"sentence-BERT checkpoint '\./absent' is not a directory"):
        open_models(CaptionModels(sbert="./absent"))
