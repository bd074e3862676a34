"""Decode a shard's videos: clip frames at a constant rate, keyframes at native size, and which videos are broken."""

from __future__ import annotations

import argparse
import hashlib
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from stages.lib.artifacts.provenance import Provenance
from stages.lib.artifacts.reader import open_artifact
from stages.lib.artifacts.schemas import DECODE, INDEX
from stages.lib.artifacts.tables import Index
from stages.lib.artifacts.writer import write_artifact
from stages.lib.cli import parse, run_stage, stage_parser
from stages.lib.config.payloads import DecodePayload
from stages.lib.config.sheets import Video, read_manifest
from stages.lib.errors import StageError
from stages.lib.progress import track

_ENCODERS = 2
_log = logging.getLogger("acarflow")


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = stage_parser("decode", __doc__)
    parser.add_argument("--index", type=Path, required=True, help="index artifact of the shard")
    parser.add_argument("--manifest", type=Path, required=True, help="tsv of the shard's videos")
    parser.add_argument("--out", type=Path, required=True, help="decode artifact to write")
    return run_stage("decode", DecodePayload, parse(parser, argv), _work)


def _work(args: argparse.Namespace, payload: DecodePayload, text: str) -> dict[str, object]:
    from stages.decode.core import VideoResult, decode_video
    from stages.decode.store import DecodeStore
    from stages.decode.trees import open_source

    with open_artifact(args.index, INDEX) as artifact:
        index, mark = Index.read(artifact), artifact.fingerprint
    videos = read_manifest(args.manifest)
    _require_same(videos, index, args.manifest)
    origin = Provenance("decode", payload.version, text, {"index": mark, "videos": _videos_sha(videos)})
    results: list[VideoResult] = []
    relative = index.relative_seconds()
    with write_artifact(args.out, DECODE, origin) as writer, ThreadPoolExecutor(_ENCODERS) as pool:
        index.keyframes.write(writer)
        store = DecodeStore(writer)
        for row, video in enumerate(track(videos, len(videos), "decode")):
            path = Path(video.path) if video.path else None
            times = relative[index.keyframes.video == row]
            result = decode_video(
                partial(open_source, path, times, payload.decode.short_side, payload.tree_rate),
                times,
                payload.decode,
                payload.samplings,
                store,
                pool,
            )
            store.end_video()
            results.append(result)
            if result.reason:
                _log.warning("%s: %s: %s", video.name, result.status, result.reason)
        store.finish(results)
        if payload.keyframes_every is None:
            _check_share(videos, results, payload.decode.max_bad_fraction, args.manifest)
        counts = {"clip frames": store.frames, "MB": store.size // 1_000_000}
    usable = sum(result.usable for result in results)
    states = [result.status for result in results]
    return {
        "videos": len(videos),
        "broken": states.count("broken"),
        "missing": states.count("missing"),
        "with a reason": sum(bool(result.reason) for result in results),
        "keyframes": len(index.keyframes),
        "of them unusable": len(index.keyframes) - usable,
        **counts,
    }


def _require_same(videos: Sequence[Video], index: Index, manifest: Path) -> None:
    listed = [(video.video, video.start) for video in videos]
    if listed != list(zip(index.keyframes.video_ids, index.start.tolist(), strict=True)):
        raise StageError(
            "the index was made from another list of videos", str(manifest), "run index again, then decode"
        )


def _videos_sha(videos: Sequence[Video]) -> str:
    """What the shard's files hold, in one sha256; a file that cannot be read counts as absent."""
    from stages.decode.trees import source_sha
    from stages.lib.video.source import VideoError

    digest = hashlib.sha256()
    for video in videos:
        try:
            content = source_sha(Path(video.path)) if video.path else ""
        except (OSError, VideoError):
            content = ""
        digest.update(f"{video.video} {video.start!r} {content}\n".encode())
    return digest.hexdigest()


def _check_share(videos: Sequence[Video], results: Sequence[object], limit: float, manifest: Path) -> None:
    """Refuse a shard with too many bad files; videos that the sheet itself lists as missing do not count."""
    bad = [
        f"{video.name} ({result.reason})"  # type: ignore[attr-defined]
        for video, result in zip(videos, results, strict=True)
        if video.path and result.status != "ok"  # type: ignore[attr-defined]
    ]
    listed = sum(bool(video.path) for video in videos)
    if len(bad) > limit * listed:
        shown = ", ".join(bad[:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
        raise StageError(
            f"{len(bad)} of {listed} videos are broken or missing: {shown}",
            str(manifest),
            "restore the files, or raise decode.max_bad_fraction",
        )


if __name__ == "__main__":
    raise SystemExit(main())
