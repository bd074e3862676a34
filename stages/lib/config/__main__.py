"""Write configs/default.yaml and configs/schema.json from the models: `python -m stages.lib.config [FOLDER]`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from stages.lib.config.describe import default_yaml, schema_json


def main(argv: Sequence[str] | None = None) -> int:
    """Write both files into the folder and name them."""
    parser = argparse.ArgumentParser(prog="python -m stages.lib.config", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("configs"), help="where the files go")
    folder: Path = parser.parse_args(argv).folder
    for name, text in {"default.yaml": default_yaml(), "schema.json": schema_json()}.items():
        (folder / name).write_text(text, encoding="utf-8")
        print(folder / name)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
