"""What hearing adds to an answer of the toy at batch 1 on one thread: gate on against gate off.

`folded` is the way that a checkpoint answers (pathway/folding.py), `plain` the way that training takes. All
are timed in turns in one process, in CPU seconds: seconds on the wall would measure whoever shares the cores.
The prefill is an answer of one token; a decode step is what each further token takes. Goal: at most 1.10.
The last lines count tensor operations, which no neighbour on the machine changes: so small a model spends
its time on their number, and not on their arithmetic.
"""

from collections.abc import Callable
from statistics import median
from time import process_time
from typing import Any

from benchmarks.machine import describe
from benchmarks.timing import in_turns, print_line
from safe_train.base.prompts import encode_prompt
from safe_train.parity.pathways import woken
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.presets import preset_config
from safe_train.toy.recipe import Recipe, new_model
from safe_train.toy.words import make_processor

REPEATS, MOST = 60, 1.10
FEW, MANY = 3, 12  # tokens of an answer; those of the demo have two and an end
WAYS = {"off": 0.0, "plain": 1.0, "folded": 1.0}


def main() -> None:
    """Print how much longer the prefill, an answer and a decode step take by each way."""
    import torch

    torch.set_num_threads(1)
    print_line(benchmark="fused_generation", **describe())
    torch.manual_seed(0)
    processor = make_processor()
    base = new_model(Recipe(), processor).eval()
    asked = _asked(processor)
    config = preset_config("demo", shards=(), backbone="toy", out="none").pathway
    pathway = woken(new_pathway(config, base, [(512,)], seed=0), seed=0).eval()
    sound = torch.randn(1, 512)

    def answer(way: str, tokens: int) -> float:
        model = SafeModel(base, pathway, folds=way == "folded")
        start = process_time()
        with torch.no_grad(), model.fuse(audio=sound, gate=WAYS[way]):
            base.generate(**asked, **_length(tokens))
        taken = process_time() - start
        model.detach()
        return taken

    def run(way: str, tokens: int) -> Any:
        return lambda: answer(way, tokens)

    cases = [(way, tokens) for tokens in (1, FEW, MANY) for way in WAYS]
    in_turns(2, *(run(*case) for case in cases))  # the first of a process are slower
    taken = dict(zip(cases, in_turns(REPEATS, *(run(*case) for case in cases)), strict=True))
    names = {1: "prefill", FEW: f"an answer of {FEW} tokens", MANY: f"an answer of {MANY} tokens"}
    for way in ("plain", "folded"):
        for tokens, name in names.items():
            _print(name, way, taken[way, tokens], taken["off", tokens])
        step = {
            one: [(b - a) / (MANY - 1) for a, b in zip(taken[one, 1], taken[one, MANY], strict=True)]
            for one in ("off", way)
        }
        _print("a decode step", way, step[way], step["off"])
    _print_operations(answer)


def _print_operations(answer: Callable[[str, int], float]) -> None:
    """Print how many tensor operations the prefill and a decode step take by each way."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Counting(TorchDispatchMode):
        count = 0

        def __torch_dispatch__(self, function: Any, _: Any, args: Any = (), named: Any = None) -> Any:
            self.count += 1
            return function(*args, **(named or {}))

    for way in WAYS:
        counts = []
        for tokens in (1, FEW, MANY):
            with Counting() as counting:
                answer(way, tokens)
            counts.append(counting.count)
        step = (counts[2] - counts[1]) / (MANY - FEW)
        print_line(benchmark="fused_generation", what=f"operations, {way}", prefill=counts[0], step=step)


def _asked(processor: Any) -> dict[str, Any]:
    """A question about a picture, as a batch of one."""
    from PIL import Image

    from safe_data.sources.synthetic.pictures import SIDE

    picture = Image.linear_gradient("L").resize((SIDE, SIDE)).convert("RGB")
    return dict(encode_prompt(processor, "what is heard ?", picture))


def _length(tokens: int) -> dict[str, Any]:
    """Exactly so many tokens, whatever the toy has to say."""
    free = {"suppress_tokens": None, "begin_suppress_tokens": None}
    return {"max_new_tokens": tokens, "min_new_tokens": tokens, "do_sample": False, **free}


def _print(name: str, way: str, on: list[float], off: list[float]) -> None:
    ratio = median(on) / median(off)
    paired = sorted(one / other for one, other in zip(on, off, strict=True))
    print_line(
        benchmark="fused_generation",
        what=f"{name}, gate on ({way}) against gate off",
        ours=1000 * median(on),
        reference=1000 * median(off),
        unit="CPU ms",
        ratio=ratio,
        paired_ratio=median(paired),
        paired_quartiles=[paired[len(paired) // 4], paired[3 * len(paired) // 4]],
        goal=f"<= {MOST:g}",
        met=ratio <= MOST,
        repeats=len(on),
        rows=1,
    )
