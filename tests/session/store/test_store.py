"""The contract of all stores, with each kind of store."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from support.stores import TTL, Owner, advanced, claim_of, claimed, created, make_record, messages

from gns_py.session import CloseReason
from gns_py.session.store import (
    Ended,
    Fenced,
    MemoryStore,
    Outgoing,
    RecordExpired,
    RecordHead,
    RecordLost,
    RecordTooLarge,
    Touch,
    take_over_key,
)

from .conftest import Backend

SHORT = 0.05
REASON = CloseReason.ABORTED  # an int, and more: what a server of sessions passes
ALL_BYTES = bytes(range(256))


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


# ---- create, peek, load ----------------------------------------------------------------------------------------------


def test_a_record_is_what_was_created(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            record = make_record(
                store.new_session_id(),
                epoch=7,
                key="player:{42}\n",
                setup=b"\0" + ALL_BYTES,
                progress=ALL_BYTES + b"\0",
                handled={0: 2**53 - 1, 9: 0},
                sent={3: 5},
                acked={3: 3},
                commit=12,
                ttl=0.5,
                state=ALL_BYTES * 3,
                outgoing=tuple(messages(3, 4, 5)),
            )
            await store.create(record)
            assert await store.load(record.id) == record
            head = await store.peek(record.id)
            assert head == RecordHead(**{name: getattr(record, name) for name in RecordHead.__dataclass_fields__})

    run(main())


@pytest.mark.parametrize("state", [None, b"", b"\0", b"\xff" * 1_000_000])
def test_states(backend: Backend, state: bytes | None) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store, state=state)
            assert await store.load(owner.record.id) == owner.record
            await owner.commit(state=state)
            found = await store.load(owner.record.id)
            assert found == advanced(owner.record, commit=1)
            await owner.commit(state=b"next")
            await owner.commit()
            assert await store.load(owner.record.id) == advanced(owner.record, commit=3, state=b"next")

    run(main())


def test_creating_twice(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store)
            await owner.commit(state=b"1")
            await store.create(owner.record)
            assert await store.load(owner.record.id) == advanced(owner.record, commit=1, state=b"1")
            with pytest.raises(Fenced):
                await store.create(advanced(owner.record, owner=secrets.token_bytes(16)))

    run(main())


def test_a_session_that_is_not_there(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = Owner(store, make_record(store.new_session_id()))
            assert await store.load(owner.record.id) is None
            assert await store.peek(owner.record.id) is None
            with pytest.raises(RecordExpired):
                await store.claim(claim_of(owner.record))
            with pytest.raises(RecordExpired):
                await owner.commit()
            with pytest.raises(RecordExpired):
                await owner.touch()
            await owner.delete()
            await store.end(owner.record.id, REASON)
            assert await store.load(owner.record.id) is None

    run(main())


def test_ids_are_different(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            assert len({store.new_session_id() for _ in range(1000)}) == 1000

    run(main())


# ---- claims and commits ----------------------------------------------------------------------------------------------


def test_a_claim_takes_over_everything(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            old = await created(store)
            await old.commit(state=b"s", handled={1: 3}, outgoing=messages(1, 1, 3) + messages(2, 1, 1))
            await old.commit(acked={1: 2}, progress=b"notes")
            claim = claim_of(old.record)
            new = await claimed(store, claim)
            assert new.record == advanced(
                old.record,
                epoch=2,
                owner=claim.owner,
                commit=2,
                state=b"s",
                progress=b"notes",
                handled={1: 3},
                sent={1: 3, 2: 1},
                acked={1: 2},
                outgoing=(*messages(1, 3, 3), *messages(2, 1, 1)),
            )
            assert new.number == 2
            with pytest.raises(Fenced) as caught:
                await old.commit(state=b"too late")
            assert (caught.value.epoch, caught.value.reason) == (2, None)
            with pytest.raises(Fenced):
                await old.touch()
            with pytest.raises(Fenced):
                await old.delete()
            await new.commit(state=b"t")
            assert await store.load(new.record.id) == advanced(new.record, commit=3, state=b"t")

    run(main())


def test_claiming_twice(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            old = await created(store, state=b"s")
            claim = claim_of(old.record)
            assert await store.claim(claim) == await store.claim(claim)
            with pytest.raises(Fenced):
                await store.claim(claim_of(old.record))
            with pytest.raises(Fenced):
                await store.claim(claim_of(old.record, epoch=3))
            await store.claim(claim_of(old.record, expected=2, epoch=5))
            with pytest.raises(Fenced):
                await store.claim(claim)

    run(main())


def test_progress_changes_with_commits_and_the_set_up_never(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store, setup=b"set-up", progress=b"0")
            for progress, there in ((None, b"0"), (b"1", b"1"), (None, b"1"), (b"", b"")):
                await owner.commit(progress=progress)
                head = await store.peek(owner.record.id)
                assert isinstance(head, RecordHead)
                assert (head.setup, head.progress) == (b"set-up", there)

    run(main())


def test_a_commit_that_is_repeated_changes_nothing(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store)
            commit = owner.commit_of(state=b"1", handled={0: 1}, outgoing=messages(0, 1, 2))
            for _ in range(3):
                assert await store.commit([commit]) == [None]
            owner.number = 1
            await owner.commit(state=b"2", acked={0: 1})
            before = await store.load(owner.record.id)
            assert await store.commit([commit]) == [None]
            assert await store.load(owner.record.id) == before

    run(main())


@pytest.mark.parametrize("was_carried_out", [True, False])
def test_a_commit_after_one_whose_answer_is_not_known(backend: Backend, was_carried_out: bool) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store)
            await owner.commit(outgoing=messages(0, 1, 1))
            unknown = owner.commit_of(state=b"2", handled={0: 1}, outgoing=messages(0, 2, 3))
            if was_carried_out:
                assert await store.commit([unknown]) == [None]
            more = {"state": b"3", "handled": {0: 2}, "acked": {0: 3}, "outgoing": messages(0, 2, 4)}
            await owner.commit(number=3, after=1, **more)
            before = await store.load(owner.record.id)
            assert before == advanced(
                owner.record,
                commit=3,
                state=b"3",
                handled={0: 2},
                sent={0: 4},
                acked={0: 3},
                outgoing=tuple(messages(0, 4, 4)),
            )
            assert await store.commit([unknown]) == [None]  # it is late: a newer one contains it
            assert await store.load(owner.record.id) == before

    run(main())


def test_a_store_that_lacks_commits(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store)
            await owner.commit()
            for problem in await store.commit(
                [owner.commit_of(number=5, after=4), owner.commit_of(outgoing=messages(0, 2, 2))]
            ):
                assert isinstance(problem, RecordLost)
            assert await store.load(owner.record.id) == advanced(owner.record, commit=1)

    run(main())


def test_many_sessions_in_one_commit(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owners = await asyncio.gather(*(created(store) for _ in range(1000)))
            fenced, absent, behind = 10, 20, 30
            await store.claim(claim_of(owners[fenced].record))
            await owners[absent].delete()
            commits = [
                owner.commit_of(state=bytes([at % 256]), outgoing=messages(0, 1, 2)) for at, owner in enumerate(owners)
            ]
            commits[behind] = owners[behind].commit_of(number=3, after=2)
            results = await store.commit(commits)
            kinds = {at: type(result) for at, result in enumerate(results) if result is not None}
            assert kinds == {fenced: Fenced, absent: RecordExpired, behind: RecordLost}
            for at in (0, 500, 999):
                found = await store.load(owners[at].record.id)
                assert found == advanced(
                    owners[at].record, commit=1, state=bytes([at % 256]), sent={0: 2}, outgoing=tuple(messages(0, 1, 2))
                )
            touched = await store.touch([Touch(id=o.record.id, epoch=1, owner=o.record.owner, ttl=TTL) for o in owners])
            kinds = {at: type(result) for at, result in enumerate(touched) if result is not None}
            assert kinds == {fenced: Fenced, absent: RecordExpired}

    run(main())


def test_nothing_to_do(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            assert await store.commit([]) == []
            assert await store.touch([]) == []

    run(main())


def test_many_messages(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store)
            sent = [*messages(1, 1, 5001), *messages(255, 1, 1000)]
            await owner.commit(outgoing=sent)
            await owner.commit(acked={1: 4500, 255: 1000, 7: 3})
            found = await store.load(owner.record.id)
            assert found == advanced(
                owner.record,
                commit=2,
                sent={1: 5001, 255: 1000},
                acked={1: 4500, 255: 1000},
                outgoing=tuple(messages(1, 4501, 5001)),
            )
            await owner.commit(acked={1: 2**53 - 1})  # not more than was sent
            found = await store.load(owner.record.id)
            assert found == advanced(owner.record, commit=3, sent={1: 5001, 255: 1000}, acked={1: 5001, 255: 1000})

    run(main())


def test_payloads_may_be_empty_or_have_any_bytes(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store)
            sent = (Outgoing(0, 1, b""), Outgoing(0, 2, ALL_BYTES), Outgoing(0, 3, b"\r\n$-1\r\n"))
            await owner.commit(outgoing=sent)
            found = await store.load(owner.record.id)
            assert found == advanced(owner.record, commit=1, sent={0: 3}, outgoing=sent)

    run(main())


def test_what_is_too_large(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened(max_size=1000) as store:
            with pytest.raises(RecordTooLarge, match="1001 bytes"):
                await created(store, setup=b"s" * 1001)
            owner = await created(store)
            small, large = owner.commit_of(state=b"s" * 1000), owner.commit_of(outgoing=messages(0, 1, 1, size=1001))
            results = await store.commit([large, small])
            assert [type(result) for result in results] == [RecordTooLarge, type(None)]

    run(main())


# ---- the time that a record lives ------------------------------------------------------------------------------------


def test_records_expire(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store, ttl=SHORT, state=b"s")
            await take_over_key(store, "k", owner.record.id, REASON, ttl=SHORT)
            await backend.expire(SHORT)
            assert await store.load(owner.record.id) is None
            assert await store.find("k") is None
            with pytest.raises(RecordExpired):
                await owner.commit()

    run(main())


@pytest.mark.parametrize("how", ["touch", "commit", "repetition", "claim", "create"])
def test_each_write_prolongs(backend: Backend, how: str) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store, ttl=1.0)
            if how == "repetition":
                assert await store.commit([owner.commit_of(ttl=1.0)]) == [None]
            if how in ("commit", "repetition"):
                assert await store.commit([owner.commit_of()]) == [None]
            elif how == "touch":
                await owner.touch()
            elif how == "claim":
                await store.claim(claim_of(owner.record))
            else:
                await store.create(advanced(owner.record, ttl=TTL))
            await backend.expire(1.0)
            found = await store.load(owner.record.id)
            assert isinstance(found, RecordHead)
            assert found.ttl == TTL

    run(main())


# ---- the end ---------------------------------------------------------------------------------------------------------


def test_a_session_that_another_server_ends(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store, state=b"s", epoch=3)
            await store.end(owner.record.id, REASON)
            await store.end(owner.record.id, REASON + 1)
            assert await store.load(owner.record.id) == await store.peek(owner.record.id) == Ended(4, REASON)
            for operation in (
                owner.commit,
                owner.touch,
                owner.delete,
                lambda: store.claim(claim_of(owner.record)),
                lambda: store.claim(claim_of(owner.record, expected=4, epoch=5)),
                lambda: store.create(owner.record),
            ):
                with pytest.raises(Fenced) as caught:
                    await operation()
                assert (caught.value.epoch, caught.value.reason) == (4, REASON)

    run(main())


def test_what_is_left_of_it_expires(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store, ttl=SHORT)
            await store.end(owner.record.id, REASON)
            await backend.expire(SHORT)
            assert await store.load(owner.record.id) is None

    run(main())


def test_deleting(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store, state=b"s")
            await take_over_key(store, "k", owner.record.id, REASON, ttl=TTL)
            await owner.delete(key="k")
            await owner.delete(key="k")
            assert await store.load(owner.record.id) is None
            assert await store.find("k") is None

    run(main())


# ---- keys ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["player:42", "{a}{b}", "}{", "ünï \n\r\0", "k" * 1024])
def test_a_key_goes_from_session_to_session(backend: Backend, key: str) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            first, second = await created(store), await created(store)
            assert await store.find(key) is None
            assert await take_over_key(store, key, first.record.id, REASON, ttl=TTL) == []
            assert await take_over_key(store, key, first.record.id, REASON, ttl=TTL) == []
            await first.touch(key=key)
            assert await take_over_key(store, key, second.record.id, REASON, ttl=TTL) == [first.record.id]
            assert await store.find(key) == second.record.id
            assert await store.load(first.record.id) == Ended(2, REASON)
            with pytest.raises(Fenced):
                await first.touch(key=key)
            await second.touch(key=key)

    run(main())


def test_a_key_is_kept_if_a_check_says_so(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            first, second = await created(store, key="k", setup=b"whose"), await created(store, key="k")
            seen: list[tuple[bytes, bytes]] = []

            def check(record: RecordHead) -> None:
                seen.append((record.id, record.setup))
                if len(seen) == 1:
                    raise PermissionError

            named: dict[str, Any] = {"reason": REASON, "ttl": TTL, "check": check}
            assert await take_over_key(store, "k", first.record.id, **named) == []
            with pytest.raises(PermissionError):
                await take_over_key(store, "k", second.record.id, **named)
            assert await store.find("k") == first.record.id
            await first.commit()
            assert await take_over_key(store, "k", second.record.id, **named) == [first.record.id]
            assert seen == 2 * [(first.record.id, b"whose")]
            third = await created(store, key="k")
            await store.end(second.record.id, REASON)  # whoever has ended has nothing to say
            assert await take_over_key(store, "k", third.record.id, **named) == [second.record.id]
            assert len(seen) == 2

    run(main())


def test_a_key_is_not_taken_from_another_session_than_the_one_that_was_named(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            first, second, third = [store.new_session_id() for _ in range(3)]
            assert await store.take_key("k", first, replacing=None, ttl=TTL) == first
            assert await store.take_key("k", second, replacing=None, ttl=TTL) == first
            assert await store.take_key("k", second, replacing=third, ttl=TTL) == first
            assert await store.take_key("k", second, replacing=first, ttl=TTL) == second
            assert await store.take_key("k", second, replacing=first, ttl=TTL) == second

    run(main())


def test_many_take_a_key_at_once(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owners = [await created(store) for _ in range(20)]
            await asyncio.gather(*(take_over_key(store, "k", owner.record.id, REASON, ttl=TTL) for owner in owners))
            holder = await store.find("k")
            living = [owner for owner in owners if not isinstance(await store.load(owner.record.id), Ended)]
            assert [owner.record.id for owner in living] == [holder]

    run(main())


def test_touching_brings_a_key_back_that_was_lost_and_finds_one_that_was_taken(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            first, second = await created(store), await created(store)
            await first.touch(key="k")
            assert await store.find("k") == first.record.id
            with pytest.raises(Fenced):
                await second.touch(key="k")

    run(main())


def test_keys_that_cannot_be(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            for key in ("", "k" * 1025):
                with pytest.raises(ValueError, match="a key has"):
                    await store.find(key)
            with pytest.raises(ValueError, match="16 bytes"):
                await store.load(b"short")

    run(main())


# ---- data that the store loses ---------------------------------------------------------------------------------------


def test_lost_is_not_expired(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner, other = await created(store), store.new_session_id()
            backend.flush(store)
            operations: list[Callable[[], Awaitable[object]]] = [
                lambda: store.peek(owner.record.id),
                lambda: store.load(owner.record.id),
                lambda: store.claim(claim_of(owner.record)),
                owner.commit,
                owner.touch,
                lambda: store.create(make_record(other)),
            ]
            for operation in operations:
                with pytest.raises(RecordLost):
                    await operation()
            await owner.delete()
            await store.end(owner.record.id, REASON)

    run(main())


def test_the_first_create_after_the_loss_finds_new_ids(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            old = store.new_session_id()
            backend.flush(store)
            with pytest.raises(RecordLost):
                await store.create(make_record(old))
            for _ in range(20):  # in any bucket
                await store.create(make_record(store.new_session_id()))

    run(main())


def test_two_stores_are_one(backend: Backend) -> None:
    async def main() -> None:
        prefix = {} if isinstance(backend.make(), MemoryStore) else {"prefix": secrets.token_hex(4)}
        if not prefix:
            return
        async with backend.opened(**prefix) as one, backend.opened(**prefix) as two:
            owner = await created(one)
            await claimed(two, claim_of(owner.record))
            with pytest.raises(Fenced):
                await owner.commit()
            await two.create(make_record(one.new_session_id()))  # they agree on the epochs

    run(main())


def test_concurrent_claims(backend: Backend) -> None:
    async def main() -> None:
        async with backend.opened() as store:
            owner = await created(store)
            results = await asyncio.gather(
                *(store.claim(claim_of(owner.record)) for _ in range(20)), return_exceptions=True
            )
            assert sum(isinstance(result, RecordHead) for result in results) == 1
            assert sum(isinstance(result, Fenced) for result in results) == 19

    run(main())
