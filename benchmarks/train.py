"""`safe_train` on a LLaVA of 63 million random weights: what the pathway, the loader and sounds cost.

The language model is 512 wide and has 8 layers, 8 heads and a vocabulary of 32,000. Goals: generation with
the gate off takes at most 1.01 times the base's, and with the gate on 1.10 times; at least 95 % of a step of
stage A is the model's; and CLAP on the fly costs at least 20 times as much a step as cached embeddings.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from benchmarks.corpus import SPLIT, Corpus
from benchmarks.machine import describe
from benchmarks.random_clap import write_random_clap
from benchmarks.timing import in_turns, print_line, print_ratio, seconds
from safe_data.build.build import build_dataset
from safe_data.encoders.encoder import load_encoder
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.presets import preset_config
from safe_train.settings.pathway import PathwayConfig

TOKENS, RANK = 32, 64
PROMPT, ANSWER = 32, 24
ROWS = (1, 8)
REPEATS = 15
CLIPS, STEPS, BATCH_SIZE = 400, 12, 16
SOUNDS = Corpus(clips=BATCH_SIZE, seconds=10)


def main() -> None:
    """Print the results, and whether each goal is met."""
    import torch

    torch.set_num_threads(1)
    print_line(benchmark="train", **describe())
    model = new_llava(vocabulary=32_000)
    for rows in ROWS:
        _generation(model, rows)
    with tempfile.TemporaryDirectory() as folder:
        step = _loader(Path(folder))
        _sounds(Path(folder), step)


def new_llava(vocabulary: int, processor: Any = None) -> Any:
    """A LLaVA of random weights; with a processor, one that reads the pictures and words of the toy world."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    from safe_data.sources.synthetic.pictures import SIDE
    from safe_train.toy.words import IMAGE, PATCH_SIDE

    torch.manual_seed(0)
    end = processor.tokenizer.eos_token_id if processor else None
    text = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        max_position_embeddings=512,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=0,
    )
    vision = CLIPVisionConfig(
        hidden_size=256,
        intermediate_size=1024,
        num_hidden_layers=6,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=PATCH_SIDE,
    )
    image = processor.tokenizer.convert_tokens_to_ids(IMAGE) if processor else 3
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=image)
    return LlavaForConditionalGeneration(config).eval()


def _generation(base: Any, rows: int) -> None:
    """Print how much longer generation takes with the gate off, and on, than without a pathway.

    One thread, in CPU seconds: seconds on the wall would measure whoever shares the cores.
    """
    import torch

    plan = PathwayConfig(rank=RANK, tokens=TOKENS, heads=8, residual_scale=0.3)
    pathway = new_pathway(plan, base, [(512,)], seed=0).eval()
    ids, audio = torch.randint(5, 32_000, (rows, PROMPT)), torch.randn(rows, 512)
    asked = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "pad_token_id": 0}
    length = {"max_new_tokens": ANSWER, "min_new_tokens": ANSWER, "do_sample": False}

    def untouched() -> float:
        start = process_time()
        base.generate(**asked, **length)
        return process_time() - start

    def with_gate(gate: float) -> Callable[[], float]:
        def run() -> float:
            model = SafeModel(base, pathway)
            with model.fuse(audio=audio, gate=gate):
                taken = untouched()
            model.detach()
            return taken

        return run

    untouched()  # the first of a process is slower
    off, on, plain = in_turns(REPEATS, with_gate(0.0), with_gate(1.0), untouched)
    parameters = sum(parameter.numel() for parameter in base.parameters())
    sizes = {
        "rows": rows,
        "k": TOKENS,
        "r": RANK,
        "layers": 4,
        "new_tokens": ANSWER,
        "parameters": parameters,
    }
    for name, times, goal in (("off", off, 1.01), ("on", on, 1.10)):
        paired = [one / other for one, other in zip(times, plain, strict=True)]
        what = f"generation with the gate {name}, against the untouched base"
        spread = {"paired_ratio": median(paired), "paired_quartiles": _quartiles(paired)}
        print_ratio("train", what, "CPU s", times, plain, sizes | spread, at_most=goal)


def _loader(folder: Path) -> float:
    """Print the share of a step that is not spent waiting for its batch; return a step's seconds."""
    from safe_train.stages import loop
    from safe_train.stages.stage_a import stage_a
    from safe_train.toy.words import make_processor

    write_world(folder / "world", clips=CLIPS, seed=0)
    build_dataset(folder / "world", folder / "shards")
    processor = make_processor()
    new_llava(32_000, processor).save_pretrained(folder / "backbone")
    processor.save_pretrained(folder / "backbone")
    config = preset_config(
        "demo",
        shards=(folder / "shards",),
        backbone=folder / "backbone",
        out=folder / "out",
        **{"steps": STEPS, "batch_size": BATCH_SIZE, "rows_per_forward": BATCH_SIZE, "eval_steps": 0},
        **{"tracker": ("none",), "quiet": True, "tokens": TOKENS, "rank": RANK, "heads": 8},
    )
    with _timed(loop.Ahead, "get") as waits, _timed(loop.Loop, "step") as steps:
        stage_a(config)
    warm = slice(2, None)  # the first steps fill the queue
    waited, taken = waits[warm], steps[warm]
    share = 1 - sum(waited) / sum(taken)
    print_line(
        benchmark="train",
        what="share of a step of stage A that is the model's, not waiting for the loader",
        ours=share,
        goal=">= 0.95",
        met=share >= 0.95,
        step_seconds=median(taken),
        waited_seconds=median(waited),
        longest_wait_seconds=max(waited),
        steps=len(taken),
        batch=BATCH_SIZE,
    )
    return median(taken)


def _sounds(folder: Path, step_seconds: float) -> None:
    """Print what the sounds of one step cost, cached and on the fly, alone and as a part of a step."""
    encoder = load_encoder(f"clap:{write_random_clap(folder / 'clap')}")
    source, root = SOUNDS.write(folder / "corpus"), folder / "heard"
    build_dataset(source, root, encoders=[f"clap:{folder / 'clap'}"])
    dataset = ShardDataset(root, SPLIT, "clap")
    clips = list(range(BATCH_SIZE))

    def on_the_fly() -> object:
        heard = [dataset.audio(clip, encoder.sample_rate_hz) for clip in clips]
        return encoder.encode([sound.samples for sound in heard if sound is not None])

    dataset.embeddings(clips)
    cached, computed = in_turns(
        3, lambda: seconds(lambda: dataset.embeddings(clips)), lambda: seconds(on_the_fly)
    )
    sizes = {"sounds": BATCH_SIZE, "seconds_each": SOUNDS.seconds}
    what = "the sounds of one step, CLAP on the fly against cached"
    print_ratio("train", what, "s", computed, cached, sizes, at_least=20)
    whole = [[step_seconds + one for one in times] for times in (computed, cached)]
    print_ratio("train", "a whole step of stage A, the same", "s", *whole, sizes)


@contextmanager
def _timed(kind: type, method: str) -> Iterator[list[float]]:
    """The seconds that each call of a method takes."""
    taken: list[float] = []
    original = getattr(kind, method)

    def timed(*args: Any) -> Any:
        start = perf_counter()
        try:
            return original(*args)
        finally:
            taken.append(perf_counter() - start)

    with patch.object(kind, method, timed):
        yield taken


def _quartiles(values: list[float]) -> list[float]:
    ordered = sorted(values)
    return [ordered[len(ordered) // 4], ordered[3 * len(ordered) // 4]]
