"""Checks of what lies on disk before a run: files the user names, and settings of an earlier run nobody remembers."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from stages.lib.config.origins import with_parents
from stages.lib.config.root import Config
from stages.lib.errors import StageError


def with_shortcuts(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The raw configuration with `boxes: FILE` and `every: SECONDS` of the top level put where they belong.

    They go to every data set of format videos: `boxes` takes the place of the detector, which `--config` alone could not
    remove, and `every` that of `keyframes_every`.

    Raises:
        StageError: there is no such data set.
    """
    placed = {key: value for key, value in raw.items() if key not in ("boxes", "every")}
    given: dict[str, Any] = {}
    if raw.get("boxes") is not None:
        given |= {"detector": None, "boxes": raw["boxes"]}
    if raw.get("every") is not None:
        given["keyframes_every"] = raw["every"]
    if not given or not isinstance(raw.get("datasets"), Mapping):
        return placed
    own = {name: {**data, **given} for name, data in raw["datasets"].items() if _is_own(data)}
    if not own:
        word, key = ("boxes", "boxes") if "boxes" in given else ("every", "keyframes_every")
        fix = f"use it with configs/own-videos.yaml, or name it under datasets.<key>.{key}"
        raise StageError(f"{word} is given, but no data set is of format videos", f"--config {word}", fix)
    placed["datasets"] = {**raw["datasets"], **own}
    return placed


def _is_own(data: object) -> bool:
    return isinstance(data, Mapping) and data.get("format") == "videos"


def check_given(config: Config) -> None:
    """Every file and folder that the configuration names and this run reads exists.

    Raises:
        StageError: the first that does not, with its key; weights of the playground's run name the command for them.
    """
    for key, path, is_folder in given_paths(config):
        found = Path(path)
        if found.is_dir() if is_folder else found.is_file():
            continue
        what = f"{path}: no such {'folder' if is_folder else 'file'}"
        raise StageError(what, key, _mend(found))


def given_paths(config: Config) -> Iterator[tuple[str, str, bool]]:
    """(key, path, whether a folder is meant) of all user files that this run reads."""
    for name, data in config.datasets.items():
        where = f"datasets.{name}"
        plain = (
            ("sheet", data.sheet),
            ("included", data.included),
            ("labelmap", data.labelmap),
            ("kinds", data.kinds),
            ("boxes", data.boxes),
        )
        yield from ((f"{where}.{key}", path, False) for key, path in plain if path)
        for table in ("annotations", "excluded", "classes"):
            paths: dict[str, str] = data.model_dump()[table]
            yield from ((f"{where}.{table}.{split}", path, False) for split, path in paths.items())
        folder = data.videos or (config.videos if data.format == "videos" else None)
        if folder:
            yield f"{where}.videos" if data.videos else "videos", folder, True
    yield from _given_weights(config)
    for name, ensemble in config.ensembles.items():
        yield from ((f"ensembles.{name}.csv.{member}", path, False) for member, path in ensemble.csv.items())
        if ensemble.weights_from:
            yield f"ensembles.{name}.weights_from", ensemble.weights_from, False


def _given_weights(config: Config) -> Iterator[tuple[str, str, bool]]:
    """Weights files of the networks in use."""
    for key in config.detectors_in_use:
        weights = config.detectors[key].weights
        if weights:
            yield f"detectors.{key}.weights", weights, False
    for key in with_parents(config):
        weights = config.backbones[key].weights
        if weights:
            yield f"backbones.{key}.weights", weights, False
    yield from (
        (f"heads.{key}.weights", head.weights, False) for key, head in config.heads.items() if head.weights
    )


def _mend(path: Path) -> str:
    if path.parts[:2] == ("results", "playground"):
        return "`make demo` makes it; or name weights of your own under that key"
    return "correct the path, which counts from the folder in which snakemake runs"


def check_records(results: Path, records: Path, expected: Callable[[str, str], str | None]) -> None:
    """Refuse settings that differ from those of an earlier run of which Snakemake holds no record.

    Snakemake notices changed settings by its records in `.snakemake`. Where these are gone (a copied tree), results of
    other settings would silently pass for results of these. `expected(stage, variant)` is the text that the file
    `config/<stage>/<variant>.json` has to hold, None when this configuration has no such variant.

    Raises:
        StageError: such a file, with the command that mends it.
    """
    if (records / "metadata.db").exists():
        return
    for path in sorted((results / "config").glob("*/*.json")):
        text = expected(path.parent.name, path.stem)
        if text is None or path.read_text(encoding="utf-8").strip() == text:
            continue
        if not (records / "metadata" / urlsafe_b64encode(str(path).encode()).decode()).exists():
            what = "holds other settings than asked for, and Snakemake's records of that run (.snakemake) are gone"
            raise StageError(
                what, str(path), f"remove it (rm {path}): what was made with it is then made anew"
            )
