"""Reads one annotation file, in a process that is measured: python -m tests.benches.read_once READER FILE ROWS."""

from __future__ import annotations

import sys
from pathlib import Path

from stages.lib.annotations.ava_classes import ava_label_map


def _truth(path: Path) -> int:
    from stages.lib.annotations.ava_csv import read_truth

    truth, counts = read_truth(path, ava_label_map(60))
    return len(truth.video) + counts.negatives


def _detections(path: Path) -> int:
    from stages.lib.annotations.ava_csv import read_detections

    return len(read_detections(path, ava_label_map(60))[0].video)


def _boxes(path: Path) -> int:
    """As a shard with every hundredth video does it; the names of all stand in a file beside the csv."""
    from stages.detect.external import read_boxes
    from stages.detect.names import spellings

    ids = path.with_suffix(".ids").read_text().split()
    found = read_boxes(path, spellings((video, f"{video}.mp4") for video in ids), ids[::100])
    return len(found.lines) + found.others


def _pandas(path: Path) -> int:
    import pandas

    kinds = {0: str, **dict.fromkeys(range(1, 8), float)}
    return len(pandas.read_csv(path, header=None, names=list(range(8)), dtype=kinds))


READERS = {"truth": _truth, "detections": _detections, "boxes": _boxes, "pandas": _pandas}

if __name__ == "__main__":
    count = READERS[sys.argv[1]](Path(sys.argv[2]))
    assert count == int(sys.argv[3]), f"{count} rows were read"
