from __future__ import annotations

from pathlib import Path

from stages.index.__main__ import main
from stages.lib.config.sheets import SHEET_COLUMNS


def sheet(folder: Path, kind: str, files: list[str], rows: str, *more: str) -> list[tuple[str, ...]]:
    for file in files:
        (folder / "videos" / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / "videos" / file).touch()
    (folder / "val.csv").write_text(rows)
    out = folder / "sheet.tsv"
    words = [
        "sheet",
        "--format",
        kind,
        "--videos",
        str(folder / "videos"),
        "--annotations",
        f"val={folder / 'val.csv'}",
    ]
    assert main([*words, *more, "--out", str(out)]) == 0
    lines = [tuple(line.split("\t")) for line in out.read_text().splitlines()]
    assert lines[0] == SHEET_COLUMNS
    return lines[1:]


def test_ava_files_are_found_by_id_and_absent_ones_listed(tmp_path: Path) -> None:
    rows = "-5KQ66BBWC4,0902,0.1,0.1,0.2,0.2,12,1\n__x,0902\ngone,0903\n"
    found = sheet(
        tmp_path, "ava", ["-5KQ66BBWC4.mkv", "sub/__x.webm", "unrelated.mp4"], rows, "--start", "900"
    )
    assert found == [
        ("-5KQ66BBWC4", "-5KQ66BBWC4.mkv", "val", "900.0"),
        ("__x", "sub/__x.webm", "val", "900.0"),
        ("gone", "", "val", "900.0"),
    ]


def test_kinetics_clips_are_found_flat_and_per_class(tmp_path: Path) -> None:
    files = [
        "a_b_000100_000110.mp4",
        "dancing/a_b_000300_000310.mp4",
        "-x_000000_000010.mp4",
        "a_b_000500_000510.mp4",
    ]
    rows = "a_b,105.5\na_b,304.25\n-x,5.016949\na_b,700.5\n"
    assert sheet(tmp_path, "ava-kinetics", files, rows) == [
        ("-x", "-x_000000_000010.mp4", "val", "0.0"),
        ("a_b", "a_b_000100_000110.mp4", "val", "100.0"),
        ("a_b", "dancing/a_b_000300_000310.mp4", "val", "300.0"),
        ("a_b", "", "val", "695.5"),
    ]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    words = [
        "sheet",
        "--format",
        "ava",
        "--videos",
        str(tmp_path / "no"),
        "--annotations",
        "val=x.csv",
        "--out",
        "o.tsv",
    ]
    assert main(words) == 2
