"""What a check has found out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Findings:
    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: object, problem: str) -> None:
        if not holds:
            self.problems.append(problem)

    def expect_same(self, what: str, found: set[str], expected: set[str]) -> None:
        """The two sets are the same; else says which are too many, and which are missing."""
        self.expect(not found - expected, f"{what}: too many: {_some(found - expected)}")
        self.expect(not expected - found, f"{what}: missing: {_some(expected - found)}")

    def expect_only(self, what: str, found: set[str], allowed: set[str]) -> None:
        self.expect(not found - allowed, f"{what}: {_some(found - allowed)}")


def _some(names: set[str], most: int = 8) -> str:
    text = ", ".join(sorted(names)[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text
