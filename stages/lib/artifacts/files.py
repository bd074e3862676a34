"""Artifacts are written by `stages.lib.files`, as weights are; stages find its functions here, beside the artifacts."""

from __future__ import annotations

from stages.lib.files import (
    atomic_path,
    file_sha,
    fsync_dir,
    write_bytes,
    write_json,
    write_text,
    writing,
)

__all__ = ["atomic_path", "file_sha", "fsync_dir", "write_bytes", "write_json", "write_text", "writing"]
