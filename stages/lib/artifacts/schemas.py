"""The closed list of artifact schemas: what stands in each file, in which type, shape and unit.

K keyframes, N boxes, V videos, F frames, S stored maps, C channels, h x w grid, A classes,
M members of an ensemble, or people shown.
`*` in a name stands for one part that varies: a grid (`8x16`), a view (`s256-flip`), a box set (`detected`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

import numpy as np

from stages.lib.errors import StageError


@dataclass(frozen=True)
class Array:
    """One dataset: numpy type (`f4`, `i8`, `u1`; `S` is UTF-8 text of any width), axes, meaning, a type allowed as well.

    An optional one is not in every file of the schema.
    """

    dtype: str
    axes: str
    doc: str
    also: str = ""
    optional: bool = False

    def fits(self, shape: tuple[int, ...]) -> bool:
        """Whether an array of this shape has the declared axes; a number among them is a fixed size."""
        names = self.axes.split(",")
        return len(names) == len(shape) and all(
            not name.isdigit() or int(name) == size for name, size in zip(names, shape, strict=True)
        )

    def holds(self, dtype: np.dtype[Any]) -> bool:
        """Whether a dataset of this type is as declared."""
        if self.dtype == "S":
            return dtype.kind == "S"
        return dtype == np.dtype(self.dtype) or (bool(self.also) and dtype == np.dtype(self.also))


@dataclass(frozen=True)
class Schema:
    """One kind of artifact and its datasets."""

    name: str
    version: int
    doc: str
    arrays: dict[str, Array] = field(default_factory=dict)

    def array(self, name: str) -> Array:
        """The declaration that `name` falls under."""
        parts = name.split("/")
        for pattern, declared in self.arrays.items():
            wanted = pattern.split("/")
            if len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted)):
                return declared
        raise StageError(
            f"dataset {name} is not part of schema {self.name} v{self.version}", name, "check the writer"
        )


_KEYFRAMES: Final = {
    "videos/id": Array("S", "V", "video ids, sorted"),
    "keyframes/video": Array("i4", "K", "row of videos/id; keyframes are sorted by (video, time)"),
    "keyframes/timestamp_ms": Array("i8", "K", "time in the original video, milliseconds"),
}
_BOXES: Final = {
    "row_splits": Array("i8", "K+1", "boxes of keyframe k are rows row_splits[k]:row_splits[k+1]"),
    "boxes": Array("f4", "N,4", "x1 y1 x2 y2 in [0, 1] of the frame"),
    "scores": Array("f4", "N", "detection score in [0, 1]"),
}
_GROUPS: Final = "number of the group of classes that share a softmax, 0 for none"

INDEX: Final = Schema(
    "index",
    1,
    "keyframes with their roles, and ground truth",
    {
        **_KEYFRAMES,
        "videos/split": Array("S", "V", "train, val or test; empty for own videos"),
        "videos/start": Array("f8", "V", "time of the file's first frame in the original video, seconds"),
        "videos/name": Array("S", "V", "file name as the user knows it"),
        "keyframes/roles": Array(
            "u1", "K", "bit 0 train (of any split), bit 1 eval, bit 2 bank, bit 3 excluded from both"
        ),
        "truth/row_splits": Array(
            "i8", "K+1", "truth boxes of keyframe k are rows row_splits[k]:row_splits[k+1]"
        ),
        "truth/boxes": Array("f4", "N,4", "unique person boxes, x1 y1 x2 y2 in [0, 1] of the frame"),
        "truth/labels": Array("u1", "N,A", "1 where the person does the action of that class"),
        "truth/person": Array("i4", "N", "person id of the csv, -1 where it has none"),
        "classes/id": Array("i4", "A", "official action ids, ascending"),
        "classes/name": Array("S", "A", "class names"),
        "classes/pose": Array(
            "u1", "A", f"{_GROUPS}; not there: AVA's poses (ids up to 14) are one", optional=True
        ),
    },
)
DECODE: Final = Schema(
    "decode",
    1,
    "JPEG frames at a constant rate around keyframes, keyframes at native size, and the fate of each video",
    {
        **_KEYFRAMES,
        "videos/status": Array("S", "V", "ok, broken or missing"),
        "videos/reason": Array("S", "V", "why a video is not ok; empty otherwise"),
        "videos/size": Array("i4", "V,2", "native width and height in pixels after rotation"),
        "videos/rate": Array("f8", "V", "native average frame rate in Hz"),
        "videos/duration": Array("f8", "V", "seconds from the first frame to the end of the last"),
        "videos/frames": Array("i8", "V", "frames that decoded"),
        "clip/row_splits": Array("i8", "V+1", "clip frames of video v"),
        "clip/frame": Array("i8", "F", "frame number at the constant rate, from the file's first frame"),
        "clip/offsets": Array("i8", "F+1", "bytes of a frame in clip/data"),
        "clip/data": Array("u1", "B", "JPEG bytes, one after the other"),
        "clip/size": Array("i4", "V,2", "width and height of the cached clip frames"),
        "key/offsets": Array(
            "i8", "K+1", "bytes of a keyframe in key/data; empty where it could not be decoded"
        ),
        "key/data": Array("u1", "B", "JPEG bytes of the keyframes, one after the other"),
        "key/size": Array("i4", "V,2", "width and height of the cached keyframes"),
        "videos/state": Array(
            "S", "V", "its status, or of one that is ok: cut off, too short, other rate, or ok", optional=True
        ),
        "videos/claimed_rate": Array(
            "f8", "V", "frame rate that the container claims in Hz, 0 where it claims none", optional=True
        ),
    },
)
DETECT: Final = Schema("detect", 1, "person boxes and scores per keyframe", {**_KEYFRAMES, **_BOXES})
EXTRACT: Final = Schema(
    "extract",
    2,
    "time-pooled slow+fast context maps per keyframe, a group per view",
    {
        **_KEYFRAMES,
        "views/*/grid": Array("i4", "K,2", "height and width of the keyframe's map; 0 0 where it has none"),
        "views/*/row": Array("i8", "K", "row in views/<view>/maps/<height>x<width>; -1 where it has none"),
        "views/*/size": Array(
            "i4", "K,2", "height and width of the view's frames in pixels; 0 0 without frames"
        ),
        "views/*/maps/*": Array("f2", "S,C,h,w", "context maps, slow channels first"),
    },
)
BANK: Final = Schema(
    "bank",
    1,
    "long-term memory per actor per second",
    {
        **_KEYFRAMES,
        **_BOXES,
        "vectors": Array("f2", "N,C", "pooled actor vectors (AFB)"),
        "grid": Array("i4", "N,2", "height and width of the actor's relation map (ACFB)"),
        "row": Array("i8", "N", "row in maps/<height>x<width> (ACFB)"),
        "maps/*": Array("f2", "S,C,h,w", "first-order actor-context relation maps (ACFB)"),
    },
)
PREDICT: Final = Schema(
    "predict",
    2,
    "action logits per box, a group per box set, a matrix per view",
    {
        **_KEYFRAMES,
        "classes/id": Array("i4", "A", "official action ids, ascending"),
        "classes/name": Array("S", "A", "class names"),
        "classes/pose": Array("u1", "A", _GROUPS),
        "boxsets/*/row_splits": _BOXES["row_splits"],
        "boxsets/*/boxes": _BOXES["boxes"],
        "boxsets/*/scores": _BOXES["scores"],
        "boxsets/*/logits/*": Array("f4", "N,A", "logits of one view", also="f2"),
    },
)
ENSEMBLE: Final = Schema(
    "ensemble",
    1,
    "fused probabilities per box and the weights they were fused with",
    {
        **_KEYFRAMES,
        "classes/id": Array("i4", "A", "official action ids, ascending"),
        "classes/name": Array("S", "A", "class names"),
        "members": Array("S", "M", "names of the members"),
        "weights": Array("f8", "M,A", "weight of each member for each class; columns sum to one"),
        "boxsets/*/row_splits": _BOXES["row_splits"],
        "boxsets/*/boxes": _BOXES["boxes"],
        "boxsets/*/scores": _BOXES["scores"],
        "boxsets/*/probabilities": Array("f4", "N,A", "fused probabilities"),
    },
)
ATTENTION: Final = Schema(
    "attention",
    1,
    "where the relations of a few people look: the last HR2O layer of one head, canonical view, no bank",
    {
        **_KEYFRAMES,
        **_BOXES,
        "head": Array("S", "H", "the head and its seed, one text"),
        "shown/box": Array("i4", "M", "row in boxes of the person whose relation is shown"),
        "shown/class_id": Array("i4", "M", "official id of the class whose score is shown"),
        "shown/class_name": Array("S", "M", "its name"),
        "shown/probability": Array("f4", "M", "its probability in the head's prediction, canonical view"),
        "shown/context": Array("i4", "M,2", "height and width of the context map"),
        "grid": Array("i4", "M,2", "height and width of the relation map"),
        "row": Array("i8", "M", "row in maps/<height>x<width>"),
        "maps/*": Array(
            "f2", "S,2,h,w", "what reading the others changes (a norm), and the relation's part of the logit"
        ),
    },
)
SCHEMAS: Final = {s.name: s for s in (INDEX, DECODE, DETECT, EXTRACT, BANK, PREDICT, ENSEMBLE, ATTENTION)}
