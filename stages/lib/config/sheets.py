"""Which videos a data set has and which shard each belongs to: known when the Snakefile is parsed."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from stages.lib.config.playground import CLIPS, MOVIES, playground_videos
from stages.lib.config.root import Config
from stages.lib.config.shards import allowed_shards, shard_count, shard_of, shards_with
from stages.lib.errors import StageError

EXTENSIONS: Final = frozenset(
    [
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".mpg",
        ".mpeg",
        ".ts",
        ".mts",
        ".m2ts",
        ".wmv",
        ".flv",
        ".3gp",
        ".ogv",
    ]
)
SHEET_COLUMNS: Final = ("video", "path", "split", "start")
_MANIFEST: Final = "video\tpath\tsplit\tstart\tname"
_VIDEO_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SPECIAL: Final = re.compile("[\\\\\t\n\r\udc80-\udcff]")
_ESCAPED: Final = re.compile(r"\\(x[0-9a-f]{2}|.)")
_LETTERS: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
_UNLETTERS: Final = {escape[1]: letter for letter, escape in _LETTERS.items()}


class Video(NamedTuple):
    """One file: id, path (empty: known to be missing), split, time of its first frame in the original (s), shown name.

    An AVA-Kinetics id may have several files; (video, start) tells them apart.
    """

    video: str
    path: str
    split: str
    start: float
    name: str


def dataset_shards(config: Config, key: str) -> dict[str, list[Video]]:
    """The videos of every shard of a data set by the shard's name, in order; a shard may be empty."""
    data = config.datasets[key]
    shards: dict[str, list[Video]] = {name: [] for name in shards_with(data)}
    parts = list(shards.values())
    allowed = {split: allowed_shards(data, split) for split in ("train", "val", "test", "")}
    for video, place in _placed(config, key):
        own = allowed[video.split]
        if not own:
            what = f"video {video.video} is of split {video.split}, which has no shards"
            raise StageError(what, f"datasets.{key}.split_shards", f"add `{video.split}: NUMBER`")
        if place is not None and place not in own:
            what = f"shard {place} of video {video.video} is not one of split {video.split}: {own[0]} to {own[-1]}"
            raise StageError(what, f"datasets.{key}.sheet", "correct the column shard, or split_shards")
        parts[own[shard_of(video.video, len(own))] if place is None else place].append(video)
    return shards


def manifest_text(videos: Sequence[Video]) -> str:
    """A shard's videos as tab-separated text with a header; tabs, newlines and backslashes are escaped."""
    rows = [f"{v.video}\t{_escape(v.path)}\t{v.split}\t{v.start!r}\t{_escape(v.name)}" for v in videos]
    return "\n".join([_MANIFEST, *rows]) + "\n"


def sheet_text(videos: Sequence[Video]) -> str:
    """A data-set sheet; paths relative to the folder `datasets.<key>.videos`, empty for videos that are missing."""
    rows = [f"{v.video}\t{_escape(v.path)}\t{v.split}\t{v.start!r}" for v in videos]
    return "\n".join(["\t".join(SHEET_COLUMNS), *rows]) + "\n"


def read_manifest(path: Path) -> list[Video]:
    """Read what `manifest_text` wrote; a file of another form is a StageError with its line."""
    lines = _lines(path)
    if not lines or lines[0] != _MANIFEST:
        raise StageError("not a manifest of videos", f"{path}:1", "remove it; snakemake writes it again")
    videos = []
    for number, line in _numbered(lines):
        cells = line.split("\t")
        if len(cells) != 5:
            raise StageError(
                f"{len(cells)} columns instead of 5",
                f"{path}:{number}",
                "remove it; snakemake writes it again",
            )
        start = _start(cells[3], f"{path}:{number}")
        videos.append(Video(cells[0], _unescape(cells[1]), cells[2], start, _unescape(cells[4])))
    return videos


def _placed(config: Config, key: str) -> list[tuple[Video, int | None]]:
    data = config.datasets[key]
    rows: list[tuple[Video, int | None]]
    if data.synthesized:
        rows = [(video, None) for video in _drawn(config, key)]
    elif data.format == "videos":
        rows = [(video, None) for video in _listed(data.videos or config.videos, key)]
    else:
        assert data.sheet is not None, "the configuration's checks ask for a sheet"
        rows = list(_sheet_rows(Path(data.sheet), (data.videos or ".").rstrip("/") or "/", shard_count(data)))
    return sorted(rows, key=lambda row: (row[0].video, row[0].start))


def _drawn(config: Config, key: str) -> Iterator[Video]:
    if key not in (MOVIES, CLIPS):
        raise StageError("no such drawn data set", f"datasets.{key}", f"call it {MOVIES} or {CLIPS}")
    for drawn in playground_videos(config.synthesize, key):
        if drawn.purpose == "annotated":
            path = f"results/{config.run}/synthesize/{key}/videos/{drawn.file}"
            yield Video(drawn.video, path, drawn.split, drawn.start, drawn.file)


def _listed(folder: str | None, key: str) -> Iterator[Video]:
    """The video files below a folder; hidden ones are left out."""
    where = f"datasets.{key}.videos"
    if folder is None:
        raise StageError("no folder of videos is given", where, "add --config videos=DIR")
    root = Path(folder)
    if not root.is_dir():
        raise StageError(f"{folder} is not a folder", where, "give the folder that holds the videos")
    found = [path for path in root.rglob("*") if path.suffix.lower() in EXTENSIONS and not path.is_dir()]
    shown = [path for path in found if not any(part.startswith(".") for part in path.relative_to(root).parts)]
    if not shown:
        raise StageError(
            f"no video files in {folder}",
            where,
            f"put files there that end in {' '.join(sorted(EXTENSIONS))}",
        )
    for path in shown:
        relative = path.relative_to(root).as_posix()
        name = relative.encode("utf-8", "backslashreplace").decode()
        yield Video(own_id(relative), path.as_posix(), "", 0.0, name)


def own_id(relative: str) -> str:
    """Id of a user's file: the slug of its name and eight hex digits of the sha256 of its relative path."""
    slug = re.sub(r"[^a-z0-9]+", "-", Path(relative).stem.lower()).strip("-")[:40].strip("-") or "video"
    return f"{slug}-{hashlib.sha256(os.fsencode(relative)).hexdigest()[:8]}"


def _sheet_rows(sheet: Path, root: str, n: int) -> Iterator[tuple[Video, int | None]]:
    lines = _lines(sheet)
    columns = tuple(lines[0].split("\t")) if lines else ()
    if columns not in (SHEET_COLUMNS, (*SHEET_COLUMNS, "shard")):
        raise StageError(
            "the header is not that of a data-set sheet",
            f"{sheet}:1",
            "write the tab-separated columns video path split start [shard]",
        )
    seen: dict[tuple[str, float], int] = {}
    for number, line in _numbered(lines):
        video, place = _sheet_row(line.split("\t"), len(columns), f"{sheet}:{number}", root, n)
        first = seen.setdefault((video.video, video.start), number)
        if first != number:
            raise StageError(
                f"video {video.video} with start {video.start:g} stands in line {first} already",
                f"{sheet}:{number}",
                "remove one",
            )
        yield video, place
    if not seen:
        raise StageError(
            "the sheet lists no videos", str(sheet), "write it with python -m stages.index sheet"
        )


def _sheet_row(cells: list[str], width: int, where: str, root: str, n: int) -> tuple[Video, int | None]:
    if len(cells) != width:
        raise StageError(
            f"{len(cells)} columns where the header has {width}", where, "separate the columns by tabs"
        )
    video, path, split = cells[0], _unescape(cells[1]) if "\\" in cells[1] else cells[1], cells[2]
    if not _VIDEO_ID.fullmatch(video):
        raise StageError(f"bad video id {video[:80]!r}", where, "use 1 to 64 letters, digits, _ and -")
    if split not in ("train", "val", "test"):
        raise StageError(f"unknown split {split[:40]!r}", where, "write train, val or test")
    full = path if path.startswith("/") or not path or root == "." else f"{root}/{path}"
    place = _shard_cell(cells[4], n, where) if width == 5 else None
    return Video(video, full, split, _start(cells[3], where), path or video), place


def _shard_cell(cell: str, n: int, where: str) -> int:
    if not cell.isascii() or not cell.isdigit() or int(cell) >= n:
        raise StageError(
            f"shard {cell[:20]!r} is not one of 0 to {n - 1}", where, "correct it, or datasets.<key>.shards"
        )
    return int(cell)


def _start(cell: str, where: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e7:
        raise StageError(
            f"start {cell[:20]!r} is no number of seconds",
            where,
            "give the original time of the first frame in seconds",
        )
    return value


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StageError(
            f"the list of videos cannot be read ({error})", str(path), "check the path and the file"
        ) from None
    return text.split("\n") if text else []


def _numbered(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The lines after the header with their numbers, without blank ones."""
    return ((number, line) for number, line in enumerate(lines[1:], start=2) if line)


def _escape(text: str) -> str:
    return _SPECIAL.sub(lambda m: _LETTERS.get(m[0]) or f"\\x{ord(m[0]) - 0xDC00:02x}", text)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(
        lambda m: chr(0xDC00 + int(m[1][1:], 16)) if len(m[1]) == 3 else _UNLETTERS.get(m[1], m[0]), text
    )
