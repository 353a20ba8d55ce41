"""Certified ends: this process, and another one, which is told what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gns_py
from gns_py.certs import Certificate, Credentials

from .peer import Peer

if TYPE_CHECKING:  # it needs cryptography
    from .certificates import Issued

PROGRAM = Path(__file__).parent / "certified_peer.py"


class Other(Peer):
    """The other process."""

    def __init__(self, directory: Path) -> None:
        super().__init__(PROGRAM, directory)

    def __call__(self, do: str, **told: Any) -> Any:
        """Tell it to do something, and return its answer."""
        self.say(json.dumps({"do": do, **told}))
        answer = json.loads(self.line(20.0))
        assert not isinstance(answer, dict) or "error" not in answer, answer
        return answer

    def __enter__(self) -> Other:
        return self


def told(issued: Issued, *trust: bytes) -> dict[str, Any]:
    """Return a certificate and the roots as the other process is told them."""
    return {
        "certificate": issued.certificate.hex(),
        "private_key": issued.private_key.hex(),
        "trust": [each.hex() for each in trust],
    }


def start(issued: Issued, *trust: bytes, require_authentication: bool | None = None) -> None:
    """Start GNS in this process with a certificate."""
    credentials = Credentials(Certificate(issued.certificate), issued.private_key)
    gns_py.start(certificate=credentials, trust=trust, require_authentication=require_authentication)
