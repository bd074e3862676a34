"""Frame mAP, the metric of AVA and AVA-Kinetics.

On csv files, without a pipeline:
  python -m stages.evaluate --groundtruth GT.csv --detections DET.csv --labelmap L.pbtxt
      [--exclusions EX.csv] [--dialect official|2020|pyslowfast|strict] --out metrics.json
On the artifacts of a run, many combinations at once:
  python -m stages.evaluate --config C.json --index DATASET=FILE... --predictions DATASET=FILE...
      [--views all s256] [--boxsets detected truth] [--splits val test] --out-dir DIR
Why a model's score is what it is (causes of errors, what-ifs, doubtful annotations):
  python -m stages.evaluate errors --config C.json --index DATASET=FILE... --predictions DATASET=FILE... --out F
Person boxes of the detectors (AP@50):
  python -m stages.evaluate persons --config C --index DATASET=FILE... --detections DATASET=FILE... --out F
Add --help to any of them for all flags.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from stages.evaluate import errors_command, persons_command, plain_command, run_command


def main(argv: Sequence[str] | None = None) -> int:
    """Choose the command by its first word or by --groundtruth; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    if given[:1] == ["persons"]:
        return persons_command.main(given[1:])
    if given[:1] == ["errors"]:
        return errors_command.main(given[1:])
    if any(word.split("=")[0] == "--groundtruth" for word in given):
        return plain_command.main(given)
    if not given or given[0] in ("-h", "--help"):
        print(__doc__)
        return 0 if given else 2
    return run_command.main(given)


if __name__ == "__main__":
    raise SystemExit(main())
