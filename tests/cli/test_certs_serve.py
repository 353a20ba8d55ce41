"""``gns-py certs serve``: a client asks for a certificate over HTTPS."""

from __future__ import annotations

import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support import Peer, eventually
from support.certificate_vectors import CERTIFICATES

from gns_py.certs import Authority, Certificate, CertificateRequest, verify
from gns_py.cli.certs_serve import IssuerServer, load_login
from gns_py.cli.output import CommandError

pytest.importorskip("cryptography")

REQUEST = CertificateRequest(Certificate(CERTIFICATES["leaf"]).key)


def login(token: str) -> str | None:
    if token == "broken":
        raise RuntimeError("a bug of the login")
    return {"token of alice": "str:alice", "token of mallory": "str:mallory", "token of a fool": "ip:1.2.3.4"}.get(
        token
    )


class Service:
    """A service that runs, and a client of it."""

    def __init__(self, server: IssuerServer, cafile: Path | None) -> None:
        self.server = server
        self._context = None if cafile is None else ssl.create_default_context(cafile=cafile)
        if self._context is not None:
            self._context.verify_flags |= ssl.VERIFY_X509_STRICT  # as from Python 3.13 on

    def ask(
        self, data: bytes | None = REQUEST.encode(), *, url: str = "", authorization: str = "Bearer token of alice"
    ) -> tuple[int, dict[str, Any]]:
        """Send a request, and return the status and the answer."""
        request = urllib.request.Request(url or self.server.url, data, {"Authorization": authorization})
        try:
            with urllib.request.urlopen(request, timeout=10, context=self._context) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture(params=["http", "https"])
def service(request: pytest.FixtureRequest, authority: Authority, tmp_path: Path) -> Iterator[Service]:
    """Yield a service that runs in a thread."""
    with IssuerServer(authority, login, timedelta(hours=1), "127.0.0.1", 0) as server:
        cafile = None
        if request.param == "https":
            cafile = tmp_path / "https.pem"
            cafile.write_text(server.use_tls())
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield Service(server, cafile)
        server.shutdown()
        thread.join()
    eventually(lambda: not any("process_request" in each.name for each in threading.enumerate()))


@pytest.fixture
def authority() -> Authority:
    return Authority.create()


def test_a_request_is_signed(service: Service, authority: Authority) -> None:
    issued: list[str] = []
    service.server.on_issued = issued.append
    status, answer = service.ask()
    assert status == 200
    certificate = Certificate.parse(answer["certificate"])
    assert verify(certificate, trust=[Certificate.parse(each) for each in answer["trust"]], identity="str:alice")
    assert certificate.key == REQUEST.key
    assert answer["expires"] == certificate.expires.isoformat()
    assert issued == [f"str:alice: key {REQUEST.key_id}"]
    authority.revoke(REQUEST.key_id)
    status, answer = service.ask()
    assert (status, "was revoked" in answer["error"]) == (403, True)


def test_the_key_of_another_player_is_refused(service: Service, authority: Authority) -> None:
    assert service.ask()[0] == 200
    status, answer = service.ask(authorization="Bearer token of mallory")
    assert (status, "of another identity" in answer["error"]) == (403, True)
    assert "alice" not in answer["error"]
    assert [str(each.identity) for each in authority.issued()] == ["str:alice"]
    assert service.ask()[0] == 200


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        ({"authorization": "Bearer another"}, 401),
        ({"authorization": "Bearer "}, 401),
        ({"authorization": "Basic token of alice"}, 401),
        ({"data": b""}, 400),
        ({"data": b"\xff" * 100}, 400),
        ({"data": bytes(8193)}, 413),
        ({"data": None}, 405),
        ({"url": "/elsewhere"}, 404),
        ({"authorization": "Bearer broken"}, 500),
        ({"authorization": "Bearer token of a fool"}, 500),
    ],
)
def test_anything_else_is_refused(
    service: Service, arguments: dict[str, Any], status: int, caplog: pytest.LogCaptureFixture
) -> None:
    if "url" in arguments:
        arguments = {"url": service.server.url.replace("/certificate", arguments["url"])}
    found, answer = service.ask(**arguments)
    assert found == status
    assert list(answer) == ["error"]
    assert "token of alice" not in caplog.text
    assert service.ask()[0] == 200  # it goes on


def test_silent_clients_and_noise_delay_no_one(service: Service) -> None:
    address = service.server.server_address[:2]
    with socket.create_connection(address) as silent, socket.create_connection(address) as noisy:  # type: ignore[arg-type]
        noisy.sendall(b"\x00\xffnoise\r\n\r\n")
        assert service.ask()[0] == 200
        silent.close()


def test_as_a_program(authority: Authority, tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    authority.save(folder)
    (tmp_path / "dev.py").write_text("def login(token):\n    return 'str:' + token\n")
    program = """
        import os, runpy, sys

        os.chdir(sys.argv.pop())
        runpy.run_module("gns_py", run_name="__main__")
    """
    arguments = "certs", "serve", "--ca", folder, "--login", "dev:login", "--port", 0, tmp_path
    with Peer(program, tmp_path, *arguments) as running:
        url = running.line().removeprefix("listening on ")
        assert str(folder / "https.pem") in running.line()
        context = ssl.create_default_context(cafile=folder / "https.pem")
        request = urllib.request.Request(url, REQUEST.encode(), {"Authorization": "Bearer bob"})
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            certificate = Certificate.parse(json.load(answer)["certificate"])
        assert str(certificate.identity) == "str:bob"
        assert "str:bob" in running.line()
        running.interrupt()
        assert running.process.wait(10) == 130


def test_ipv6(authority: Authority) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        server = IssuerServer(authority, login, timedelta(hours=1), "::1", 0)
    except OSError:
        pytest.skip("no IPv6 loopback")
    with server:
        server.use_tls()
        assert server.url == f"https://[::1]:{server.server_address[1]}/certificate"


@pytest.mark.parametrize("name", ["nowhere:login", "json:nothing", "json", "json:__name__", ":x", ""])
def test_a_login_that_is_not_a_function(name: str) -> None:
    with pytest.raises(CommandError, match="--login"):
        load_login(name)
    assert load_login("json:loads") is json.loads
