"""The results of a check."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Findings:
    """Facts and problems, in the order in which they were found."""

    facts: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def expect(self, holds: object, problem: str) -> None:
        """Add the problem unless the expectation holds."""
        if not holds:
            self.problems.append(problem)

    def expect_same(self, what: str, found: set[str], expected: set[str]) -> None:
        """Expect equal sets; otherwise name the surplus and the missing ones."""
        self.expect(not found - expected, f"{what}: surplus: {_some(found - expected)}")
        self.expect(not expected - found, f"{what}: missing: {_some(expected - found)}")

    def expect_only(self, what: str, found: set[str], allowed: set[str]) -> None:
        """Expect nothing but the allowed ones; otherwise name the others."""
        self.expect(not found - allowed, f"{what}: {_some(found - allowed)}")


def _some(names: set[str], most: int = 8) -> str:
    text = ", ".join(sorted(names)[:most])
    return f"{text} and {len(names) - most} more" if len(names) > most else text
