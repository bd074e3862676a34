"""`datasets`: where videos and annotations are, and into how many shards they are cut."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from stages.lib.config.base import Section
from stages.lib.config.types import Key, Split

MOST_SHARDS = 400
"""More are no use: jobs would last seconds, and plans of many networks too long."""


class DatasetConfig(Section):
    """One data set: its videos, its official files, its shards and its detector."""

    format: Literal["ava", "ava-kinetics", "videos"] = Field(
        description="ava: 8-column csv, whole seconds; ava-kinetics: 7-column csv, fractional seconds, ten-second clips; "
        "videos: a folder of any videos without annotations"
    )
    synthesized: bool = Field(
        default=False, description="drawn by `synthesize`; its paths are filled in by the workflow"
    )
    videos: str | None = Field(
        default=None, description="folder of the video files; relative paths of the sheet start here"
    )
    tree_rate: float = Field(
        default=30.0,
        gt=0,
        description="frame rate in Hz of frame trees (folders of images instead of videos)",
    )
    sheet: str | None = Field(
        default=None,
        description="tsv with the columns video, path, split, start (and optionally shard); "
        "`python -m stages.index sheet` writes it",
    )
    annotations: dict[Split, str] = Field(
        default={}, description="official csv of boxes and labels per split"
    )
    excluded: dict[Split, str] = Field(
        default={}, description="official csv of excluded timestamps per split"
    )
    included: str | None = Field(
        default=None,
        description="official txt of the seconds that are annotated in every movie (format ava): those without rows are "
        "keyframes with nobody labelled, others are excluded; default: from a movie's first to its last row",
    )
    classes: dict[Split, str] = Field(
        default={}, description="Kinetics csv of clip-level classes per split (pre-training)"
    )
    labelmap: str | None = Field(default=None, description="pbtxt of the evaluated classes")
    exclusive: tuple[tuple[int, ...], ...] | None = Field(
        default=None,
        description="groups of class ids of which a person does exactly one, e.g. [[1, 2, 3]]: a softmax over each; "
        "[]: none; default: AVA's poses (ids up to 14)",
    )
    kinds: str | None = Field(
        default=None, description="csv id,name,kind that groups classes in tables; default: by AVA id"
    )
    shards: int = Field(
        default=1,
        ge=1,
        le=MOST_SHARDS,
        description="number of shards; a video's shard comes from a hash of its id",
    )
    split_shards: dict[Split, Annotated[int, Field(ge=1)]] = Field(
        default={},
        description="number of shards of each split in place of `shards`, e.g. {train: 40, val: 10}: no shard mixes splits, "
        "and what only some splits are needed for is made of theirs alone",
    )
    detector: Key | None = Field(
        default=None, description="detector of this data set; none when `boxes` is given"
    )
    compare_detectors: tuple[Key, ...] = Field(
        default=(),
        description="further detectors whose person boxes are measured on this data set (person AP only)",
    )
    boxes: str | None = Field(
        default=None, description="person boxes from a csv in the PySlowFast form instead of a detector"
    )
    bank_seconds: Literal["clip", "keyframe"] = Field(
        default="clip",
        description="format ava-kinetics: banks archive whole seconds before and after a keyframe, too, as far as its clip goes "
        "(up to nine moments a clip), or the keyframe alone, which costs a ninth",
    )
    keyframes_every: float = Field(default=1.0, gt=0, description="seconds between keyframes (format videos)")

    @model_validator(mode="after")
    def _check_sources(self) -> Self:
        if self.synthesized and (self.videos or self.sheet or self.annotations):
            raise ValueError("a synthesized data set takes no videos, sheet or annotations: they are drawn")
        if self.format == "videos" and (self.sheet or self.annotations):
            raise ValueError(
                "format videos takes only a folder: use format ava or ava-kinetics for annotated videos"
            )
        if not self.synthesized and self.format != "videos" and not (self.sheet and self.labelmap):
            raise ValueError("an annotated data set needs sheet and labelmap")
        if self.included and self.format != "ava":
            raise ValueError("included lists the seconds of movies: it is for format ava")
        self._check_exclusive()
        self._check_shards()
        if (self.detector is None) == (self.boxes is None):
            raise ValueError("give either detector or boxes, not both and not neither")
        if self.compare_detectors and self.format == "videos":
            raise ValueError("compare_detectors has no meaning without ground truth (format videos)")
        if self.detector in self.compare_detectors:
            raise ValueError("compare_detectors names further detectors, not the data set's own")
        return self

    def _check_shards(self) -> None:
        if not self.split_shards:
            return
        if self.shards != 1:
            raise ValueError("give either shards or split_shards, not both")
        if self.format == "videos":
            raise ValueError("split_shards has no meaning without splits (format videos): give shards")
        if sum(self.split_shards.values()) > MOST_SHARDS:
            raise ValueError(f"split_shards adds up to more than {MOST_SHARDS} shards")
        lacking = [split for split in self.annotations if split not in self.split_shards]
        if lacking:
            raise ValueError(f"split_shards lacks {', '.join(lacking)}, which is annotated")

    def _check_exclusive(self) -> None:
        listed = [number for group in self.exclusive or () for number in group]
        if self.exclusive and self.labelmap is None and not self.synthesized:
            raise ValueError("exclusive names ids of a class list: give labelmap")
        if any(len(group) < 2 for group in self.exclusive or ()):
            raise ValueError("a group of exclusive needs two classes or more")
        twice = sorted({number for number in listed if listed.count(number) > 1})
        if twice:
            raise ValueError(f"exclusive names class {twice[0]} twice; a class is in one group at most")
