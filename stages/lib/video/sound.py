"""Putting a file's sound beside newly written frames, with PyAV. Not to be imported in one process with decord.

Sound that mp4 players know is copied as it is; any other is encoded as AAC.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av

COPIED: Final = ("aac", "mp3", "mp3float", "opus", "libopus")
_AAC_RATES: Final = (44_100, 48_000)


def add_sound(silent: Path, source: Path, target: Path) -> str | None:
    """Write the frames of `silent` (mp4) with the first sound of `source` into `target`; where there is none, write nothing.

    Time zero of the frames is the first frame of `source`. Returns None when nothing was written because there is no sound;
    else an empty text, or what is wrong with the sound, which then ends early.
    """
    with av.open(str(source)) as given, av.open(str(silent)) as frames:
        if not given.streams.audio:
            return None
        notes: list[str] = []
        first, end = _first_frame(source), _seconds(frames.streams.video[0].duration, frames.streams.video[0])
        with av.open(str(target), "w", format="mp4", options={"movflags": "+faststart"}) as out:
            pictures = out.add_stream_from_template(frames.streams.video[0])
            stream = given.streams.audio[0]
            if stream.codec_context.name in COPIED:
                sound: Any = out.add_stream_from_template(stream)
                packets = _copied(given, stream, sound, first)
            else:
                rate = stream.rate if stream.rate in _AAC_RATES else _AAC_RATES[1]
                sound = out.add_stream("aac", rate=rate)
                sound.layout = "mono" if stream.codec_context.channels == 1 else "stereo"
                packets = _encoded(given, stream, sound, first)
            both = heapq.merge(
                _moved(frames, pictures), _until(packets, end, notes), key=lambda item: item[0]
            )
            for _, packet in both:
                out.mux(packet)
        return " ".join(notes)


def _first_frame(source: Path) -> float:
    """Time of the earliest frame in the file, seconds."""
    with av.open(str(source)) as file:
        stream = file.streams.video[0]
        times: list[int] = []
        with suppress(av.FFmpegError, OSError):  # the frames before damage were drawn
            for packet in file.demux(stream):
                times += [packet.pts] if packet.pts is not None and packet.size else []
        return _seconds(min(times), stream) if times else 0.0


def _seconds(stamp: int | None, stream: Any) -> float:
    return float((stamp or 0) * stream.time_base)


def _moved(container: Any, target: Any) -> Iterator[tuple[float, Any]]:
    """(seconds, packet) of the frames, as packets of the target stream."""
    stream = container.streams.video[0]
    for packet in container.demux(stream):
        if packet.dts is not None:
            seconds = _seconds(packet.dts, stream)
            packet.stream = target
            yield seconds, packet


def _copied(container: Any, stream: Any, target: Any, first: float) -> Iterator[tuple[float, Any]]:
    """(seconds, packet) of the sound from the first frame on."""
    shift = round(first / stream.time_base)
    for packet in container.demux(stream):
        if packet.pts is None or packet.pts < shift or not packet.size:
            continue
        packet.pts, packet.dts = packet.pts - shift, packet.pts - shift
        seconds = _seconds(packet.pts, stream)
        packet.stream = target
        yield seconds, packet


def _encoded(container: Any, stream: Any, target: Any, first: float) -> Iterator[tuple[float, Any]]:
    """(seconds, packet) of the sound from the first frame on, encoded anew."""
    resampler = av.AudioResampler(format="fltp", layout=target.layout, rate=target.rate)
    fifo, position = av.AudioFifo(), None
    size = target.codec_context.frame_size or 1024
    for frame in container.decode(stream):
        seconds = frame.time - first
        if seconds < 0:
            continue
        position = round(seconds * target.rate) if position is None else position
        frame.pts = None
        for part in resampler.resample(frame):
            part.pts = None
            fifo.write(part)
        for part in fifo.read_many(size):
            yield from _packets(target, part, position)
            position += part.samples
    rest = fifo.read(0, partial=True) if position is not None else None
    if rest is not None and position is not None:
        yield from _packets(target, rest, position)
    for packet in target.encode(None):
        yield _seconds(packet.pts, packet), packet


def _packets(target: Any, frame: Any, position: int) -> Iterator[tuple[float, Any]]:
    frame.pts, frame.time_base = position, Fraction(1, target.rate)
    for packet in target.encode(frame):
        yield _seconds(packet.pts, packet), packet


def _until(packets: Iterator[tuple[float, Any]], end: float, notes: list[str]) -> Iterator[tuple[float, Any]]:
    """The packets up to the end of the frames, or to the first damage, of which a note is taken."""
    try:
        for seconds, packet in packets:
            if seconds >= end:
                return
            yield seconds, packet
    except (av.FFmpegError, OSError, ValueError) as error:
        notes.append(f"(its sound is damaged and ends early: {getattr(error, 'strerror', None) or error})")
