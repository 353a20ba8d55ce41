"""The examples, as the programs that they are."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support import PATIENCE, Peer, eventually
from support.meeting import skip_without_network
from support.relay import Relay

import gns_py.sync as gns

pytestmark = pytest.mark.clone

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
RUN = 'import runpy, sys\nrunpy.run_path(sys.argv.pop(1), run_name="__main__")\n'

Start = Callable[..., Peer]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    def start(name: str, *arguments: object) -> Peer:
        return Peer(RUN, tmp_path, EXAMPLES / name, *arguments)

    return start


def port_of(server: Peer) -> int:
    line = server.line()
    assert line.startswith("listening on 127.0.0.1:")
    return int(line.rpartition(":")[2])


def assert_ends_with_ctrl_c(program: Peer, *, is_lossy: bool = False) -> None:
    """is_lossy: the last packet of a client that has gone may be lost; then the server waits for it, and says so."""
    program.interrupt()
    assert program.wait(timeout=10.0 if is_lossy else 1.0) == 0
    assert_quiet(program, *["before all data is flushed"] * is_lossy)


def assert_quiet(program: Peer, *besides: str) -> None:
    # On a busy machine GNS may warn of having been slow; nothing else belongs there.
    allowed = ("performance", *besides)
    assert [line for line in program.stderr.splitlines() if not any(each in line.lower() for each in allowed)] == []


def assert_failed(program: Peer, said: str) -> None:
    """With exit code 1 and what is to be said, without a traceback."""
    assert program.wait() == 1
    assert said in program.stderr
    assert "Traceback" not in program.stderr


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_is_short_and_says_how_to_run_it(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") < 90
    assert f"python {path.name}" in (ast.get_docstring(ast.parse(source)) or "")


def test_there_are_all() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "chat.py",
        "echo_client.py",
        "echo_server.py",
        "lobby.py",
        "p2p_chat.py",
        "p2p_host_migration.py",
        "ping_statistics.py",
        "steady_counter.py",
        "test_my_netcode.py",
        "tick_server.py",
        "transaction_totals.py",
    }


def test_echo(start: Start) -> None:
    with start("echo_server.py", "127.0.0.1", 0) as server:
        port = port_of(server)
        with start("echo_client.py", "127.0.0.1", port, "one", "two words") as client:
            assert client.line().startswith("one    (")
            assert client.line().startswith("two words    (")
            assert "CONNECTED" in client.line()
            assert client.wait() == 0
            assert_quiet(client)
        assert server.line().endswith("connected")
        assert "that was all" in server.line()
        assert_ends_with_ctrl_c(server)


def test_echo_client_without_a_server(start: Start, listener: gns.ListenSocket) -> None:
    port = listener.address.port
    listener.close()
    with start("echo_client.py", "127.0.0.1", port) as client:
        assert_failed(client, "failed: ")


@pytest.mark.parametrize("loss", [0, 10])
def test_transaction_totals(start: Start, loss: int) -> None:
    with start("transaction_totals.py", "--port", 0, "--loss", loss) as server:
        port = port_of(server)
        in_all = 0
        for count in (3, 0, 200):
            in_all += count
            with start("transaction_totals.py", count, "--port", port, "--loss", loss) as client:
                assert client.line() == f"reported {count}; {in_all} in all"
                assert client.wait() == 0
                assert_quiet(client)
            assert server.line() == f"{count} transactions seen, {count} reported, {in_all} in all"
        assert_ends_with_ctrl_c(server, is_lossy=loss > 0)
    with start("transaction_totals.py", 1, "--port", port) as client:
        assert_failed(client, "CONNECTION_LOST")


def test_lobby(start: Start) -> None:
    with start("lobby.py", "--port", 0) as server:
        port = port_of(server)
        with start("lobby.py", "Ada", 42, "--port", port) as player:
            assert player.line() == "with []"
            assert player.wait() == 0
            assert_quiet(player)
        assert [server.line() for _ in range(3)] == ["Ada has joined", "Ada: 'jump'", "Ada has left with 42"]
        with start("lobby.py", "Bob", 1, "--version", 6, "--port", port) as player:
            assert_failed(player, "REJECTED, 1001: this is version 7, yours is 6: please update")
        assert_ends_with_ctrl_c(server)


def test_steady_counter(start: Start) -> None:
    with start("steady_counter.py", "--port", 0) as server, Relay(("127.0.0.1", port_of(server))) as relay:
        with start("steady_counter.py", 40, "--port", relay.port) as client:
            said = [client.line() for _ in range(3)]
            relay.is_cut = True
            while not said[-1].startswith("lost the connection to "):
                said.append(client.line())
            assert server.line().startswith("lost the connection to ")
            relay.is_cut = False
            while not said[-1].startswith("counted to "):
                said.append(client.line())
            assert [line for line in said if line.isdecimal()] == [str(number) for number in range(1, 41)]
            assert any(line.startswith("going on with ") for line in said)
            assert said[-1].startswith("counted to 40: ")
            assert client.wait() == 0
            assert_quiet(client)
        lines = [server.line()]
        while not lines[-1].startswith("counted to"):
            lines.append(server.line())
        assert lines[0].startswith("going on with ")
        assert lines[-1] == "counted to 40"
        assert_ends_with_ctrl_c(server)
    with start("steady_counter.py", 1, "--port", relay.port) as client:
        assert_failed(client, "CONNECTION_LOST")


@pytest.mark.skipif(sys.platform != "linux", reason="the store runs on Linux")
def test_failover() -> None:
    pytest.importorskip("redis")
    from support.store_servers import valkey_binary

    program = EXAMPLES / "failover" / "run.py"
    command: list[str | Path] = [sys.executable, program, "--count", "120", "--store", valkey_binary()]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60.0 * PATIENCE)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("counted to 120, and never wrong") == 3
    assert "0 of 3 players are wrong" in run.stdout
    assert run.stderr == ""


def test_login_service() -> None:
    for module in ("cryptography", "starlette", "trustme", "uvicorn"):
        pytest.importorskip(module)
    command: list[str | Path] = [sys.executable, EXAMPLES / "login_service" / "run.py"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60.0 * PATIENCE)
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("the first certificate has expired, and there is another one") == 2
    assert "4 of 4 impostors were refused" in run.stdout
    assert run.stderr == ""


def test_ping_statistics(start: Start) -> None:
    with start("ping_statistics.py", "serve", 0) as server:
        port = port_of(server)
        with start("ping_statistics.py", "ping", "127.0.0.1", port, 3) as client:
            assert [client.line().split(":")[0] for _ in range(3)] == ["0", "1", "2"]
            assert client.line().startswith("3 sent, 0 lost (0 %), quality ")
            assert client.line().startswith("min/avg/max/dev ")
            assert client.wait() == 0
            assert_quiet(client)
        assert server.line().endswith("connected")
        assert_ends_with_ctrl_c(server)
        with start("ping_statistics.py", "ping", "127.0.0.1", port, 1) as client:
            assert_failed(client, "failed: ")


def test_echo_server_tells_its_clients_that_it_ends(start: Start) -> None:
    with start("echo_server.py", "127.0.0.1", 0) as server, gns.connect("127.0.0.1", port_of(server)) as client:
        assert server.line().endswith("connected")
        assert_ends_with_ctrl_c(server)
        assert client.wait_closed(timeout=5.0).code == gns.EndReason.GOING_AWAY


def snapshot(client: gns.Connection) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(client.recv(timeout=5.0))
    return result


def test_tick_server(start: Start) -> None:
    with start("tick_server.py", "127.0.0.1", 0) as server:
        port = port_of(server)
        with gns.connect("127.0.0.1", port) as one, gns.connect("127.0.0.1", port) as two:
            assert "player 1 joined" in server.line()
            assert "player 2 joined" in server.line()
            for _ in range(3):
                one.send(b'{"dx": 1, "dy": 0}')
            two.send(b'{"dx": 0, "dy": -9}')  # a step is a step
            expected = {"1": [3, 0], "2": [0, -1]}
            eventually(lambda: snapshot(one)["players"] == expected, 5.0, "the snapshot with all steps")
            eventually(lambda: snapshot(two)["players"] == expected, 5.0, "the same for the other")

            begin = snapshot(one)["tick"], time.monotonic()
            while time.monotonic() < begin[1] + 1.0:
                last = snapshot(one)["tick"]
            assert 25 <= last - begin[0] <= 35

            two.send(b"not an input")
            end = two.wait_closed(timeout=5.0)
            assert (end.code, end.text) == (2000, "invalid input")
            assert "player 2 left" in server.line()
            eventually(lambda: snapshot(one)["players"] == {"1": [3, 0]}, 5.0, "the snapshot without the other")
            assert_ends_with_ctrl_c(server)
            one.wait_closed(timeout=5.0)


@pytest.fixture
def chat_port(start: Start) -> Iterator[tuple[Peer, int]]:
    with start("chat.py", "--port", 0) as server:
        yield server, port_of(server)


def test_chat(start: Start, chat_port: tuple[Peer, int]) -> None:
    server, port = chat_port
    with start("chat.py", "ann", "--port", port) as ann:
        assert server.line() == ann.line() == "* ann has joined"
        with start("chat.py", "bob", "--port", port) as bob, start("chat.py", "cid", "--port", port) as cid:
            others = {server.line(), server.line()}
            assert others == {"* bob has joined", "* cid has joined"}
            assert {ann.line(), ann.line()} == others
            eventually(lambda: "cid" in bob.line() or "cid" in cid.line(), 5.0, "that all are there")

            ann.say("hello \x1b[31meverybody")
            for program in (server, bob, cid):
                while (line := program.line()).startswith("*"):
                    pass
                assert line == "ann: hello [31meverybody"

            assert bob.process.stdin is not None
            bob.process.stdin.close()  # the end of its input
            assert bob.wait() == 0
            for program in (server, ann, cid):
                assert program.line() == "* bob has left"

            assert_ends_with_ctrl_c(cid)
            assert server.line() == ann.line() == "* cid has left"

        with start("chat.py", "ann", "--port", port) as impostor:
            assert_failed(impostor, "that name is taken")

        assert_ends_with_ctrl_c(server)
        assert ann.wait() == 0
        assert_quiet(ann)


def test_chat_without_a_server(start: Start, listener: gns.ListenSocket) -> None:
    port = listener.address.port
    listener.close()
    with start("chat.py", "ann", "--port", port) as client:
        assert_failed(client, "MISC_TIMEOUT")


@pytest.fixture
def signalling(tmp_path: Path) -> Iterator[str]:
    """Yield the URL of a signalling service, in which a token is a name with "secret-of-" before it."""
    pytest.importorskip("websockets.asyncio")
    skip_without_network()
    tokens = tmp_path / "tokens.txt"
    tokens.write_text("".join(f"secret-of-{name} str:{name}\n" for name in ("ann", "bob", "cid")), encoding="utf-8")
    program = 'import runpy\nrunpy.run_module("gns_py", run_name="__main__")\n'
    with Peer(program, tmp_path, "signalling", "serve", "--port", 0, "--tokens", tokens) as service:
        yield service.line(20.0).removeprefix("listening on ")


def lines_until(program: Peer, last: str) -> list[str]:
    """Return the lines up to the one that begins so."""
    lines = [program.line(30.0)]
    while not lines[-1].startswith(last):
        lines.append(program.line(30.0))
    return lines


# GNS warns that there is no STUN server: these peers need none.
WITHOUT_STUN = "p2p_stun_serverlist is empty"


def test_p2p_chat(start: Start, signalling: str) -> None:
    with start("p2p_chat.py", "secret-of-ann", "", signalling) as ann:
        _, _, code, host = ann.line(20.0).replace(", host ", " ").split()
        assert host == "str:ann"
        with start("p2p_chat.py", "secret-of-bob", code, signalling) as bob:
            said = lines_until(bob, "* str:ann is here")
            assert said[:2] == [f"* room {code}, host str:ann", "* found a route to str:ann: local"]
            lines_until(ann, "* str:bob is here")
            with start("p2p_chat.py", "secret-of-cid", code.lower(), signalling) as cid:
                for program in (ann, bob):
                    lines_until(program, "* str:cid is here")
                lines_until(cid, "* str:")  # ann or bob
                lines_until(cid, "* str:")
                ann.say("hello \x1b[31mall")
                for program in (bob, cid):
                    assert lines_until(program, "str:ann: ") == ["str:ann: hello [31mall"]
                cid.say("hello ann and bob")
                for program in (ann, bob):
                    assert program.line() == "str:cid: hello ann and bob"
                assert ann.process.stdin is not None
                ann.process.stdin.close()  # the end of its input: the host leaves
                assert ann.wait() == 0
                for program in (bob, cid):
                    assert {program.line(), program.line()} == {"* str:ann has left", "* str:bob is the host now"}
                cid.say("still here")
                assert bob.line() == "str:cid: still here"
                assert_quiet(ann, WITHOUT_STUN)
            assert bob.line(40.0) == "* str:cid has left"
    with start("p2p_chat.py", "secret-of-eve", code, signalling) as eve:
        assert_failed(eve, "token")


def test_p2p_host_migration(start: Start, signalling: str) -> None:
    game = "lobby", 1_000_000, signalling
    with start("p2p_host_migration.py", "secret-of-ann", *game) as ann:
        assert ann.line(30.0) == "hosts, and goes on from {'str:ann': 0}"
        with start("p2p_host_migration.py", "secret-of-bob", *game) as bob:
            assert bob.line(30.0) == "plays with str:ann"
            with start("p2p_host_migration.py", "secret-of-cid", *game) as cid:
                assert cid.line(30.0) == "plays with str:ann"
                ann.kill()
                bobs = score_of(lines_until(bob, "hosts, and")[-1])
                assert bobs.keys() >= {"str:ann", "str:bob"}
                lines_until(cid, "plays with str:bob")
                bob.interrupt()
                assert bob.wait() == 0
                cids = score_of(lines_until(cid, "hosts, and")[-1])
                assert cids.keys() == {"str:ann", "str:bob", "str:cid"}
                # The last score of a host that dies may reach one of the others only.
                assert all(cids[player] >= bobs[player] - 1 for player in bobs)
                cid.interrupt()
                assert cid.wait() == 0
                for program in (bob, cid):
                    assert_quiet(program, WITHOUT_STUN)
    with start("p2p_host_migration.py", "secret-of-ann", "elsewhere", 3, signalling) as ann:
        assert lines_until(ann, "counted") == ["hosts, and goes on from {'str:ann': 0}", "counted to 3: {'str:ann': 3}"]
        assert ann.wait() == 0


def score_of(line: str) -> dict[str, int]:
    score: dict[str, int] = ast.literal_eval(line.partition(" from ")[2])
    return score
