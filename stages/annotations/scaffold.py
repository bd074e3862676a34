"""A configuration from videos, a csv and a class list: the sheet, the class map, and a yaml to run and to edit.

A is the number of classes, K that of annotated keyframes.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from stages.annotations.media import files_by_stem
from stages.lib.annotations.ava_csv import read_truth
from stages.lib.annotations.class_list import label_map_text, read_class_list
from stages.lib.annotations.labelmap import LabelMap
from stages.lib.annotations.write_csv import spell_exactly
from stages.lib.config.load import load_config
from stages.lib.config.sheets import Video, sheet_text
from stages.lib.errors import StageError
from stages.lib.files import write_text
from stages.lib.metrics.tables import Truth

_KEY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_PER_SHARD = 50
_HEADER = """\
# {name}: a data set of {videos} videos and {classes} classes. configs/default.yaml describes every key.
#     snakemake --cores 2 --configfile {path}
# `exclusive` are groups of class ids of which a person does exactly one (a softmax over each); []: none.
# `excluded` are whole seconds between a video's annotated ones that have no row: whether anybody acts there is not known, so
# they are not evaluated. Leave the key out if nobody does (AVA's own meaning).
"""
_DEMO = """\
# Backbone and detector are those of `make demo`, which know only a drawn world: the run shows that everything fits together.
# For real answers give weights of your own (--backbone, --boxes), or name them below.
"""
_DEMO_PARTS: dict[str, Any] = {
    "decode": {"rate": 15, "short_side": 160, "key_short_side": 800, "key_long_side": 1333},
    "backbones": {
        "main": {
            "architecture": "playground",
            "sampling": {"fast_frames": 8, "stride": 2, "slow_rule": "stride"},
            "weights": "results/playground/pretrain/small/weights.safetensors",
        }
    },
    "extract": {"views": ["s128", "s128-flip"], "batch": 4},
}
_DEMO_DETECTOR: dict[str, Any] = {
    "person": {
        "architecture": "playground",
        "weights": "results/playground/train_detector/movies/weights.safetensors",
        "short_side": 128,
        "max_long_side": 256,
        "batch": 16,
        "min_score": 0.05,
    }
}


@dataclass(frozen=True)
class Wanted:
    """What a data set is made of; `annotations` by split, or one csv under "" whose videos are shared out."""

    videos: Path
    annotations: Mapping[str, Path]
    classes: Path
    out: Path
    exclusive: Sequence[Sequence[str]] = ()
    start: float = 0.0
    val_share: float = 0.2
    boxes: Path | None = None
    backbone: Path | None = None


def scaffold(wanted: Wanted) -> Counter[str]:
    """Write NAME.yaml, NAME.tsv, NAME.pbtxt and, where seconds lie between keyframes, NAME.SPLIT.excluded.csv; what they hold.

    Raises:
        StageError: anything about the inputs, by file and line, and a configuration that would not be valid.
    """
    name = wanted.out.stem
    if not _KEY.fullmatch(name) or wanted.out.suffix != ".yaml":
        raise StageError(
            f"{wanted.out.name} is no name for a run",
            "--out",
            "use small letters, digits and dashes: my-data.yaml",
        )
    if not wanted.videos.is_dir():
        raise StageError("there is no such folder", str(wanted.videos), "give the folder of the videos")
    labels = read_class_list(wanted.classes)
    truths = {split: read_truth(path, labels)[0] for split, path in wanted.annotations.items()}
    splits = _splits(truths, wanted.val_share)
    files = {
        stem: path.relative_to(wanted.videos).as_posix()
        for stem, path in files_by_stem(wanted.videos).items()
    }
    sheet = [
        Video(video, files.get(video, ""), split, wanted.start, video)
        for video, split in sorted(splits.items())
    ]
    beside = {end: wanted.out.with_name(f"{name}{end}") for end in (".tsv", ".pbtxt")}
    write_text(beside[".tsv"], sheet_text(sheet))
    write_text(beside[".pbtxt"], label_map_text(labels))
    data = {
        "format": "ava",
        "videos": str(wanted.videos),
        "sheet": str(beside[".tsv"]),
        "annotations": {split: str(_csv_of(wanted, split)) for split in sorted(set(splits.values()))},
        **_write_holes(truths, splits, wanted.out),
        "labelmap": str(beside[".pbtxt"]),
        "exclusive": [_group(names, labels, wanted.classes) for names in wanted.exclusive],
        "shards": max(1, min(400, -(-len(sheet) // _PER_SHARD))),
        **({"boxes": str(wanted.boxes)} if wanted.boxes else {"detector": "person"}),
    }
    config = _config(name, data, wanted)
    load_config(config, str(wanted.out))
    demo = _DEMO if wanted.backbone is None or wanted.boxes is None else ""
    header = _HEADER.format(name=name, videos=len(sheet), classes=len(labels.ids), path=wanted.out)
    write_text(
        wanted.out,
        header + demo + yaml.safe_dump(config, sort_keys=False, default_flow_style=None, width=110),
    )
    counts = Counter(f"videos of split {row.split}" for row in sheet)
    counts["annotated videos without a file (left out of training, listed as missing)"] = sum(
        not row.path for row in sheet
    )
    counts["video files without annotations (left out)"] = len(set(files) - set(splits))
    return +counts


def _splits(truths: Mapping[str, Truth], val_share: float) -> dict[str, str]:
    """Split by video: that of its csv; with one csv for all, every 1/share-th by a hash of its id is for validation."""
    if "" in truths:
        videos = sorted(truths[""].videos, key=lambda video: hashlib.sha256(video.encode()).digest())
        n_val = min(max(1, round(val_share * len(videos))), len(videos) - 1) if len(videos) > 1 else 0
        return {video: "val" if place < n_val else "train" for place, video in enumerate(videos)}
    found: dict[str, str] = {}
    for split, truth in truths.items():
        for video in truth.videos:
            if found.setdefault(video, split) != split:
                raise StageError(
                    f"video {video} is annotated in {found[video]} and in {split}",
                    "--annotations",
                    "give it one split",
                )
    return found


def _csv_of(wanted: Wanted, split: str) -> Path:
    """The csv of a split; the index takes from a common one the videos of each split."""
    return wanted.annotations.get(split) or wanted.annotations[""]


def _write_holes(truths: Mapping[str, Truth], splits: Mapping[str, str], out: Path) -> dict[str, Any]:
    """Write the seconds without rows between a video's keyframes, by split; the key `excluded`, or nothing."""
    lines: dict[str, list[str]] = {}
    for truth in truths.values():
        for place, video in enumerate(truth.videos):
            own = truth.key_ms[truth.key_video == place]
            for ms in np.setdiff1d(np.arange(own.min(), own.max() + 1, 1000), own).tolist():
                lines.setdefault(splits[video], []).append(f"{video},{spell_exactly(ms / 1000)}\n")
    paths = {split: out.with_name(f"{out.stem}.{split}.excluded.csv") for split in sorted(lines)}
    for split, path in paths.items():
        write_text(path, "".join(sorted(lines[split])))
    return {"excluded": {split: str(path) for split, path in paths.items()}} if paths else {}


def _group(names: Sequence[str], labels: LabelMap, path: Path) -> list[int]:
    ids = dict(zip(labels.names, labels.ids, strict=True))
    unknown = [name for name in names if name not in ids]
    if unknown:
        raise StageError(
            f"--exclusive names {unknown[0]!r}, which is no class", str(path), "spell it as in the list"
        )
    return [ids[name] for name in names]


def _config(name: str, data: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """The whole configuration: an ACAR head on its own, and one with an actor-context bank."""
    parts, small = dict(_DEMO_PARTS), {"reduce": 96, "hidden": 96}
    if wanted.backbone is not None:
        backbone, rate = _given_backbone(wanted.backbone)
        parts = {
            "decode": {"rate": rate},
            "backbones": {"main": backbone},
            "extract": {"views": ["s256", "s256-flip"]},
        }
        small = {}
    if wanted.boxes is None:
        parts["detectors"] = _DEMO_DETECTOR
    score = {"min_score": 0.7}
    acar = {"kind": "acar", "backbone": "main", **small, **score}
    memory = {"bank": "acfb", "window": 10, "slots": 5}
    heads = {"acar": acar, "acar-acfb": {**acar, "kind": "acar-acfb", "init": "acar", "memory": memory}}
    banks = {"acfb": {"kind": "acfb", "backbone": "main", "head": "acar", **score}}
    return {"run": name, "datasets": {name: dict(data)}, **parts, "banks": banks, "heads": heads}


def _given_backbone(path: Path) -> tuple[dict[str, Any], float]:
    """The configuration of a backbone's weights by what their file says, and the frame rate that they learned from."""
    from stages.lib.models.weights import load_weights

    facts = load_weights(path).metadata
    if facts.get("family") != "backbone":
        raise StageError(
            "these are not the weights of a backbone", str(path), "make them: stages.checkpoint import"
        )
    wanted = ("architecture", "sampling", "mean", "std")
    return {**{key: facts[key] for key in wanted if key in facts}, "weights": str(path)}, float(
        facts.get("rate") or 30
    )
