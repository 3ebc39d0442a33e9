"""Shelves: some splits of shards, and where the record that a prediction answers lies in them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safe_data.records import Record
from safe_data.shards.layout import read_dataset
from safe_eval.prediction import Prediction
from safe_eval.runner.media import SOUND_BYTES, StoredMedia

if TYPE_CHECKING:
    from safe_data.shards.dataset import ShardDataset

NOT_HERE = "These shards do not hold this record."
ASKS_ELSE = "The record with this id in these shards asks something else."


@dataclass(frozen=True)
class Shelves:
    """The splits of some shards, their media, and where each record lies in them."""

    datasets: dict[str, "ShardDataset"]
    media: dict[str, StoredMedia]
    places: dict[str, dict[str, int]]

    def find(self, item: Prediction) -> tuple["ShardDataset", int] | str:
        """The split and the place of the record that was asked, or why it is not here."""
        place = self.place(item, item.record_id)
        if place is None:
            return NOT_HERE
        dataset = self.datasets[item.split or ""]
        if not _asks(dataset.record(place), item):
            return ASKS_ELSE
        return dataset, place

    def place(self, item: Prediction, record_id: str | None) -> int | None:
        """The place of a record in the split of an item."""
        return self.places.get(item.split or "", {}).get(record_id or "")


def open_shards(splits: Iterable[str | None], shards: Path, *, sound_bytes: int = SOUND_BYTES) -> Shelves:
    """Open those of some splits that shards have; of each, so many bytes of decoded sounds are remembered.

    Raises:
        InputError: the shards cannot be opened.
    """
    from safe_data.shards.dataset import ShardDataset

    known = read_dataset(shards).splits
    datasets = {
        split: ShardDataset(shards, split) for split in sorted({one for one in splits if one in known})
    }
    media = {split: StoredMedia(dataset, sound_bytes) for split, dataset in datasets.items()}
    places = {
        split: {name: place for place, name in enumerate(dataset.manifest["id"].to_pylist())}
        for split, dataset in datasets.items()
    }
    return Shelves(datasets, media, places)


def _asks(record: Record, item: Prediction) -> bool:
    """Whether a record asks what was answered; other shards may hold other records with the same ids."""
    return any(
        example.id == item.example_id and item.prompt in (None, example.prompt) for example in record.examples
    )
