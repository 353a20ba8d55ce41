"""The fence: owners that claim and commit in any order, with calls that are late, lost or doubled on their way.

A call goes to the store when the schedule says so, perhaps twice, perhaps long after its caller has given up. The order
in which the store carries calls out is the truth; callers know the answers that they get.
"""

from __future__ import annotations

import asyncio
import random
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.stores import Owner, created, messages

from gns_py.session.store import (
    Claim,
    Commit,
    Fenced,
    MemoryStore,
    Record,
    RecordHead,
    SessionStore,
    StoreError,
    StoreUnavailable,
    ValkeyStore,
)

if TYPE_CHECKING:
    from support.store_servers import Server


@dataclass
class Log:
    """The steps that the store has carried out, in order."""

    epochs: list[int] = field(default_factory=list)
    states: list[bytes] = field(default_factory=list)


class Unreliable:
    """A network between a caller and the store: calls wait in it, and are carried out when the schedule wants.

    Args:
        store: The store.
        log: The steps that the store has carried out.
        chance: The source of all decisions.
    """

    def __init__(self, store: SessionStore, log: Log, chance: random.Random) -> None:
        self._store, self._log, self._chance = store, log, chance
        self._late: list[Claim | Commit] = []

    async def call(self, what: Claim | Commit) -> Any:
        """Return the answer, or raise StoreUnavailable; then the call may still be under way."""
        fate = self._chance.random()
        if fate < 0.2:
            self._late.append(what)
            raise StoreUnavailable("the call is late")
        if fate < 0.3:
            raise StoreUnavailable("the call is lost")
        answer = await self._carry_out(what)
        if fate < 0.5:
            await self._carry_out(what)
        if fate < 0.7:
            raise StoreUnavailable("the answer is lost")
        if isinstance(answer, StoreError):
            raise answer
        return answer

    async def deliver(self) -> None:
        """Carry out a call that is late."""
        if self._late:
            what = self._late.pop(self._chance.randrange(len(self._late)))
            await self._carry_out(what)

    async def _carry_out(self, what: Claim | Commit) -> Any:
        before = await self._store.load(what.id)
        answer: Any
        if isinstance(what, Claim):
            try:
                answer = await self._store.claim(what)
            except StoreError as problem:
                answer = problem
        else:
            (answer,) = await self._store.commit([what])
        after = await self._store.load(what.id)
        assert isinstance(before, Record)
        assert isinstance(after, Record)
        if after.epoch != before.epoch:
            self._log.epochs.append(after.epoch)
        if after.commit != before.commit:
            assert isinstance(what, Commit)
            # Only the owner commits, and only what follows.
            assert (what.epoch, what.owner) == (before.epoch, before.owner)
            assert after.commit > before.commit
            self._log.states.append(after.state or b"")
        return answer


class Player:
    """A server that wants the session: it counts, one a commit, from what it has taken over.

    Args:
        network: The way to the store.
        store: The store, for what no network can harm.
        name: The number of the player.
    """

    def __init__(self, network: Unreliable, store: SessionStore, name: int) -> None:
        self._network, self._store, self._name = network, store, name
        self.owner: Owner | None = None
        self._count = 0
        self._next = 1
        self._unsure: list[int] = []
        self.answered: list[bytes] = []

    async def claim(self, session_id: bytes) -> None:
        head = await self._store.peek(session_id)
        assert isinstance(head, RecordHead)
        claim = Claim(
            id=session_id,
            expected=head.epoch,
            epoch=head.epoch + 1,
            owner=secrets.token_bytes(16),
            ttl=60.0,
        )
        for _ in range(3):
            try:
                record = await self._network.call(claim)
            except Fenced:
                return
            except StoreUnavailable:
                continue
            self.owner = Owner(self._store, record, record.commit)
            self._next = record.commit + 1
            self._count = int(record.state or b"0")
            self._unsure = []
            return

    async def commit(self) -> None:
        """Count on; after an answer that is lost with the next number, and all that was not answered."""
        owner = self.owner
        if owner is None:
            return
        self._count += 1
        self._unsure.append(self._count)
        commit = owner.commit_of(
            self._next, owner.number, state=b"%d" % self._count, outgoing=messages(0, self._unsure[0], self._count)
        )
        self._next += 1
        try:
            await self._network.call(commit)
        except Fenced:
            self.owner = None
        except StoreUnavailable:
            pass
        else:
            owner.number = commit.number
            self._unsure = []
            self.answered.append(b"%d" % self._count)


async def play(store: SessionStore, seed: int, steps: int) -> None:
    chance, log = random.Random(seed), Log()
    await store.open()
    network = Unreliable(store, log, chance)
    session = (await created(store)).record
    players = [Player(network, store, number) for number in range(3)]
    for _ in range(steps):
        player = chance.choice(players)
        move = chance.random()
        if move < 0.2:
            await player.claim(session.id)
        elif move < 0.3:
            await network.deliver()
        else:
            await player.commit()
    counts = [int(state) for state in log.states]
    # Each commit was made from what all before it had left: none is missing, none is there twice.
    assert counts == sorted(set(counts))
    assert log.epochs == sorted(set(log.epochs))
    assert {count for player in players for count in player.answered} <= {
        b"%d" % n for n in range(1, max(counts, default=0) + 1)
    }
    answered = [count for player in players for count in player.answered]
    assert len(answered) == len(set(answered))  # no two owners have been told that they have made the same step
    record = await store.load(session.id)
    assert isinstance(record, RecordHead)
    assert record.sent.get(0, 0) == max(counts, default=0)
    await store.aclose()


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**32))
def test_in_memory(seed: int) -> None:
    asyncio.run(play(MemoryStore(), seed, 80))


@pytest.mark.parametrize("seed", range(5))
def test_in_valkey(valkey: Server, seed: int) -> None:
    store = ValkeyStore(valkey.url, prefix=secrets.token_hex(4), timeout=10.0)
    asyncio.run(play(store, seed, 150))


def test_a_model_without_a_fence_is_found_out() -> None:
    class Open(MemoryStore):
        """A store that lets each one commit that knows the number."""

        async def commit(self, commits: Any) -> Any:
            heads = [await self.peek(each.id) for each in commits]
            return await super().commit(
                [
                    Commit(
                        **{
                            name: getattr(each, name)
                            for name in Commit.__dataclass_fields__
                            if name not in ("epoch", "owner", "runs")
                        },
                        epoch=head.epoch,  # type: ignore[union-attr]
                        owner=head.owner,  # type: ignore[union-attr]
                    )
                    for each, head in zip(commits, heads, strict=True)
                ]
            )

    async def main() -> None:
        for seed in range(100):
            await play(Open(), seed, 80)

    with pytest.raises(AssertionError):
        asyncio.run(main())
