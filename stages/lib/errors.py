"""The one error that means "the user's input is at fault"."""

from __future__ import annotations


class StageError(Exception):
    """Bad input: what is wrong, where it is, and how to mend it; commands exit 2 on it, without a traceback.

    Args:
        what: the fault in one sentence.
        where: file, line, key or artifact in which it stands.
        fix: what the user can do about it.
    """

    def __init__(self, what: str, where: str = "", fix: str = "") -> None:
        super().__init__(what, where, fix)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        parts = [f"{self.where}: {self.what}" if self.where else self.what]
        if self.fix:
            parts.append(f"Mend it: {self.fix}")
        return " ".join(part if part.endswith((".", "!", "?")) else part + "." for part in parts)
