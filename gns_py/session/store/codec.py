"""Records and commits as the arguments and answers of a ValkeyStore's scripts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .errors import RecordLost
from .scripts import Argument
from .values import Claim, Commit, Outgoing, Record, RecordHead


def milliseconds(seconds: float) -> int:
    """Return a time to live as the server counts it."""
    return max(1, round(seconds * 1000))


def create_arguments(record: Record, id_epoch: bytes) -> list[Argument]:
    """Return what CREATE takes after its first argument."""
    ttl = milliseconds(record.ttl)
    fields: list[Argument] = ["epoch", record.epoch, "owner", record.owner, "commit", record.commit]
    fields += ["setup", record.setup, "progress", record.progress]
    if record.key is not None:
        fields += ["key", record.key.encode()]
    for name in ("handled", "sent", "acked"):
        fields += _numbers(name, getattr(record, name))
    body: list[Argument] = []
    if record.state is not None:
        fields += ["state", len(record.state)]
        body += ["state", record.state]
    for lane, number, payload in record.outgoing:
        body += [f"{lane}:{number}", payload]
    return [record.epoch, record.owner, ttl, id_epoch, 6 + len(fields), *fields, *body]


def claim_arguments(claim: Claim) -> list[Argument]:
    """Return what CLAIM takes after its first argument."""
    return [claim.expected, claim.epoch, claim.owner, milliseconds(claim.ttl)]


def commit_arguments(commit: Commit) -> list[Argument]:
    """Return what COMMIT takes after its first argument."""
    fields: list[Argument] = ["commit", commit.number]
    if commit.progress is not None:
        fields += ["progress", commit.progress]
    fields += _numbers("handled", commit.handled)
    arguments: list[Argument] = [commit.epoch, commit.owner, commit.number, commit.after, milliseconds(commit.ttl)]
    arguments += [int(commit.state is not None), commit.state or b"", 11 + len(fields)]
    arguments += [len(commit.runs), len(commit.acked), *fields]
    for lane, number in commit.acked.items():
        arguments += [lane, number]
    for lane, run in commit.runs.items():
        arguments += [lane, run[0].number, len(run)]
        arguments += [message.payload for message in run]
    return arguments


def decode_head(session_id: bytes, pairs: list[bytes]) -> RecordHead:
    """Return the head that a script has answered with."""
    return RecordHead(**_head(session_id, dict(_pairs(pairs))))


def decode_record(session_id: bytes, head: list[bytes], body: list[bytes]) -> Record:
    """Return the record that a script has answered with.

    Raises:
        RecordLost: A part of it is missing.
    """
    fields = dict(_pairs(head))
    parts = dict(_pairs(body))
    state = parts.pop(b"state", None)
    if (None if state is None else len(state)) != (int(fields[b"state"]) if b"state" in fields else None):
        raise RecordLost("the store has lost a session's state")
    outgoing = []
    for place, payload in parts.items():
        lane, number = place.split(b":")
        outgoing.append(Outgoing(int(lane), int(number), payload))
    try:
        return Record(**_head(session_id, fields), state=state, outgoing=tuple(sorted(outgoing)))
    except ValueError as problem:
        raise RecordLost(f"the store has lost messages of a session: {problem}") from problem


def _head(session_id: bytes, fields: Mapping[bytes, bytes]) -> dict[str, Any]:
    numbers: dict[str, dict[int, int]] = {"handled": {}, "sent": {}, "acked": {}}
    for name, value in fields.items():
        kind, _, lane = name.partition(b":")
        if lane:
            numbers[kind.decode()][int(lane)] = int(value)
    key = fields.get(b"key")
    return {
        "id": session_id,
        "epoch": int(fields[b"epoch"]),
        "owner": fields[b"owner"],
        "key": None if key is None else key.decode(),
        "setup": fields[b"setup"],
        "progress": fields[b"progress"],
        "commit": int(fields[b"commit"]),
        "ttl": int(fields[b"ttl"]) / 1000,
        **numbers,
    }


def _numbers(name: str, numbers: Mapping[int, int]) -> Iterator[Argument]:
    for lane, number in numbers.items():
        yield f"{name}:{lane}"
        yield number


def _pairs(flat: list[bytes]) -> Iterator[tuple[bytes, bytes]]:
    return zip(flat[::2], flat[1::2], strict=True)
