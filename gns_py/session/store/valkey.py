"""A session store in a Valkey or Redis."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any

from . import codec, ids, scripts
from .codec import milliseconds
from .errors import (
    Fenced,
    RecordExpired,
    RecordLost,
    RecordMissing,
    RecordTooLarge,
    StoreError,
    StoreMisconfigured,
    StoreUnavailable,
)
from .memory import MAX_SIZE, behind, missing
from .scripts import Answer, Argument, Call, Script
from .values import (
    Claim,
    Commit,
    Ended,
    Record,
    RecordHead,
    Touch,
    check_id,
    check_key,
    check_size,
    check_ttl,
)

_BUCKETS = range(ids.BUCKETS)


class ValkeyStore:
    """A session store in a Valkey (8, 9) or Redis (7): one server, or see sentinel() and cluster().

    One script, which is atomic and can be repeated, carries out each operation. Each loop that opens the store gets a
    client of its own. After an outage or a failover it works again by itself.

    Args:
        server: The server's address, such as ``valkey://localhost:6379/0``, or a function that returns a new client of
            ``redis.asyncio`` without ``decode_responses``.
        prefix: The beginning of the names of all keys; stores with different ones do not know each other.
        timeout: The seconds that an operation may take in total, before StoreUnavailable is raised.
        replicas: The number of replicas that must have a write before it counts, with WAIT; not for a cluster.
        max_size: The most bytes of state, set-up, progress and messages that a record or a commit may have.
        **settings: More keyword arguments for the client, such as ``password``; only with an address.

    Raises:
        ValueError: The prefix has a brace, or *replicas* is negative.
        ImportError: redis-py is not installed.
    """

    def __init__(
        self,
        server: str | Callable[[], Any],
        *,
        prefix: str = "gns",
        timeout: float = 1.0,
        replicas: int = 0,
        max_size: int = MAX_SIZE,
        **settings: object,
    ) -> None:
        if set("{}") & set(prefix):
            raise ValueError(f"braces choose the slot of a cluster; the prefix {prefix!r} must have none")
        if replicas < 0:
            raise ValueError("replicas must not be negative")
        from . import clients, runner  # here, since they need redis-py

        make = clients.single(server, timeout, settings) if isinstance(server, str) else server
        self._runner = runner.Runner(make, timeout, replicas)
        self.prefix = prefix
        """The beginning of the names of all keys."""
        self._max_size = max_size
        self._epochs: list[bytes] = []

    @classmethod
    def sentinel(
        cls,
        addresses: Sequence[tuple[str, int]],
        service: str,
        *,
        prefix: str = "gns",
        timeout: float = 1.0,
        replicas: int = 0,
        max_size: int = MAX_SIZE,
        **settings: object,
    ) -> ValkeyStore:
        """Return a store in the primary that Sentinel names.

        Args:
            addresses: The Sentinels.
            service: The name under which they know the primary.
            prefix: The beginning of the names of all keys.
            timeout: The seconds that an operation may take in total.
            replicas: The number of replicas that must have a write before it counts.
            max_size: The most bytes of state, set-up, progress and messages that a record or a commit may have.
            **settings: More keyword arguments for the client of the primary, such as ``password``.
        """
        from . import clients

        make = clients.sentinel(addresses, service, timeout, settings)
        return cls(make, prefix=prefix, timeout=timeout, replicas=replicas, max_size=max_size)

    @classmethod
    def cluster(
        cls,
        addresses: Sequence[tuple[str, int]],
        *,
        prefix: str = "gns",
        timeout: float = 1.0,
        max_size: int = MAX_SIZE,
        **settings: object,
    ) -> ValkeyStore:
        """Return a store in a cluster.

        Args:
            addresses: Some of its nodes.
            prefix: The beginning of the names of all keys.
            timeout: The seconds that an operation may take in total.
            max_size: The most bytes of state, set-up, progress and messages that a record or a commit may have.
            **settings: More keyword arguments for the client, such as ``password``.
        """
        from . import clients

        make = clients.cluster(addresses, timeout, settings)
        return cls(make, prefix=prefix, timeout=timeout, max_size=max_size)

    async def open(self) -> None:
        """Connect to the store, and read its epochs; see SessionStore.open().

        Raises:
            StoreMisconfigured: The store refuses this program: a password, a permission, a server of another kind.
            StoreUnavailable: The store cannot be reached. Nothing is open; try again.
        """
        self._runner.open()
        try:
            await self._read_epochs()
        except BaseException as problem:
            await self.aclose()
            if isinstance(problem, StoreUnavailable) and self._runner.is_refused(problem):
                raise StoreMisconfigured(f"the store refuses this program: {problem.__cause__}") from problem
            raise

    async def _read_epochs(self) -> None:
        answers = await self._runner.run(Call(scripts.EPOCH, [self._epoch_key(n)], [ids.new_epoch()]) for n in _BUCKETS)
        self._epochs = [self._check(answer)[0] for answer in answers]

    async def aclose(self) -> None:
        """Close this loop's client if this is the last call for it; see SessionStore.aclose()."""
        await self._runner.aclose()

    def new_session_id(self) -> bytes:
        """Return an id for a new session; the store must have been opened.

        Raises:
            StoreUnavailable: It has not been opened yet.
        """
        if not self._epochs:
            raise StoreUnavailable("the store has not been opened")
        bucket = random.randrange(ids.BUCKETS)
        return ids.new_id(bucket, self._epochs[bucket])

    async def create(self, record: Record) -> None:
        """Store a new session; see SessionStore.create()."""
        check_size(record, self._max_size)
        arguments = codec.create_arguments(record, ids.epoch_of(record.id))
        try:
            await self._one(record.id, scripts.CREATE, arguments)
        except RecordLost:  # and so, perhaps, are other buckets, for which the next id may be
            with contextlib.suppress(StoreUnavailable):
                await self._read_epochs()
            raise

    async def peek(self, session_id: bytes) -> RecordHead | Ended | None:
        """Return a record without its state and messages; see SessionStore.peek()."""
        found = await self._look_up(session_id, scripts.PEEK)
        return found if found is None or isinstance(found, Ended) else codec.decode_head(session_id, found[0])

    async def load(self, session_id: bytes) -> Record | Ended | None:
        """Return a record; see SessionStore.load()."""
        found = await self._look_up(session_id, scripts.LOAD)
        return found if found is None or isinstance(found, Ended) else codec.decode_record(session_id, *found)

    async def claim(self, claim: Claim) -> Record:
        """Make the caller the owner; see SessionStore.claim()."""
        return codec.decode_record(claim.id, *await self._one(claim.id, scripts.CLAIM, codec.claim_arguments(claim)))

    async def commit(self, commits: Sequence[Commit]) -> list[StoreError | None]:
        """Store what has happened in many sessions; see SessionStore.commit()."""
        results: list[StoreError | None] = [self._too_large(commit) for commit in commits]
        places = [place for place, result in enumerate(results) if result is None]
        calls = [self._call(commits[at].id, scripts.COMMIT, codec.commit_arguments(commits[at])) for at in places]
        for place, answer in zip(places, await self._runner.run(calls), strict=True):
            results[place] = self._problem(answer, commits[place].id, commits[place])
        return results

    async def touch(self, touches: Sequence[Touch]) -> list[StoreError | None]:
        """Keep many records alive; see SessionStore.touch()."""
        calls = [
            self._call(each.id, scripts.TOUCH, [each.epoch, each.owner, milliseconds(each.ttl)]) for each in touches
        ]
        results = [
            self._problem(answer, each.id) for answer, each in zip(await self._runner.run(calls), touches, strict=True)
        ]
        places = [at for at, each in enumerate(touches) if each.key is not None and results[at] is None]
        kept = await self._runner.run(self._keeping(touches[at]) for at in places)
        for at, answer in zip(places, kept, strict=True):
            if isinstance(answer, StoreError):
                results[at] = answer
            elif answer[1] != touches[at].id:
                results[at] = Fenced(touches[at].epoch)
        return results

    async def delete(self, session_id: bytes, epoch: int, owner: bytes, *, key: str | None = None) -> None:
        """Delete a record and free its key; see SessionStore.delete()."""
        await self._one(session_id, scripts.DELETE, [epoch, owner])
        if key is not None:
            await self._one_of(Call(scripts.FREE_KEY, [self._name(key)], [session_id]))

    async def end(self, session_id: bytes, reason: int) -> None:
        """End a session, whichever server owns it; see SessionStore.end()."""
        await self._one(session_id, scripts.END, [int(reason)])  # redis-py sends an enum's repr()

    async def find(self, key: str) -> bytes | None:
        """Return the id of the session that holds a key, or None."""
        holder: bytes | None = (await self._one_of(Call(scripts.FIND_KEY, [self._name(key)], [])))[0]
        return holder

    async def take_key(self, key: str, session_id: bytes, *, replacing: bytes | None, ttl: float) -> bytes:
        """Give a key to a session; see SessionStore.take_key()."""
        check_id(session_id)
        check_ttl(ttl)
        arguments: list[Argument] = [session_id, replacing or b"", milliseconds(ttl)]
        holder: bytes = (await self._one_of(Call(scripts.TAKE_KEY, [self._name(key)], arguments)))[0]
        return holder

    # ---- names and calls -------------------------------------------------------------------------------------------

    def _epoch_key(self, bucket: int) -> str:
        return f"{self.prefix}:{{{bucket:02x}}}:epoch"

    def _name(self, key: str) -> str:
        check_key(key)
        return f"{self.prefix}:key:{key}"

    def _call(self, session_id: bytes, script: Script, arguments: Sequence[Argument]) -> Call:
        check_id(session_id)
        bucket = ids.bucket_of(session_id)
        head = f"{self.prefix}:{{{bucket:02x}}}:{session_id.hex()}"
        return Call(script, [head, f"{head}:body", self._epoch_key(bucket)], [ids.new_epoch(), *arguments])

    def _keeping(self, touch: Touch) -> Call:
        assert touch.key is not None
        return Call(scripts.TAKE_KEY, [self._name(touch.key)], [touch.id, b"", milliseconds(touch.ttl)])

    def _too_large(self, commit: Commit) -> RecordTooLarge | None:
        try:
            check_size(commit, self._max_size)
        except RecordTooLarge as problem:
            return problem
        return None

    async def _one(self, session_id: bytes, script: Script, arguments: Sequence[Argument]) -> list[Any]:
        (answer,) = await self._runner.run([self._call(session_id, script, arguments)])
        if problem := self._problem(answer, session_id):
            raise problem
        return self._check(answer)

    async def _one_of(self, call: Call) -> list[Any]:
        (answer,) = await self._runner.run([call])
        return self._check(answer)

    async def _look_up(self, session_id: bytes, script: Script) -> list[Any] | Ended | None:
        try:
            return await self._one(session_id, script, [])
        except Fenced as problem:
            return Ended(
                problem.epoch, problem.reason or 0
            )  # without an owner, only a session that was ended is fenced
        except RecordExpired:
            return None

    def _check(self, answer: Answer) -> list[Any]:
        """Return what follows the first part of an answer, or raise if there is no answer."""
        if isinstance(answer, StoreError):
            raise answer
        return answer[1:]  # type: ignore[no-any-return]

    def _problem(self, answer: Answer, session_id: bytes, commit: Commit | None = None) -> StoreError | None:
        """Return the exception that an answer stands for, if any."""
        if isinstance(answer, StoreError):
            return answer
        kind, *more = answer
        if kind == b"missing":
            return self._missing(session_id, more[0])
        if kind == b"fenced":
            return Fenced(*map(int, more))
        if kind == b"behind":
            assert commit is not None
            return behind(int(more[0]), commit)
        return None

    def _missing(self, session_id: bytes, epoch: bytes) -> RecordMissing:
        if self._epochs:
            self._epochs[ids.bucket_of(session_id)] = epoch
        return missing(session_id, epoch)
