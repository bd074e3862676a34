"""The page over all videos of a run: a still, the timeline and the files of each, and the reasons of those not drawn."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from stages.report.drawing import Drawn
from stages.report.html import Section, esc, page, table
from stages.report.videos import Moments


@dataclass(frozen=True)
class Card:
    """A drawn video: its name, the names of its files without suffix, what came of it, its people, and its timeline (svg)."""

    name: str
    output: str
    drawn: Drawn
    moments: Moments
    timeline: str


def contact_page(
    run: str, cards: Sequence[Card], skipped: Mapping[str, str], notes: Sequence[str], warnings: Sequence[str]
) -> str:
    """The self-contained html; links lead to the files beside it. `skipped` are reasons by name of the video."""
    said = "".join(f'<p class="warning">{esc(warning)}</p>' for warning in warnings)
    said += "".join(f'<p class="note">{esc(note)}</p>' for note in notes)
    files = "".join(
        f"<li><a href={name}>{name}</a>: {what}</li>"
        for name, what in (
            ("detections.csv", "every person and class, in AVA's form"),
            ("detections.json", "the same by video, keyframe and person, with the numbers of the actors"),
            ("boxes.csv", "all person boxes, in the form that boxes=FILE.csv reads"),
            ("skipped.csv", "videos that could not be drawn, with the reason"),
        )
    )
    sections = [Section("about", "This run", f"{said}<ul>{files}</ul>")]
    sections += [Section(f"v{place}", card.name, _body(card)) for place, card in enumerate(cards)]
    if skipped:
        rows = table(("video", "reason"), [(name, why) for name, why in skipped.items()], "not drawn")
        sections.append(Section("skipped", f"Not drawn ({len(skipped)})", rows))
    shown = f"{len(cards)} video{'s' if len(cards) != 1 else ''} drawn, {len(skipped)} not"
    return page(f"Actions in {run}", shown, sections)


def _body(card: Card) -> str:
    drawn, people = card.drawn, {a.number for actors in card.moments.actors for a in actors}
    width, height = drawn.size
    facts = [
        f"{width} × {height}",
        f"{drawn.rate:.4g} frames/s",
        f"{drawn.duration:.1f} s",
        "with sound" if drawn.has_sound else "no sound",
        f"{len(card.moments.seconds)} keyframes",
        f"{len(people)} actor{'s' if len(people) != 1 else ''}",
    ]
    still = base64.b64encode(drawn.still).decode()
    video, picture = quote(f"{card.output}.mp4"), quote(f"{card.output}.timeline.svg")
    note = f'<p class="warning">{esc(drawn.note)}</p>' if drawn.note else ""
    return (
        f'{note}<p class="note">{esc(" · ".join(facts))} · <a href="{video}">{esc(card.output)}.mp4</a> · '
        f'<a href="{picture}">timeline</a></p>'
        f'<figure><a href="{video}"><img alt="{esc(card.name)}" style="max-width:100%" '
        f'src="data:image/jpeg;base64,{still}"></a></figure><figure>{card.timeline}</figure>'
    )
