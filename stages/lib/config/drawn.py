"""Where `synthesize` puts the official files of a drawn data set: known before anything is drawn."""

from __future__ import annotations

from typing import Final

from stages.lib.config.playground import CLIPS, MOVIES
from stages.lib.errors import StageError

SPLITS: Final = ("train", "val", "test")


def files(dataset: str, folder: str) -> dict[str, object]:
    """The path keys of the `DatasetConfig` of a drawn data set below `folder`.

    Raises:
        StageError: a data set of that name is not one that can be drawn.
    """
    if dataset not in (MOVIES, CLIPS):
        what = f"no data set of this name can be drawn; there are {MOVIES} and {CLIPS}"
        raise StageError(
            what, f"datasets.{dataset}.synthesized", "rename the data set, or give it videos and files"
        )
    notes = f"{folder}/annotations"
    found: dict[str, object] = {
        "videos": f"{folder}/videos",
        "labelmap": f"{notes}/ava_action_list_playground.pbtxt",
        "kinds": f"{notes}/action_kinds.csv",
    }
    if dataset == MOVIES:
        found["annotations"] = {split: f"{notes}/ava_{split}_v2.2.csv" for split in SPLITS}
        found["excluded"] = {split: f"{notes}/ava_{split}_excluded_timestamps_v2.2.csv" for split in SPLITS}
    else:
        found["annotations"] = {split: f"{notes}/kinetics_{split}_v1.0.csv" for split in SPLITS}
        found["classes"] = {split: f"{notes}/kinetics_{split}_classes.csv" for split in ("train", "val")}
    return found
