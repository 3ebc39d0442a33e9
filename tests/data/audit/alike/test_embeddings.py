"""Neighbours of embeddings are read from the sidecars of all datasets, and join no cluster."""

from pathlib import Path

import numpy as np
import pytest

from safe_data.audit.alike.all_alike import alike
from safe_data.audit.alike.clusters import clusters
from safe_data.audit.alike.embeddings import unit
from safe_data.audit.corpus import Corpus, open_corpus
from safe_data.build.build import build_dataset
from safe_data.shards.layout import ShardPaths
from safe_data.sources.synthetic.world import write_world


@pytest.fixture
def datasets(tmp_path: Path) -> list[Path]:
    """Two datasets of one world, embedded."""
    write_world(tmp_path / "world", clips=24, seed=1)
    for name in ("a", "b"):
        build_dataset(tmp_path / "world", str(tmp_path / name), encoders=("logmel",), quiet=True)
    return [tmp_path / "a", tmp_path / "b"]


def opened(roots: list[Path]) -> Corpus:
    return open_corpus([f"{root.name}={root}" for root in roots])


def sidecar(root: Path, corpus: Corpus, split: str) -> Path:
    dataset = corpus.datasets[0]
    return ShardPaths(root, split, dataset.splits[split].shards[0]).sidecar(dataset.encoders[0])


def test_each_record_is_the_neighbour_of_itself_in_another_dataset(datasets: list[Path]) -> None:
    corpus = opened(datasets)
    found = alike(corpus, "near_embedding")
    count = corpus.manifest.num_rows // 2
    assert {(row, row + count) for row in range(count)} <= {(a, b) for a, b in found.pairs.tolist()}
    assert (found.left < found.right).all()
    assert found.evidence.startswith("neighbours among the embeddings of logmel-")


def test_equal_embeddings_join_no_cluster_and_zeros_are_like_nothing(datasets: list[Path]) -> None:
    path = sidecar(datasets[0], opened(datasets), "train")
    stored = np.load(path)
    stored[0], stored[1:] = 0, stored[1]
    np.save(path, stored)
    corpus = opened(datasets[:1])
    rows = [row for row, split in enumerate(corpus.manifest["split"].to_pylist()) if split == "train"]
    found = alike(corpus, "near_embedding")
    silent = next(row for row in rows if corpus.manifest["row"][row].as_py() == 0)
    joined = {tuple(pair) for pair in found.pairs.tolist()}
    others = [row for row in rows if row != silent]
    assert {(a, b) for a in others for b in others if a < b} <= joined
    assert not any(silent in pair for pair in joined)
    assert clusters(corpus) == []


def test_what_is_missing_is_said(datasets: list[Path], tmp_path: Path) -> None:
    build_dataset(tmp_path / "world", str(tmp_path / "c"), encoders=(), quiet=True)
    without = alike(opened([datasets[0], tmp_path / "c"]), "near_embedding")
    assert without.why_not == "no embeddings are in all datasets; add them by `safe-data add-encoder`"
    sidecar(datasets[0], opened(datasets), "train").unlink()
    assert "cannot be read as embeddings" in (alike(opened(datasets), "near_embedding").why_not or "")


def test_embeddings_of_several_parts_are_averaged() -> None:
    parts = np.array([[[3, 0], [0, 4]], [[0, 0], [0, 0]]], np.float16)
    assert unit(parts) == pytest.approx(np.array([[0.6, 0.8], [0, 0]]))
