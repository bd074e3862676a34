"""Show what a run found.

One self-contained html page and the main table as text:
  python -m stages.report --config C.json --metrics NAME=FILE... [--persons FILE] [--histories NAME=FILE...]
      [--coverage DATASET=FILE... --coverage-classes DATASET=FILE...] [--benchmarks DIR] [--results DIR]
      [--weights FILE] [--configuration FILE]
      [--index DATASET=FILE... --decode DATASET=FILE... --scores DATASET=FILE...] [--attention DATASET=FILE...]
      --out-dir DIR
Where the relations of a few people look, for that page (--attention DATASET=FILE):
  python -m stages.report attention --config C.json --index FILE... --maps FILE... --predictions FILE...
      --weights FILE --name HEAD [--metrics FILE] --out FILE
Videos with boxes and actions drawn into them, and a csv of everything that was detected:
  python -m stages.report videos --config C.json --index FILE... --decode FILE... --predictions FILE...
      --manifest FILE... --out-dir DIR
Add --help to any of them for all flags.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Choose the command by its first word; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if not given or given[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if given else 2
    if given[0] == "videos":
        from stages.report import videos_command

        return videos_command.main(given[1:])
    if given[0] == "attention":
        from stages.report import attention_command

        return attention_command.main(given[1:])
    from stages.report import page_command

    return page_command.main(given)


if __name__ == "__main__":
    raise SystemExit(main())
