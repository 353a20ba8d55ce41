"""The file of tokens of ``gns-py signalling serve``."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .. import Identity, IdentityType
from .output import CommandError

_MAX_SIZE = 64 * 1024 * 1024


class Tokens:
    """Tokens and their identities. Only digests of the tokens are kept, so that no comparison takes longer for a guess.

    Args:
        identities: The identity of each token.
    """

    def __init__(self, identities: dict[str, Identity]) -> None:
        self._identities = {_digest(token): identity for token, identity in identities.items()}

    @classmethod
    def load(cls, path: Path) -> Tokens:
        """Return the tokens of a file: lines of a token, blanks, and an identity; those that begin with # are comments.

        Args:
            path: The file.

        Raises:
            CommandError: A line is something else, or a token is there twice.
            OSError: It cannot be read.
        """
        if path.stat().st_size > _MAX_SIZE:
            raise CommandError(f"{path} is too large")
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            raise CommandError(f"{path} is not UTF-8") from None
        found: dict[str, Identity] = {}
        for line_number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:  # messages do not show the line, which is a secret
                token, name = line.split(maxsplit=1)
                identity = Identity.parse(name.strip())
            except ValueError:
                raise CommandError(f"{path}, line {line_number}: not a token and an identity like str:alice") from None
            if identity.type in (IdentityType.INVALID, IdentityType.IP_ADDRESS):
                raise CommandError(f"{path}, line {line_number}: {identity} cannot be a client's identity")
            if token in found:
                raise CommandError(f"{path}, line {line_number}: the token is there already")
            found[token] = identity
        if not found:
            raise CommandError(f"{path} has no tokens")
        return cls(found)

    def identity(self, token: str) -> Identity | None:
        """Return the identity of a token; None if it is not one."""
        return self._identities.get(_digest(token))


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
