"""``gns-py signalling serve``: logins of each kind, ICE servers, TLS, wrong usage, and its end."""

from __future__ import annotations

import asyncio
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import Peer
from support.signalling import next_signal, raw_client

from gns_py import Identity
from gns_py.certs import Authority
from gns_py.p2p.signalling import SignallingRefused, SignallingUnavailable, WebSocketSignalling

pytest.importorskip("websockets.asyncio")

Start = Callable[..., Peer]
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "tokens.txt"
    path.write_text("token-a str:alice\ntoken-b str:bob\n", encoding="utf-8")
    return path


def url_of(program: Peer) -> str:
    return program.line(20.0).removeprefix("listening on ")


def test_tokens(start: Start, tokens: Path) -> None:
    async def main(url: str) -> None:
        async with (
            WebSocketSignalling(url, token="token-a") as alice,
            WebSocketSignalling(url, token="token-b") as bob,
        ):
            room = await alice.create_room(capacity=9)
            assert room.capacity == 3
            await bob.join(room.name)
            await bob.send(alice.identity, b"hello")
            assert (await next_signal(alice)).sender == Identity.string("bob")
            assert alice.ice_servers is None
        with pytest.raises(SignallingRefused):
            await WebSocketSignalling(url, token="token-c").__aenter__()

    with start("signalling", "serve", "--port", 0, "--tokens", tokens, "--max-capacity", 3) as program:
        asyncio.run(main(url_of(program)))
        program.interrupt()
        assert program.wait() == 130
        assert program.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="has no SIGTERM")
def test_sigterm(start: Start, tokens: Path) -> None:
    with start("signalling", "serve", "--port", 0, "--tokens", tokens) as program:
        url = url_of(program)

        async def main() -> None:
            async with WebSocketSignalling(url, token="token-a") as alice:
                program.process.send_signal(signal.SIGTERM)
                assert await asyncio.to_thread(program.wait) == 0
                while alice.is_connected:
                    await asyncio.sleep(0.01)

        asyncio.run(main())
        assert program.line() == "stopped"
        assert program.stderr == ""


def test_ice_servers(start: Start, tokens: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("north\n", encoding="utf-8")

    async def main(url: str) -> None:
        async with WebSocketSignalling(url, token="token-a") as alice:
            servers = alice.ice_servers
            assert servers is not None
            assert (servers.stun, servers.policy) == (("stun.example.org:3478",), "relay")
            assert [each.address for each in servers.turn] == ["turn.example.org:3478", "[2001:db8::1]:3478"]
            assert servers.turn[0].username.endswith(":str:alice")

    turn = ["--turn", "turn.example.org:3478", "--turn", "[2001:db8::1]:3478", "--turn-secret", secret]
    options = ["--stun", "stun.example.org:3478", *turn, "--policy", "relay"]
    arguments = "--port", 0, "--tokens", tokens, *options
    with start("signalling", "serve", *arguments) as program:
        asyncio.run(main(url_of(program)))


def test_certificates(start: Start, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    authority = Authority.create()
    authority.root.save(tmp_path / "root")

    async def main(url: str) -> None:
        async with WebSocketSignalling(url, credentials=authority.issue("str:carol"), server_name="sig") as carol:
            assert carol.identity == Identity.string("carol")

    with start("signalling", "serve", "--port", 0, "--trust", tmp_path / "root", "--name", "sig") as program:
        asyncio.run(main(url_of(program)))


def test_a_function_for_logins_behind_a_proxy(tmp_path: Path) -> None:
    from websockets.exceptions import ConnectionClosedError

    (tmp_path / "dev.py").write_text("async def login(token):\n    return 'str:' + token\n", encoding="utf-8")
    program = """
        import os, runpy, sys

        os.chdir(sys.argv.pop())
        runpy.run_module("gns_py", run_name="__main__")
    """
    options = ["--port", 0, "--login", "dev:login", "--forwarded", "--connects-per-second", 0.01, "--all-reach-all"]

    async def main(url: str) -> None:
        for number in range(50):  # more than may come from one address
            headers = {"X-Forwarded-For": f"6.6.6.6, 10.0.0.{number}"}
            await log_in(url, headers)
        headers = {"X-Forwarded-For": "10.1.1.1"}
        for _ in range(40):
            await log_in(url, headers)
        with pytest.raises(ConnectionClosedError, match="1013"):
            await log_in(url, headers)

    async def log_in(url: str, headers: dict[str, str]) -> None:
        async with raw_client(url, additional_headers=headers) as raw:
            assert await raw.log_in("alice") == Identity.string("alice")

    with Peer(program, tmp_path, "signalling", "serve", *options, tmp_path) as running:
        asyncio.run(main(url_of(running)))


def test_tls(start: Start, tokens: Path, tmp_path: Path) -> None:
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "https.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def main(url: str) -> None:
        url = url.replace("127.0.0.1", "localhost")
        assert url.startswith("wss://")
        async with WebSocketSignalling(url, token="token-a", ssl=context) as alice:
            assert alice.is_connected
        with pytest.raises(SignallingUnavailable):
            await WebSocketSignalling(url, token="token-a").__aenter__()

    with start("signalling", "serve", "--port", 0, "--tokens", tokens, "--tls-cert", tmp_path / "https.pem") as program:
        asyncio.run(main(url_of(program)))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ("", "clients need a way to log in"),
        ("--tokens missing", "missing"),
        ("--tokens bad", "line 1: not a token"),
        ("--tokens good --login a:b", "either --tokens or --login"),
        ("--tokens good --turn t:1", "--turn needs --turn-secret"),
        ("--tokens good --turn t:1 --turn-secret empty", "is empty"),
        ("--tokens good --stun nowhere", "'nowhere' is not the address of a STUN server"),
        ("--tokens good --stun s:1 --policy relay", "needs a TURN server"),
        ("--tokens good --tls-key good", "--tls-key needs --tls-cert"),
        ("--tokens good --tls-cert good", "good: "),
        ("--trust good", "neither a certificate nor a request"),
        ("--login nowhere:function", "No module named"),
    ],
)
def test_wrong_usage(run: Run, tmp_path: Path, arguments: str, text: str) -> None:
    (tmp_path / "bad").write_text("alice", encoding="utf-8")
    (tmp_path / "good").write_text("token str:alice", encoding="utf-8")
    (tmp_path / "empty").write_text("\n", encoding="utf-8")
    result = run("signalling", "serve", "--port", 0, *arguments.split())
    assert (result.returncode, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    assert text in result.stderr
    assert result.stderr.startswith("gns-py signalling serve: error: ")


def test_a_certificate_needs_a_name(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("cryptography")
    Authority.create().root.save(tmp_path / "root")
    assert "--trust needs --name" in run("signalling", "serve", "--trust", "root").stderr


def test_a_port_that_is_taken(run: Run, start: Start, tokens: Path) -> None:
    with start("signalling", "serve", "--port", 0, "--tokens", tokens) as program:
        port = url_of(program).rpartition(":")[2]
        result = run("signalling", "serve", "--port", port, "--tokens", tokens)
        assert (result.returncode, result.stdout) == (1, "")
        assert "address already in use" in result.stderr.lower()
