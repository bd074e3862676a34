"""Films for the bench of decode, drawn and encoded, and the files that its command reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from stages.index.__main__ import main as index_main
from stages.lib.config.sheets import Video, manifest_text
from stages.lib.config.versions import VERSIONS

RATE = 30


def draw_film(path: Path, size: tuple[int, int], frames: int) -> Path:
    """An H.264 film of 30 frames a second: a camera that pans over a textured wall, with film grain."""
    width, height = size
    rng = np.random.default_rng(0)
    wall = _texture(rng, height + 64, width + 256)
    grain = rng.integers(-6, 7, (4, height, width, 1), np.int16)
    with av.open(str(path), "w") as file:
        stream: Any = file.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"preset": "veryfast", "crf": "23", "bf": "3", "g": "250"}
        for number in range(frames):
            x, y = int(128 + 127 * np.sin(number / 40)), int(32 + 31 * np.cos(number / 25))
            picture = np.clip(wall[y : y + height, x : x + width] + grain[number % 4], 0, 255).astype(
                np.uint8
            )
            file.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        file.mux(stream.encode())
    return path


def _texture(rng: np.random.Generator, height: int, width: int) -> NDArray[np.int16]:
    """Coloured noise (H,W,3) of several scales, the coarser the stronger."""
    total = np.full((height, width, 3), 128.0)
    for scale, strength in ((4, 10), (16, 25), (64, 40)):
        coarse = rng.uniform(-strength, strength, (height // scale + 2, width // scale + 2, 3))
        total += coarse.repeat(scale, 0).repeat(scale, 1)[:height, :width]
    return total.astype(np.int16)


def decode_words(folder: Path, film: Path, cfg: dict[str, object], sampling: dict[str, int]) -> list[str]:
    """The arguments of the decode command for one film with a keyframe each second; indexes it."""
    settings: dict[str, dict[str, object]] = {
        "index": {"version": VERSIONS["index"], "format": "videos", "keyframes_every": 1.0},
        "decode": {
            "version": VERSIONS["decode"],
            "decode": cfg,
            "samplings": [sampling],
            "keyframes_every": 1.0,
            "tree_rate": 30.0,
        },
    }
    for name, payload in settings.items():
        (folder / f"{name}.json").write_text(json.dumps(payload))
    (folder / "manifest.tsv").write_text(manifest_text([Video("film", str(film), "", 0.0, "film")]))
    manifest = ["--manifest", str(folder / "manifest.tsv")]
    index, out = str(folder / "index.h5"), str(folder / "decode.h5")
    assert index_main(["--config", str(folder / "index.json"), *manifest, "--out", index]) == 0
    return ["--config", str(folder / "decode.json"), *manifest, "--index", index, "--out", out]
