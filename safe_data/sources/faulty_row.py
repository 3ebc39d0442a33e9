"""Make a rejected row of an annotation that cannot become a record."""

from safe_data.records import Rejected
from safe_data.sources.ids import id_of


def faulty_row(where: str, fault: str, *, dataset: str, split: str) -> Rejected:
    """The row at a place such as `train.csv:41`, rejected with the fault; its id is made of the place.

    >>> row = faulty_row("train.csv:41", "has no 'caption'; add it", dataset="mine", split="train")
    >>> row.id, row.reason
    ('train-csv-41-97ba628c507a', "faulty row: train.csv:41: has no 'caption'; add it")
    """
    return Rejected(id=id_of(where), dataset=dataset, split=split, reason=f"faulty row: {where}: {fault}")
