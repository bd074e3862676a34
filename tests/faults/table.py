"""Writes docs/reliability.md: every fault, what is expected, what the tests saw, and which tests they are.

  python -m tests.faults.table JUNIT.xml...      from the results of any runs of pytest; the last result of a test counts

A test names its faults by `@pytest.mark.fault("F04", ...)`, and may say what it saw through `record_property("seen", ...)`.
"""

from __future__ import annotations

import argparse
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stages.lib.files import write_text
from tests.faults.listed import CUDA, FAULTS, Fault

OUT = Path("docs/reliability.md")


@dataclass(frozen=True)
class Result:
    """One test (without parameters): its faults, how it ended, why it was skipped, and what it saw."""

    test: str
    faults: tuple[str, ...]
    outcome: str
    why: str = ""
    seen: tuple[str, ...] = ()


def read_results(path: Path) -> list[Result]:
    """The results in a junit file of the tests that show a fault."""
    found = []
    for case in ET.parse(path).getroot().iter("testcase"):
        properties = [(one.get("name"), str(one.get("value"))) for one in case.iter("property")]
        faults = tuple(value for name, value in properties if name == "fault")
        if faults:
            skipped = case.find("skipped")
            failed = case.find("failure") is not None or case.find("error") is not None
            outcome = "failed" if failed else "passed" if skipped is None else "skipped"
            why = "" if skipped is None else str(skipped.get("message"))
            file = f"{str(case.get('classname')).replace('.', '/')}.py"
            seen = tuple(value for name, value in properties if name == "seen")
            found.append(Result(f"{file}::{case.get('name')}", faults, outcome, why, seen))
    return found


def page(results: Iterable[Result]) -> str:
    """The page; a fault without a result says so."""
    rows = [
        _row(number, fault, [one for one in results if number in one.faults])
        for number, fault in FAULTS.items()
    ]
    untried = [f"- {number}: {fault.untried}." for number, fault in FAULTS.items() if fault.untried]
    skipped = sorted({f"- `{_plain(one.test)}`: {one.why}." for one in results if one.outcome == "skipped"})
    return "\n".join(
        [
            "# Reliability",
            "",
            "Any stage can be killed at any moment, and the next run gives the bytes of an undisturbed one. A bad video costs",
            "only itself. Bad input ends with one paragraph that says what, where and how to mend it. Files of others run no",
            "code.",
            "",
            "Made by `make faults`, which runs the tests that are named here and writes down how they ended.",
            "",
            "| | fault | expected | seen | tests |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "S is about files that somebody else made.",
            "",
            "## Not tried",
            "",
            *untried,
            *(["", "Skipped where this page was made:", "", *skipped] if skipped else []),
            "",
            "## What is not deterministic on CUDA, and why",
            "",
            CUDA,
        ]
    )


def _row(number: str, fault: Fault, results: Sequence[Result]) -> str:
    names = sorted({_plain(one.test) for one in results})
    tests = "<br>".join(f"`{name.removeprefix('tests/')}`" for name in names)
    return f"| {number} | {fault.what} | {fault.expected} | {_seen(results)} | {tests} |"


def _seen(results: Sequence[Result]) -> str:
    counts = Counter(one.outcome for one in results)
    if not results:
        return "**not run**"
    words = [f"**{counts['failed']} failed**"] if counts["failed"] else []
    words += ["as expected"] if counts["passed"] and not counts["failed"] else []
    words += [text for one in results for text in one.seen]
    words += [f"{counts['skipped']} skipped"] if counts["skipped"] else []
    return "; ".join(dict.fromkeys(words))


def _plain(test: str) -> str:
    """A test's name without its parameters, which may be long."""
    return test.partition("[")[0]


def main(argv: Sequence[str] | None = None) -> int:
    """Write the page; exit code 1 when a test failed or a fault has none."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("junit", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args(argv)
    results = {one.test: one for path in args.junit for one in read_results(path)}
    write_text(args.out, page(list(results.values())))
    failed = sorted(one.test for one in results.values() if one.outcome == "failed")
    bare = sorted(set(FAULTS) - {number for one in results.values() for number in one.faults})
    print(
        f"{args.out}: {len(results)} tests, {len(failed)} failed, faults without a test: {', '.join(bare) or 'none'}"
    )
    return 1 if failed or bare else 0


if __name__ == "__main__":
    raise SystemExit(main())
