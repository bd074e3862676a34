"""H.264 in mp4 by PyAV; one encoder thread, so that equal drawings give equal bytes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import av
import cv2
import numpy as np

from stages.synthesize.shapes import Frame
from stages.synthesize.timeline import VideoFormat

_GOP = 60
_LONG_GOP = 250


def write_video(path: Path, form: VideoFormat, drawings: Iterable[tuple[Frame, int]], crf: int) -> int:
    """Encode drawings (H, W, 3) RGB, each held for its number of frames; returns the number of frames written."""
    count, last, frame = 0, None, None
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=form.rate, options=_options(form, crf))
        stream.width, stream.height, stream.pix_fmt = form.width, form.height, "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.time_base = 1 / form.rate
        for drawing, held in drawings:
            if frame is None or drawing is not last:
                frame, last = _video_frame(drawing, form), drawing
            for _ in range(held):
                frame.pts = count
                container.mux(stream.encode(frame))
                count += 1
        container.mux(stream.encode(None))
    return count


def _video_frame(drawing: Frame, form: VideoFormat) -> av.VideoFrame:
    """The drawing as a YUV 4:2:0 frame."""
    frame = av.VideoFrame(form.width, form.height, "yuv420p")
    frame.time_base = 1 / form.rate
    flat = cv2.cvtColor(drawing, cv2.COLOR_RGB2YUV_I420).reshape(-1)
    start = 0
    for number, plane in enumerate(frame.planes):
        width, height = (form.width, form.height) if number == 0 else (form.width // 2, form.height // 2)
        rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)  # type: ignore[call-overload]
        rows[:height, :width] = flat[start : start + width * height].reshape(height, width)
        start += width * height
    return frame


def _options(form: VideoFormat, crf: int) -> dict[str, str]:
    common = {"crf": str(crf), "threads": "1"}
    if form.long_gop:
        return {**common, "preset": "veryfast", "bf": "3", "g": str(_LONG_GOP), "sc_threshold": "0"}
    return {**common, "preset": "ultrafast", "bf": "0", "g": str(_GOP)}
