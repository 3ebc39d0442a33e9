"""A checkpoint comes back as it was, fits one base and its encoders, and refuses anything else."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save
from tiny_corpora import build_corpus
from tiny_models import wake
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.encoders import encoder as encoders
from safe_data.shards.dataset import ShardDataset
from safe_eval.models import files
from safe_eval.models.files import base_files
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.freeze import audit_freeze
from safe_train.checkpoint import (
    TrainedFor,
    TrainedOn,
    UsedEncoder,
    attach_checkpoint,
    check_dataset,
    read_checkpoint,
    save_checkpoint,
    used_encoders,
)
from safe_train.corpora import Corpora
from safe_train.pathway.model import AudioPathway, SafeModel, new_pathway
from safe_train.settings.learning import LossConfig, OptimConfig
from safe_train.settings.pathway import PathwayConfig

INPUTS = {"input_ids": torch.tensor([[5, 6, 7]])}
VECTOR = UsedEncoder("logmel", "a" * 16, (512,), 8000, "logmel")
STATES = UsedEncoder("whisper", "b" * 16, (6, 16), 16000, "whisper:/nowhere")


def made_pathway(backbone: Backbone, *shapes: tuple[int, ...], **settings: Any) -> AudioPathway:
    config = PathwayConfig(**{"layers": (2, 4), "tokens": 3, "bottleneck": 8, **settings})
    made = new_pathway(config, backbone.model, shapes or [(512,)], seed=1)
    made.projector().standardise(torch.arange(512.0), torch.full((512,), 2.0))
    return wake(made)


def saved(folder: Path, pathway: AudioPathway, backbone: Backbone, *used: UsedEncoder, seed: int = 1) -> Path:
    audit = audit_freeze(backbone.model)
    save_checkpoint(
        folder,
        pathway,
        encoders=used or (VECTOR,),
        datasets=[TrainedOn("one", "1" * 64, "train", 5), TrainedOn("two", "2" * 64, "train", 6)],
        base=TrainedFor(
            "untaught",
            audit.architecture,
            base_files(backbone.folder, quiet=True),
            audit.parameters,
            audit.weights_sha256,
        ),
        loss=LossConfig(kl_weight=2.0),
        optim=OptimConfig(steps=7),
        seed=seed,
        step=7,
    )
    return folder


@pytest.fixture
def folder(adapter: Path, tmp_path: Path) -> Path:
    """A checkpoint to be changed."""
    return Path(shutil.copytree(adapter, tmp_path / "adapter"))


def edit(folder: Path, **changes: object) -> None:
    facts = json.loads((folder / "config.json").read_text())
    for path, value in changes.items():
        *parents, name = path.split("__")
        part = facts
        for parent in parents:
            part = part[int(parent) if parent.isdigit() else parent]
        part[name] = value
    (folder / "config.json").write_text(json.dumps(facts))


@pytest.mark.parametrize("design", ["low_rank", "lora"])
@pytest.mark.parametrize("used", [(VECTOR,), (VECTOR, STATES)])
def test_it_comes_back_as_it_was(
    tmp_path: Path, backbone: Backbone, design: Any, used: tuple[UsedEncoder, ...]
) -> None:
    shapes = [encoder.shape for encoder in used]
    pathway = made_pathway(backbone, *shapes, design=design, residual_scale=0.2, tanh_scale=2.0)
    read = read_checkpoint(saved(tmp_path / "adapter", pathway, backbone, *used))
    model = attach_checkpoint(read, backbone)
    assert all(torch.equal(*pair) for pair in zip(pathway.parameters(), model.parameters(), strict=True))
    assert all(torch.equal(*pair) for pair in zip(pathway.buffers(), model.buffers(), strict=True))
    assert {tensor.device.type for tensor in [*model.parameters(), *model.buffers()]} == {"cpu"}
    assert model.pathway.config == pathway.config
    assert not model.pathway.training
    audio = tuple(torch.randn(1, *shape) for shape in shapes)
    with torch.no_grad():
        before = backbone.model(**INPUTS).logits
        with model.fuse(audio=audio):
            heard = model(**INPUTS).logits
    model.detach()
    assert not torch.allclose(heard, before)
    pathway.eval()
    with SafeModel(backbone.model, pathway, folds=True).fuse(audio=audio), torch.no_grad():
        assert torch.equal(backbone.model(**INPUTS).logits, heard)
    config = read.config
    assert (config.step, config.seed, config.optim.steps, config.loss.kl_weight) == (7, 1, 7, 2.0)
    assert config.encoders == used
    assert config.trained_parameters == sum(p.numel() for p in pathway.parameters())
    assert config.base.parameters == sum(p.numel() for p in backbone.model.parameters())


def test_it_can_be_trained_on(adapter: Path, backbone: Backbone) -> None:
    model = attach_checkpoint(read_checkpoint(adapter), backbone).train()
    with model.fuse(audio=torch.randn(1, 512)):
        model(**INPUTS).logits.square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_it_holds_nothing_of_the_base_and_none_of_the_frozen_weights(
    tmp_path: Path, backbone: Backbone
) -> None:
    pathway = made_pathway(backbone, design="lora")
    names = read_checkpoint(saved(tmp_path / "adapter", pathway, backbone)).weights
    assert {name.split(".")[0] for name in names} == {"projectors", "blocks"}
    assert not [name for name in names if name.endswith(("query.weight", "key.weight", "value.weight"))]


def test_the_frozen_weights_of_lora_are_those_of_the_seed(tmp_path: Path, backbone: Backbone) -> None:
    pathway = made_pathway(backbone, design="lora")
    found = []
    for seed in (1, 2):
        read = read_checkpoint(saved(tmp_path / str(seed), pathway, backbone, seed=seed))
        model = attach_checkpoint(read, backbone)
        found.append(model.pathway.block(2).query.weight)
        model.detach()
    assert torch.equal(found[0], pathway.block(2).query.weight)
    assert not torch.equal(found[0], found[1])


def test_reading_it_loads_no_encoder_and_no_library_of_one(adapter: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(adapter, tmp_path / "clap")
    edit(folder, encoders__0__name="clap", encoders__0__source="clap:/nowhere")
    code = (
        "import sys; from pathlib import Path; from safe_train.checkpoint import read_checkpoint\n"
        f"config = read_checkpoint(Path({str(folder)!r})).config\n"
        "print(config.encoders[0].source, [name for name in sys.modules if name.startswith(\n"
        "    ('safe_data.encoders.clap', 'safe_data.encoders.whisper', 'transformers.models.clap'))])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout == "clap:/nowhere []\n"


def test_no_encoder_is_loaded_to_attach_or_to_compare_datasets(
    folder: Path, backbone: Backbone, train_split: ShardDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(spec: str) -> None:
        raise AssertionError(f"{spec} was loaded")

    monkeypatch.setattr(encoders, "load_encoder", load)
    edit(folder, encoders__0__source="clap:/nowhere")
    read = read_checkpoint(folder)
    attach_checkpoint(read, backbone).detach()
    check_dataset(read, train_split, allow_other=False)


def test_the_encoders_of_a_dataset_are_named_with_what_loads_them(
    train_split: ShardDataset, twice_heard: Path
) -> None:
    (logmel,) = used_encoders([train_split])
    assert (logmel.name, logmel.shape, logmel.sample_rate_hz, logmel.source) == (
        "logmel",
        (512,),
        8000,
        "logmel",
    )
    corpora = Corpora([twice_heard], "train", ["whisper:a/new/place", "logmel"])
    whisper, again = used_encoders(corpora.sounding)
    assert (whisper.name, whisper.shape, again) == ("whisper", (32, 16), logmel)
    assert whisper.source == f"whisper:{twice_heard.parent / 'whisper'}"
    assert whisper.fingerprint == ShardDataset(twice_heard, "train", "whisper").encoder["fingerprint"]


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no checkpoint \(config\.json and adapter\.safetensors\)"):
        read_checkpoint(tmp_path)


def test_weights_that_were_changed(folder: Path) -> None:
    data = bytearray((folder / "adapter.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "adapter.safetensors").write_bytes(data)
    with pytest.raises(
        InputError, match=r"has sha256 .*…, config\.json says .*the file was changed or cut off"
    ):
        read_checkpoint(folder)


def test_weights_that_are_no_safetensors_file(folder: Path) -> None:
    data = b"\x80\x04 a pickle"
    (folder / "adapter.safetensors").write_bytes(data)
    edit(folder, weights_sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(InputError, match=r"adapter\.safetensors: is not a safetensors file"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda weight: weight * torch.nan, r"blocks\.1\.key\.weight \(torch\.float32\) is not all finite"),
        (lambda weight: weight.int(), r"blocks\.1\.key\.weight \(torch\.int32\) is not all finite numbers"),
        (lambda weight: weight.half(), r"holds weights of torch\.float16 and torch\.float32; train it again"),
    ],
)
def test_weights_that_cannot_be_computed_with(
    folder: Path, change: Callable[[Tensor], Tensor], message: str
) -> None:
    weights = load_file(folder / "adapter.safetensors")
    data = save({**weights, "blocks.1.key.weight": change(weights["blocks.1.key.weight"])})
    (folder / "adapter.safetensors").write_bytes(data)
    edit(folder, weights_sha256=hashlib.sha256(data).hexdigest())
    with pytest.raises(InputError, match=rf"adapter\.safetensors: {message}"):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 1}, "is of format 1; this version reads 3; train it again"),
        ({"format_version": 4}, "is of format 4; this version reads 3"),
        ({"format_version": "3"}, "is not a checkpoint's configuration: .*; train it again"),
        ({"pathway__tokens": 0}, "is not a checkpoint's configuration: tokens=0: must be at least 1"),
        ({"pathway__tokens": [4, 2]}, r"configuration: tokens=\[4, 2\]: name each number of tokens once, in"),
        ({"pathway__tokens": "4"}, "Expected `int | array`, got `str`"),
        (
            {"asking__prompt_template": "{x}"},
            r"configuration: prompt_template='\{x\}': has the field \{x\}; there",
        ),
        ({"pathway__rank": "many"}, "is not a checkpoint's configuration: Expected `int`, got `str`"),
        ({"surprise": 1}, "is not a checkpoint's configuration: Object contains unknown field `surprise`"),
        ({"encoders__0__pickle": 1}, "Object contains unknown field `pickle`"),
    ],
)
def test_a_configuration_that_cannot_be(folder: Path, changes: dict[str, object], message: str) -> None:
    edit(folder, **changes)
    with pytest.raises(InputError, match=message):
        read_checkpoint(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"format_version": 3}', b"null", b"[" * 10**5])
def test_a_configuration_that_is_none(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    with pytest.raises(InputError, match=r"config\.json: is not a checkpoint's configuration: .*train it"):
        read_checkpoint(folder)


def test_a_checkpoint_of_the_first_format_says_what_to_do(folder: Path) -> None:
    """Its configuration had other fields; it is refused by its version, before they are read."""
    first = {"format_version": 1, "pathway": {"tokens": 4}, "stage_a": {}, "encoder": {}, "dataset": {}}
    (folder / "config.json").write_text(json.dumps(first))
    with pytest.raises(InputError) as caught:
        read_checkpoint(folder)
    assert str(caught.value) == (
        f"{folder / 'config.json'}: is of format 1; this version reads 3; train it again"
    )


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"pathway__bottleneck": 32}, r"projectors\.0\.layers\.0\.bias"),
        ({"pathway__layers": [2]}, r"blocks\.1\.hidden_norm\.bias"),
        ({"pathway__design": "lora"}, r"blocks\.1\.key\.down\.weight"),
        ({"encoders__0__shape": [100]}, r"projectors\.0\.deviation"),
    ],
)
def test_a_configuration_that_does_not_fit_the_weights(
    folder: Path, backbone: Backbone, changes: dict[str, object], name: str
) -> None:
    edit(folder, **changes)
    with pytest.raises(InputError, match=rf"weights and config\.json disagree about {name}"):
        attach_checkpoint(read_checkpoint(folder), backbone)


@pytest.mark.parametrize("tokens", [10**15, 10**30, [4, 10**15]])
def test_a_configuration_of_an_absurd_size(folder: Path, backbone: Backbone, tokens: object) -> None:
    edit(folder, pathway__tokens=tokens)
    with pytest.raises(InputError, match=r"config\.json") as refused:
        attach_checkpoint(read_checkpoint(folder), backbone)
    assert "\n" not in str(refused.value)


def test_an_absurd_depth_is_refused_before_its_layers_are_made(folder: Path, backbone: Backbone) -> None:
    edit(folder, pathway__depth=10**9)
    with pytest.raises(
        InputError, match=r"config\.json says depth 1000000000, and .* holds only \d+ tensors"
    ):
        attach_checkpoint(read_checkpoint(folder), backbone)


def test_a_pathway_at_the_input_comes_back(tmp_path: Path, backbone: Backbone) -> None:
    pathway = made_pathway(backbone, layers=(), location="input")
    assert pathway.config.layers == (0,)
    read = read_checkpoint(saved(tmp_path / "adapter", pathway, backbone))
    assert attach_checkpoint(read, backbone).pathway.config == pathway.config


@pytest.fixture
def other_base(untaught: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(untaught, tmp_path / "other"))


def test_another_base_is_refused_with_the_file_that_differs(adapter: Path, other_base: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(other_base / "model.safetensors")
    next(iter(weights.values())).view(-1)[0] += 1e-3
    save_file(weights, other_base / "model.safetensors", metadata={"format": "pt"})
    backbone = load_backbone(other_base)
    message = (
        f"{adapter}: was trained for untaught (LlavaForConditionalGeneration); {other_base} is another: "
        "its model.safetensors is another file; give the base it was trained for with --backbone"
    )
    with pytest.raises(InputError) as caught:
        attach_checkpoint(read_checkpoint(adapter), backbone)
    assert str(caught.value) == message
    assert not any(layer._forward_hooks for layer in backbone.model.get_decoder().layers)


def test_nested_budgets_come_back_and_one_number_is_written_as_a_number(
    adapter: Path, backbone: Backbone, tmp_path: Path
) -> None:
    made = made_pathway(backbone, tokens=(2, 3))
    model = attach_checkpoint(read_checkpoint(saved(tmp_path / "a", made, backbone)), backbone)
    assert model.pathway.config == made.config
    assert (made.config.budgets, made.config.most_tokens) == ((2, 3), 3)
    written = [json.loads((folder / "config.json").read_text()) for folder in (tmp_path / "a", adapter)]
    assert [one["pathway"]["tokens"] for one in written] == [[2, 3], 4]
    assert read_checkpoint(adapter).config.pathway.budgets == (4,)
    assert {one["format_version"] for one in written} == {3}


def test_a_changed_tokenizer_is_another_base_too(adapter: Path, other_base: Path) -> None:
    path = other_base / "tokenizer.json"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(InputError, match=r"its tokenizer\.json is another file"):
        attach_checkpoint(read_checkpoint(adapter), load_backbone(other_base))


def test_a_copy_of_the_base_is_the_base(adapter: Path, other_base: Path) -> None:
    model = attach_checkpoint(read_checkpoint(adapter), load_backbone(other_base))
    assert model.pathway.config.tokens == 4


def test_the_base_is_not_hashed_again_for_every_checkpoint(
    adapter: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    attach_checkpoint(read_checkpoint(adapter), backbone).detach()
    hashed = []
    monkeypatch.setattr(files, "file_sha256", lambda path: hashed.append(path))
    attach_checkpoint(read_checkpoint(adapter), backbone).detach()
    assert hashed == []


def test_another_dataset_only_if_it_is_meant(
    adapter: Path, train_split: ShardDataset, test_split: ShardDataset, audio_only: Path
) -> None:
    other, read = ShardDataset(audio_only, "test"), read_checkpoint(adapter)
    with pytest.raises(InputError) as caught:
        check_dataset(read, other, allow_other=False)
    assert str(caught.value) == (
        f"{adapter}: was trained on {train_split.name} {train_split.fingerprint[:12]}…, {audio_only} is "
        f"audio_only {other.fingerprint[:12]}…; add --allow-other-dataset to answer it anyway "
        "(safe-eval run: --arg allow_other_dataset=true)"
    )
    check_dataset(read, other, allow_other=True)
    check_dataset(read, train_split, allow_other=False)
    check_dataset(read, test_split, allow_other=False)


def test_each_dataset_that_it_was_trained_on_will_do(
    tmp_path: Path, backbone: Backbone, vl_only: Path, audio_only: Path, shards: Path
) -> None:
    folder = saved(tmp_path / "adapter", made_pathway(backbone), backbone)
    datasets = [ShardDataset(root, "train") for root in (vl_only, audio_only)]
    edit(
        folder,
        encoders__0__fingerprint=datasets[0].encoder["fingerprint"],
        datasets=[
            {"name": one.name, "fingerprint": one.fingerprint, "split": "train", "records": len(one)}
            for one in datasets
        ],
    )
    read = read_checkpoint(folder)
    for dataset in datasets:
        check_dataset(read, dataset, allow_other=False)
    message = r"was trained on vl_only .*…, audio_only .*…, .* is world .*…; add --allow-other-dataset"
    with pytest.raises(InputError, match=message):
        check_dataset(read, ShardDataset(shards, "train"), allow_other=False)


def test_embeddings_of_another_version_in_the_dataset_never(
    folder: Path, train_split: ShardDataset, tmp_path: Path
) -> None:
    fingerprint = train_split.encoder["fingerprint"]
    edit(folder, encoders__0__fingerprint="0" * 16)
    message = (
        f"{folder}: was trained on embeddings of logmel {'0' * 16}, {train_split.root} has embeddings of "
        f"{fingerprint}; train again, or build the dataset with the same encoder"
    )
    for allow_other in (True, False):
        with pytest.raises(InputError, match=message):
            check_dataset(read_checkpoint(folder), train_split, allow_other=allow_other)
    no_such = build_corpus(tmp_path, "unheard", encoders=())
    check_dataset(read_checkpoint(folder), ShardDataset(no_such, "train"), allow_other=True)


def test_a_save_that_is_cut_off_leaves_no_checkpoint(
    folder: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old configuration never describes new weights."""
    import safe_train.checkpoint as module

    def full(*_: Any) -> None:
        raise InputError("the disk is full")

    monkeypatch.setattr(module, "write_json", full)
    with pytest.raises(InputError, match="the disk is full"):
        saved(folder, made_pathway(backbone), backbone)
    with pytest.raises(InputError, match="holds no checkpoint"):
        read_checkpoint(folder)
