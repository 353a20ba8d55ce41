"""The login service of the examples answers as docs/guide/login.md says, and the schema there is GNS's."""

from __future__ import annotations

import base64
import contextlib
import importlib
import json
import re
import runpy
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import Peer
from support.certificate_vectors import CERTIFICATES

from gns_py import Identity
from gns_py.certs import Authority, Certificate, CertificateRequest, Credentials, verify

for module in ("cryptography", "starlette", "trustme", "uvicorn"):
    pytest.importorskip(module)

pytestmark = pytest.mark.clone

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "examples" / "login_service"
REQUEST = CertificateRequest(Certificate(CERTIFICATES["leaf"]).key)


class Service:
    """The service, which runs, and a client of it."""

    def __init__(self, folder: Path, peer: Peer, tokens: dict[str, str]) -> None:
        self.folder, self.peer, self.tokens = folder, peer, tokens
        self.url = peer.line().removeprefix("listening on ")
        self._context = ssl.create_default_context(cafile=folder / "web.pem")
        self._context.verify_flags |= ssl.VERIFY_X509_STRICT  # as from Python 3.13 on
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self._context)
        )

    def ask(
        self, data: bytes | None = REQUEST.encode(), *, scheme: str = "Bearer", token: str | None = None, path: str = ""
    ) -> tuple[int, dict[str, str], Any]:
        """Send a request, by default one of Alice, and return the status, the headers and the answer."""
        authorization = f"{scheme} {self.tokens['alice'] if token is None else token}"
        request = urllib.request.Request(self.url + path, data, {"Authorization": authorization})
        try:
            with self._opener.open(request, timeout=10.0) as answer:
                return answer.status, dict(answer.headers), json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), json.load(error)


Start = Callable[[], Service]


@pytest.fixture
def start(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Yield a function that starts another process of the service."""
    tokens = runpy.run_path(str(FOLDER / "run.py"))["prepare"](tmp_path)
    with contextlib.ExitStack() as stack:

        def start() -> Service:
            place = tmp_path_factory.mktemp("peer")
            peer = stack.enter_context(Peer(FOLDER / "service.py", place, tmp_path, "127.0.0.1:27015", 60))
            return Service(tmp_path, peer, tokens)

        yield start


@pytest.fixture
def service(start: Start) -> Service:
    return start()


def test_the_identity_is_the_one_that_the_service_knows(service: Service) -> None:
    claim = CertificateRequest(REQUEST.key, Certificate(CERTIFICATES["leaf"]).identity)
    for request in (REQUEST, claim):
        status, headers, answer = service.ask(request.encode())
        assert status == 200
        assert headers["cache-control"] == "no-store"
        trust = [Certificate.parse(each) for each in answer["trust"]]
        proved = verify(answer["certificate"], trust=trust, identity="str:player:alice")
        assert proved.certificate.key == REQUEST.key
        assert answer["expires"] == proved.certificate.expires.isoformat()
        game = Credentials.load(service.folder / "game.gns")
        assert answer["server"] == {
            "address": "127.0.0.1:27015",
            "identity": str(game.identity),
            "key": game.certificate.key.hex(),
        }
        verify(game.certificate, trust=trust)


def test_it_refuses(service: Service) -> None:
    for token, scheme in (("a guess", "Bearer"), ("", "Bearer"), (service.tokens["alice"], "Basic")):
        status, headers, answer = service.ask(token=token, scheme=scheme)
        assert (status, headers["www-authenticate"], answer) == (401, "Bearer", {"error": "the token is not valid"})
    assert service.ask(b"no request")[0] == 400
    assert service.ask(b"")[0] == 400
    assert service.ask(bytes(8 * 1024 + 1))[0] == 413
    assert service.ask(None)[0] == 405
    assert service.ask(path="s")[0] == 404

    assert service.ask()[0] == 200
    Authority.load(service.folder / "authority").revoke(CertificateRequest.parse(REQUEST.encode()).key_id)
    status, _, answer = service.ask()
    assert (status, "was revoked" in answer["error"]) == (403, True)


def test_no_one_gets_a_certificate_for_the_key_of_another(start: Start) -> None:
    """With one, Mallory could have Alice's key revoked, together with a key that is really Mallory's."""
    first, second = start(), start()
    assert first.ask()[0] == 200
    authority = Authority.load(first.folder / "authority")
    game = CertificateRequest(Credentials.load(first.folder / "game.gns").certificate.key)
    own = CertificateRequest(Certificate(CERTIFICATES["root"]).key)
    for service in (first, second):
        assert service.ask(own.encode(), token=service.tokens["mallory"])[0] == 200
        for taken in (REQUEST, game, CertificateRequest(authority.root.key)):
            status, _, answer = service.ask(taken.encode(), token=service.tokens["mallory"])
            assert (status, "of another identity" in answer["error"]) == (403, True)
            assert "alice" not in answer["error"]
    authority.revoke(Identity.string("player:mallory"))
    assert authority.revoked == {own.key_id}
    assert first.ask()[0] == second.ask()[0] == 200


def test_it_bounds_the_requests_of_an_account(service: Service) -> None:
    assert [service.ask()[0] for _ in range(21)] == [200] * 20 + [429]
    status, headers, answer = service.ask()
    assert (status, headers["retry-after"], answer) == (429, "60", {"error": "too many requests"})
    other = CertificateRequest(Certificate(CERTIFICATES["root"]).key).encode()
    assert service.ask(other, token=service.tokens["bob"])[0] == 200


def schema(text: str) -> Callable[[str], Any]:
    """Return a function that returns protobuf's class of a message in this schema."""
    descriptor_pb2: Any = pytest.importorskip("google.protobuf.descriptor_pb2")
    file = descriptor_pb2.FileDescriptorProto(name="schema.proto", package="page", syntax="proto2")
    for name, fields in re.findall(r"^message (\w+) {(.*?)^}", text, re.MULTILINE | re.DOTALL):
        message = file.message_type.add(name=name)
        for label, kind, field, number in re.findall(r"^ +(\w+) (\w+) (\w+) = (\d+);", fields, re.MULTILINE):
            made = message.field.add(name=field, number=int(number))
            made.label = getattr(made, f"LABEL_{label.upper()}")
            if kind.islower():
                made.type = getattr(made, f"TYPE_{kind.upper()}")
            else:
                made.type_name = f".page.{kind}"
    pool = importlib.import_module("google.protobuf.descriptor_pool").DescriptorPool()
    pool.Add(file)
    factory = importlib.import_module("google.protobuf.message_factory")
    return lambda name: factory.GetMessageClass(pool.FindMessageTypeByName(f"page.{name}"))


def test_a_certificate_that_is_made_by_the_schema_of_the_page_verifies(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    page = ROOT.joinpath("docs", "guide", "login.md").read_text(encoding="utf-8")
    message = schema(page.partition("```proto\n")[2].partition("```")[0])
    authority = Authority.create()
    authority.save(tmp_path / "ca")
    key = load_pem_private_key((tmp_path / "ca" / "ca.key").read_bytes(), None)
    assert isinstance(key, Ed25519PrivateKey)

    asked = message("Request").FromString(REQUEST.encode()).contents
    assert asked.key_type == 1
    now = int(time.time())
    values = {"key_type": 1, "key": asked.key, "created": now, "expires": now + 3600, "app_ids": [0]}
    contents = message("Contents")(**values, identity="str:player:42").SerializeToString()
    made = message("Signed")(contents=contents, issuer=authority.root.key_id, signature=key.sign(contents))
    body = base64.encodebytes(made.SerializeToString()).decode()
    text = f"-----BEGIN STEAMDATAGRAM CERT-----\n{body}-----END STEAMDATAGRAM CERT-----\n"
    proved = verify(text, trust=Certificate.load_all(tmp_path / "ca" / "ca.cert"), identity="str:player:42")
    assert proved.certificate.key == REQUEST.key
