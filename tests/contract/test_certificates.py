"""Certificates in the course of time: trust that changes, revocation, renewal, and clocks that differ."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import support
from support import Api, echo
from support.certificates import HOUR, TestAuthority, requested_key
from support.certified import Other, start, told

import gns_py
from gns_py import CertificateRefused, ConnectFailed, EndReason
from gns_py.certs import Certificate

# ---- in the course of time -------------------------------------------------------------------------------------------


def test_a_root_that_is_added_lets_a_refused_client_in(
    api: Api, other: Other, authority: TestAuthority, unknown: TestAuthority
) -> None:
    start(authority.issue("str:server"), authority.root)
    other("start", **told(unknown.issue("str:alice"), unknown.root))
    with api.serve(echo, "127.0.0.1", 0, require_authentication=True) as server:
        assert other("connect", port=server.address.port)["code"] == 4003
        gns_py.set_trust([authority.root, Certificate(unknown.root)])
        assert other("connect", port=server.address.port)["echo"] == "hello"
        gns_py.set_trust([authority.root])
        assert other("again") == "again"
        assert other("connect", port=server.address.port)["code"] == 4003


def test_revoked_and_renewed_while_connected(api: Api, other: Other, authority: TestAuthority) -> None:
    start(authority.issue("str:server"), authority.root, require_authentication=True)
    first, second = authority.issue("str:alice"), authority.issue("str:alice")
    other("start", **told(first, authority.root))
    with api.serve(echo, "127.0.0.1", 0) as server:
        port = server.address.port
        assert other("connect", port=port)["echo"] == "hello"
        gns_py.set_revoked([first.key_id])
        assert other("again") == "again"  # it is for the application to close what is open
        assert [connection.remote_key for connection in server.connections] == [first.key]
        assert other("connect", port=port)["text"] == "the key of str:alice is revoked"
        other("renew", certificate=second.certificate.hex(), private_key=second.private_key.hex())
        assert other("again") == "again"
        assert other("connect", port=port)["echo"] == "hello"
        gns_py.set_revoked([])


def test_a_certificate_that_was_requested(api: Api, other: Other, authority: TestAuthority) -> None:
    start(authority.issue("str:server"), authority.root, require_authentication=True)
    other("start", identity="str:alice", trust=[authority.root.hex()])
    key = requested_key(bytes.fromhex(other("request")))
    with api.serve(echo, "127.0.0.1", 0) as server:
        assert other("connect", port=server.address.port)["text"].endswith("str:alice has no certificate")
        other("renew", certificate=authority.sign(key, "str:alice").hex())
        assert other("connect", port=server.address.port)["echo"] == "hello"
        other("renew", certificate=authority.sign(key, "str:alice", expires=2 * HOUR).hex())
        assert other("connect", port=server.address.port)["echo"] == "hello"


def test_a_certificate_of_its_own_that_has_expired(api: Api, authority: TestAuthority) -> None:
    issued = authority.issue("str:alice", expires=2)
    start(issued, authority.root)

    def is_refused() -> bool:
        try:
            api.connect("127.0.0.1", 9, wait=False).close()
        except CertificateRefused as error:
            return "has expired" in str(error)
        return False

    support.eventually(is_refused, 10.0, "the end of the certificate")
    with pytest.raises(CertificateRefused, match="has expired"):
        api.listen("127.0.0.1", 0)
    gns_py.renew(authority.sign(issued.key, "str:alice"))
    api.listen("127.0.0.1", 0).close()


# ---- clocks that differ ----------------------------------------------------------------------------------------------

# GNS asks this function for the time of day.
CLOCK = """
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

time_t time(time_t *out) {
    struct timeval now;
    gettimeofday(&now, 0);
    time_t shifted = now.tv_sec + atoi(getenv("CLOCK_SHIFT"));
    if (out) *out = shifted;
    return shifted;
}
"""


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a library by which the clock of another process differs from ours."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("needs Linux, and a C compiler")
    directory = tmp_path_factory.mktemp("clock")
    (directory / "clock.c").write_text(CLOCK)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", "clock.so", "clock.c"], cwd=directory, check=True)
    return directory / "clock.so"


@pytest.fixture
def at_another_time(
    clock: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[int], Other]]:
    """Yield a function that starts a process whose clock differs by this number of seconds."""
    with ExitStack() as stack:

        def begin(seconds: int) -> Other:
            with monkeypatch.context() as patch:
                patch.setenv("LD_PRELOAD", str(clock))
                patch.setenv("CLOCK_SHIFT", str(seconds))
                return stack.enter_context(Other(tmp_path_factory.mktemp("other")))

        yield begin


@pytest.mark.parametrize(
    ("shift", "created", "expires", "text"),
    [
        (-2 * HOUR, -4 * HOUR, -HOUR, r"Cert expired 36\d\d seconds ago"),
        (HOUR, HOUR // 2, 2 * HOUR, r"Cert is not valid for another 1[78]\d\d seconds"),
        (240, 200, HOUR, ""),
    ],
    ids=["expired", "not yet valid", "four minutes fast"],
)
@pytest.mark.parametrize("strict", ["server", "client"])
def test_clocks_that_differ(
    api: Api,
    authority: TestAuthority,
    at_another_time: Callable[[int], Other],
    strict: str,
    shift: int,
    created: int,
    expires: int,
    text: str,
) -> None:
    start(authority.issue("str:here", created=-5 * HOUR, expires=5 * HOUR), authority.root, require_authentication=True)
    other = at_another_time(shift)
    other("start", **told(authority.issue("str:other", created=created, expires=expires), authority.root))
    if strict == "server":
        with api.serve(echo, "127.0.0.1", 0) as server:
            there = other("connect", port=server.address.port)
        if text:
            assert there["code"] == EndReason.REMOTE_BAD_CERT
            assert re.search(text, there["text"])
        else:
            assert there["echo"] == "hello"
    elif text:
        with pytest.raises(ConnectFailed, match=text) as refused:
            api.connect("127.0.0.1", other("serve"))
        assert refused.value.code == EndReason.REMOTE_BAD_CERT
    else:
        api.connect("127.0.0.1", other("serve")).close()
