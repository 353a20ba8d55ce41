"""ValkeyStore against MemoryStore, step by step: whatever is done, they answer the same."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, rule, run_state_machine_as_test
from support.stores import advanced, make_record, messages

from gns_py.session.store import Claim, Commit, MemoryStore, SessionStore, StoreError, Touch, ValkeyStore

if TYPE_CHECKING:
    from support.store_servers import Server

TTL = 600.0
LANES = st.integers(0, 2)
EPOCHS = st.sampled_from([1, 1, 1, 2, 3])
OWNERS = st.sampled_from([0, 0, 0, 1]).map(lambda number: bytes([number]) * 16)
NUMBERS = st.integers(0, 6)
BYTES = st.binary(max_size=5)
KEYS = st.sampled_from(["a", "{b}"])


class Stores(RuleBasedStateMachine):
    """Two stores with the same sessions, whose ids are different."""

    server: ClassVar[Server]
    sessions: Bundle[int] = Bundle("sessions")
    commits: Bundle[tuple[int, dict[str, Any]]] = Bundle("commits")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stores: list[SessionStore] = [
            MemoryStore(max_size=60),
            ValkeyStore(self.server.url, prefix=secrets.token_hex(4), timeout=10.0, max_size=60),
        ]
        self.ids: list[list[bytes]] = []
        for store in self.stores:
            self.loop.run_until_complete(store.open())

    def teardown(self) -> None:
        for store in self.stores:
            self.loop.run_until_complete(store.aclose())
        self.loop.close()

    def both(self, operation: Callable[[SessionStore, list[bytes]], Awaitable[Any]]) -> None:
        """Carry out an operation at both stores, and compare what they return or raise."""
        answers = []
        for place, store in enumerate(self.stores):
            own = [each[place] for each in self.ids]
            answers.append(self.loop.run_until_complete(self.outcome(operation, store, own)))
        assert answers[0] == answers[1]

    async def outcome(self, operation: Callable[..., Awaitable[Any]], store: SessionStore, own: list[bytes]) -> Any:
        try:
            result = await operation(store, own)
        except StoreError as problem:
            return described(problem)
        if isinstance(result, bytes):
            return own.index(result)
        if isinstance(result, list):
            return [described(each) for each in result]
        return advanced(result, id=bytes(16)) if hasattr(result, "id") else result

    @rule(target=sessions, owner=OWNERS, epoch=EPOCHS, state=st.none() | BYTES, count=NUMBERS)
    def create(self, owner: bytes, epoch: int, state: bytes | None, count: int) -> int:
        self.ids.append([store.new_session_id() for store in self.stores])
        number = len(self.ids) - 1
        fields: dict[str, Any] = {"owner": owner, "epoch": epoch, "state": state, "ttl": TTL}
        fields |= {"sent": {1: count}, "outgoing": messages(1, 1, count)}
        self.both(lambda store, own: store.create(make_record(own[number], **fields)))
        return number

    @rule(number=sessions, owner=OWNERS, expected=EPOCHS, more=st.integers(1, 2))
    def claim(self, number: int, owner: bytes, expected: int, more: int) -> None:
        epoch = expected + more
        self.both(
            lambda store, own: store.claim(Claim(id=own[number], expected=expected, epoch=epoch, owner=owner, ttl=TTL))
        )

    @rule(
        target=commits,
        number=sessions,
        of=st.fixed_dictionaries(
            {
                "epoch": EPOCHS,
                "owner": OWNERS,
                "number": st.integers(1, 8),
                "state": st.none() | BYTES,
                "progress": st.none() | BYTES,
                "handled": st.dictionaries(LANES, NUMBERS, max_size=2),
                "acked": st.dictionaries(LANES, NUMBERS, max_size=2),
            }
        ),
        back=st.integers(1, 3),
        lane=LANES,
        first=st.integers(1, 7),
        count=NUMBERS,
        size=st.sampled_from([5, 5, 5, 20]),
    )
    def commit(self, number: int, of: dict[str, Any], back: int, lane: int, first: int, count: int, size: int) -> Any:
        outgoing = messages(lane, first, first + count - 1, size)
        fields = {**of, "after": max(0, of["number"] - back), "outgoing": outgoing, "ttl": TTL}
        self.repeat((number, fields))
        return number, fields

    @rule(commit=commits)
    def repeat(self, commit: tuple[int, dict[str, Any]]) -> None:
        number, fields = commit
        self.both(lambda store, own: store.commit([Commit(id=own[number], **fields)]))

    @rule(several=st.lists(commits, max_size=4, unique_by=lambda commit: commit[0]))
    def commit_many(self, several: list[tuple[int, dict[str, Any]]]) -> None:
        self.both(lambda store, own: store.commit([Commit(id=own[number], **fields) for number, fields in several]))

    @rule(number=sessions, owner=OWNERS, epoch=EPOCHS, key=st.none() | KEYS)
    def touch(self, number: int, owner: bytes, epoch: int, key: str | None) -> None:
        self.both(lambda store, own: store.touch([Touch(id=own[number], epoch=epoch, owner=owner, key=key, ttl=TTL)]))

    @rule(number=sessions, owner=OWNERS, epoch=EPOCHS, key=st.none() | KEYS)
    def delete(self, number: int, owner: bytes, epoch: int, key: str | None) -> None:
        self.both(lambda store, own: store.delete(own[number], epoch, owner, key=key))

    @rule(number=sessions, reason=st.integers(0, 99))
    def end(self, number: int, reason: int) -> None:
        self.both(lambda store, own: store.end(own[number], reason))

    @rule(number=sessions)
    def look(self, number: int) -> None:
        self.both(lambda store, own: store.load(own[number]))
        self.both(lambda store, own: store.peek(own[number]))

    @rule(key=KEYS)
    def find(self, key: str) -> None:
        self.both(lambda store, _: store.find(key))

    @rule(key=KEYS, number=sessions, other=st.none() | sessions)
    def take_key(self, key: str, number: int, other: int | None) -> None:
        self.both(
            lambda store, own: store.take_key(
                key, own[number], replacing=None if other is None else own[other], ttl=TTL
            )
        )


def described(problem: Any) -> Any:
    """Return what can be compared of an exception."""
    return (type(problem), str(problem)) if isinstance(problem, StoreError) else problem


@pytest.mark.parametrize("examples", [25, pytest.param(2000, marks=pytest.mark.soak)])
def test_they_answer_the_same(valkey: Server, examples: int) -> None:
    Stores.server = valkey
    run_state_machine_as_test(
        Stores,
        settings=settings(
            max_examples=examples,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=examples < 100,
        ),
    )
