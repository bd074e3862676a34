"""What AVA-Kinetics costs at once, ten and a thousand times its size: writes the tables of docs/scale.md.

  python -m tests.studies.scale_study                     some minutes; the graphs are planned in a folder that is removed
  python -m tests.studies.scale_study --graphs FOLDER     takes graphs that are in FOLDER, and leaves there what it plans

The graphs are those that Snakemake makes of configs/ava-kinetics*.yaml (job_graph.py); how long a job takes is derived
(stage_costs.py); they are run in model time (model_time.py).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stages.lib.config.load import load_config
from stages.lib.files import write_text
from tests.studies.job_graph import given, grown, plan
from tests.studies.scale_tables import Run, page_tables
from tests.workflow.flow import read_config

BEGIN: Final = "<!-- scale-study -->"
END: Final = "<!-- /scale-study -->"
TIMES: Final = (1, 2, 5, 10)


def runs(graphs: Path) -> dict[str, Run]:
    """The planned runs: with given weights at each size, and both runs that train their networks."""
    whole = read_config("ava-kinetics")
    wanted = {f"given-{times}": given(grown(whole, times)) for times in TIMES}
    wanted |= {"tuned-1": whole, "grid-1": read_config("ava-kinetics-ensemble")}
    return {key: Run(load_config(raw), plan(raw, graphs / f"{key}.json")) for key, raw in wanted.items()}


def main(argv: Sequence[str] | None = None) -> int:
    """Plan, run in model time, and put the tables into the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--graphs", type=Path, help="folder of planned graphs")
    parser.add_argument("--page", type=Path, default=Path("docs/scale.md"))
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        tables = page_tables(runs(args.graphs or Path(folder)))
    print(tables)
    write_text(args.page, between(args.page.read_text(), tables))
    return 0


def between(page: str, tables: str) -> str:
    """The page with other tables between its marks.

    Raises:
        ValueError: the page lacks one of the marks.
    """
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{tables}\n{END}{after}"


if __name__ == "__main__":
    raise SystemExit(main())
