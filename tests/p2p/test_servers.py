"""The options for ICE servers: resolved, and those that answer first."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone

import pytest

from gns_py import Address, Config
from gns_py.p2p import IceServers, Turn
from gns_py.p2p import servers as servers_module
from gns_py.p2p.servers import find_servers, options_for

REQUEST_TYPE, ANSWER_TYPE, REFUSAL_TYPE = b"\x00\x01", b"\x01\x01", b"\x01\x11"


class StunServer:
    """Answers binding requests, or not."""

    def __init__(self, answers: bytes | None, ignored: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self._answers, self._ignored = answers, ignored
        self.requests: list[bytes] = []
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            data, sender = self.socket.recvfrom(2048)
            if not data:
                return
            self.requests.append(data)
            if self._answers is not None and len(self.requests) > self._ignored:
                self.socket.sendto(self._answers + b"\x00\x00" + data[4:20], sender)

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", self.socket.getsockname())
        self._thread.join()
        self.socket.close()


@contextmanager
def stun_servers(*answers: bytes | None) -> Iterator[list[StunServer]]:
    with ExitStack() as stack:
        servers = [StunServer(each) for each in answers]
        for each in servers:
            stack.callback(each.close)
        yield servers


def find(servers: IceServers) -> Config:
    return asyncio.run(find_servers(servers))


def test_without_servers_only_the_kinds_of_routes_are_set() -> None:
    assert find(IceServers()) == Config(
        p2p_stun_server_list="",
        p2p_turn_server_list="",
        p2p_turn_user_list="",
        p2p_turn_pass_list="",
        p2p_transport_ice_enable=6,
    )


@pytest.mark.parametrize(("policy", "kinds"), [("all", 7), ("relay", 1), ("no-public-address", 3)])
def test_policies(policy: str, kinds: int) -> None:
    turn = [Turn("127.0.0.1:3478", "user", "password")]
    assert find(IceServers(turn=turn, policy=policy)).p2p_transport_ice_enable == kinds  # type: ignore[arg-type]


@pytest.mark.parametrize("answer", [ANSWER_TYPE, REFUSAL_TYPE])
def test_a_server_that_answers_goes_before_those_that_do_not(answer: bytes) -> None:
    with stun_servers(None, answer, None) as (first, second, third):
        found = find(IceServers(stun=[first.address, second.address, third.address]))
    others = sorted([first.address, third.address])
    assert found.p2p_stun_server_list is not None
    addresses = found.p2p_stun_server_list.split(",")
    assert addresses[0] == second.address
    assert sorted(addresses[1:]) == others
    assert second.requests[0][:2] == REQUEST_TYPE
    assert len(second.requests[0]) == 20


def test_a_request_that_is_lost_is_repeated() -> None:
    with stun_servers(None) as (dead,), ExitStack() as stack:
        slow = StunServer(ANSWER_TYPE, ignored=1)
        stack.callback(slow.close)
        found = find(IceServers(stun=[dead.address, slow.address]))
    assert found.p2p_stun_server_list == f"{slow.address},{dead.address}"


def test_credentials_go_with_their_servers() -> None:
    with stun_servers(None, ANSWER_TYPE) as (dead, alive):
        turn = [Turn(dead.address, "first", "secret 1"), Turn(alive.address, "second", "secret 2")]
        found = find(IceServers(turn=turn))
    assert found.p2p_turn_server_list == f"{alive.address},{dead.address}"
    assert found.p2p_turn_user_list == "second,first"
    assert found.p2p_turn_pass_list == "secret 2,secret 1"


def test_credentials_that_have_ended_are_left_out() -> None:
    ended = datetime.now(timezone.utc) - timedelta(seconds=1)
    turn = [Turn("127.0.0.1:1", "old", "secret", expires=ended), Turn("127.0.0.1:2", "new", "secret")]
    assert find(IceServers(turn=turn)).p2p_turn_server_list == "127.0.0.1:2"


def test_names_are_resolved_and_a_wrong_one_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    found = find(IceServers(stun=["wrong.invalid:3478", "localhost:3478"]))
    assert "127.0.0.1:3478" in (found.p2p_stun_server_list or "")
    assert "wrong" not in (found.p2p_stun_server_list or "")
    assert "wrong.invalid:3478 is left out" in caplog.text


def test_names_with_many_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(host: str, port: int) -> list[Address]:
        number = host.removeprefix("ice").removesuffix(".example.org")
        return [Address(f"{net}{number}:{each}", port) for net in ("::", "fd00::") for each in range(1, 200)] + [
            Address(f"127.0.{number}.{each}", port) for each in range(1, 200)
        ]

    probed: list[Address] = []

    async def probe(address: Address) -> Address | None:
        probed.append(address)
        return address if address.ip.version == 4 else None

    monkeypatch.setattr(servers_module, "resolve_in_executor", resolve)
    monkeypatch.setattr(servers_module, "_probe", probe)
    names = [f"ice{number}.example.org:3478" for number in range(1, 9)]
    found = find(IceServers(names, [Turn(each, f"user of {each}", "password") for each in names]))
    assert found.p2p_stun_server_list is not None
    assert found.p2p_turn_server_list is not None
    assert found.p2p_turn_user_list is not None
    stun, turn = found.p2p_stun_server_list.split(","), found.p2p_turn_server_list.split(",")
    assert len(stun) == len(turn) == 16  # the most that GNS takes
    assert all(each.startswith("127.0.") for each in stun + turn)
    users = [f"user of ice{each.split('.')[2]}.example.org:3478" for each in turn]
    assert found.p2p_turn_user_list.split(",") == users
    assert len(probed) <= 8 * 2 * 4


def test_long_credentials() -> None:
    turn = [Turn(f"127.0.0.1:{port}", str(port) * 100, str(port) * 50) for port in range(10_001, 10_009)]
    found = options_for([], [(Address("127.0.0.1", 10_001), each) for each in turn * 2], "all")
    assert found.p2p_turn_server_list is not None
    assert found.p2p_turn_user_list is not None
    assert len(found.p2p_turn_user_list) <= 4096  # the most that GNS takes
    assert found.p2p_turn_user_list.split(",") == [each.username for each in turn]
    assert found.p2p_turn_server_list.count(",") == 7


@pytest.mark.parametrize("address", ["0.0.0.0:3478", "[::]:3478"])
def test_addresses_that_gns_does_not_take_are_left_out(address: str, caplog: pytest.LogCaptureFixture) -> None:
    found = find(IceServers([address, "127.0.0.1:1"], [Turn(address, "user", "password")]))
    assert found.p2p_stun_server_list == "127.0.0.1:1"
    assert found.p2p_turn_server_list == found.p2p_turn_user_list == ""
    assert f"{address} is left out" in caplog.text


def test_a_forged_answer_does_not_count() -> None:
    class Forger(StunServer):
        def _serve(self) -> None:
            while True:
                data, sender = self.socket.recvfrom(2048)
                if not data:
                    return
                self.socket.sendto(ANSWER_TYPE + b"\x00\x00" + bytes(16), sender)

    with stun_servers(ANSWER_TYPE) as (honest,), ExitStack() as stack:
        forger = Forger(None)
        stack.callback(forger.close)
        found = find(IceServers(stun=[forger.address, honest.address]))
    assert found.p2p_stun_server_list == f"{honest.address},{forger.address}"
