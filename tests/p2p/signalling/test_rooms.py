"""Rooms: names and codes, members and hosts; a model says what they must be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gns_py import Identity
from gns_py.p2p.signalling import Refusal, RoomError
from gns_py.p2p.signalling.rooms import CODE_ALPHABET, Notice, Rooms, normal_code, random_code
from gns_py.p2p.signalling.wire import ANY, Host, Joined, Left, Members

ALICE, BOB, CAROL, DAVE = (Identity.string(name) for name in ("alice", "bob", "carol", "dave"))


@pytest.fixture
def rooms() -> Rooms:
    return Rooms(max_rooms=3, rooms_per_member=2, max_capacity=4)


def refusal(call: Callable[..., object], *arguments: object) -> Refusal:
    with pytest.raises(RoomError) as raised:
        call(*arguments)
    return raised.value.reason


def test_a_room_with_a_code(rooms: Rooms) -> None:
    room = rooms.create(ALICE, "", 2)
    assert normal_code(room.name) == room.name
    assert room.description(7) == Members(7, room.name, 2, ALICE, (ALICE,))
    spelled = f" {room.name[:3].lower()}-{room.name[3:]}"
    found, notice = rooms.join(BOB, spelled)
    assert found is room
    assert notice == Notice((ALICE,), (Joined(room.name, BOB),))
    assert refusal(rooms.join, CAROL, room.name) is Refusal.ROOM_FULL
    assert room.description(8) == Members(8, room.name, 2, ALICE, (ALICE, BOB))


def test_the_member_of_longest_standing_is_the_host(rooms: Rooms) -> None:
    room = rooms.create(ALICE, "lobby", 4)
    rooms.join(BOB, "lobby")
    rooms.join(CAROL, "lobby")
    assert rooms.leave(BOB, "lobby") == Notice((ALICE, CAROL), (Left("lobby", BOB),))
    rooms.join(BOB, "lobby")
    assert rooms.leave(ALICE, "lobby") == Notice((CAROL, BOB), (Left("lobby", ALICE), Host("lobby", CAROL)))
    assert room.host == CAROL
    assert rooms.leave(CAROL, "lobby") == Notice((BOB,), (Left("lobby", CAROL), Host("lobby", BOB)))
    assert rooms.leave(BOB, "lobby") is None
    assert len(rooms) == 0
    assert refusal(rooms.join, ALICE, "lobby") is Refusal.NO_ROOM


def test_to_join_twice_changes_nothing(rooms: Rooms) -> None:
    room = rooms.create(ALICE, "lobby", 1)
    assert rooms.join(ALICE, "lobby") == (room, None)
    assert list(room.members) == [ALICE]


def test_to_leave_a_room_that_one_is_not_in_does_nothing(rooms: Rooms) -> None:
    rooms.create(ALICE, "lobby", 2)
    assert rooms.leave(BOB, "lobby") is None
    assert rooms.leave(ALICE, "elsewhere") is None
    assert rooms.leave_all(BOB) == []


def test_a_room_can_be_created_by_joining(rooms: Rooms) -> None:
    room, notice = rooms.join(ALICE, "k7q-2gp", 3)
    assert (room.name, room.capacity, notice) == ("K7Q2GP", 3, None)
    assert rooms.join(BOB, "K7Q2GP", 99)[0] is room
    assert room.capacity == 3


def test_names_are_taken_once(rooms: Rooms) -> None:
    rooms.create(ALICE, "lobby", 2)
    rooms.create(ALICE, "K7Q2GP", 2)
    assert refusal(rooms.create, BOB, "lobby", 2) is Refusal.ROOM_EXISTS
    assert refusal(rooms.create, BOB, "k7q2gp", 2) is Refusal.ROOM_EXISTS


def test_limits(rooms: Rooms) -> None:
    assert rooms.create(ALICE, "1", 200).capacity == 4
    rooms.create(ALICE, "2", 2)
    assert refusal(rooms.create, ALICE, "3", 2) is Refusal.TOO_MANY_ROOMS
    rooms.create(BOB, "3", 2)
    assert refusal(rooms.join, ALICE, "3") is Refusal.TOO_MANY_ROOMS
    assert refusal(rooms.create, CAROL, "4", 2) is Refusal.TOO_MANY_ROOMS
    assert refusal(rooms.join, CAROL, "4", 2) is Refusal.TOO_MANY_ROOMS
    assert rooms.join(ALICE, "1")[1] is None  # is a member


def test_codes_are_random_and_not_given_twice() -> None:
    assert len({random_code() for _ in range(1000)}) > 990
    assert all(set(random_code()) <= set(CODE_ALPHABET) for _ in range(100))
    codes = iter(["AAAAAA", "AAAAAA", "BBBBBB"])
    rooms = Rooms(10, 10, 4, new_code=lambda: next(codes))
    assert [rooms.create(ALICE, "", 2).name for _ in range(2)] == ["AAAAAA", "BBBBBB"]
    rooms = Rooms(10, 10, 4, new_code=lambda: "AAAAAA")
    rooms.create(ALICE, "", 2)
    assert refusal(rooms.create, ALICE, "", 2) is Refusal.TOO_MANY_ROOMS


@pytest.mark.parametrize("text", ["", "K7Q2G", "K7Q2GPP", "K7Q2G0", "lobby1", "ÄBCDFG"])
def test_not_a_code(text: str) -> None:
    assert normal_code(text) is None


def test_who_is_in_a_common_room(rooms: Rooms) -> None:
    rooms.create(ALICE, "1", 4)
    rooms.join(BOB, "1")
    rooms.create(CAROL, "2", 4)
    assert rooms.are_together(ALICE, BOB)
    assert rooms.are_together(BOB, ALICE)
    assert not rooms.are_together(ALICE, CAROL)
    assert not rooms.are_together(ALICE, DAVE)
    assert not rooms.are_together(DAVE, ALICE)
    rooms.leave_all(BOB)
    assert not rooms.are_together(ALICE, BOB)


PEOPLE = st.sampled_from([ALICE, BOB, CAROL, DAVE])
NAMES = st.sampled_from(["1", "2", "3", "4"])


class Model(RuleBasedStateMachine):
    """Each member keeps what it is told of its rooms; it must always be what the rooms are."""

    def __init__(self) -> None:
        super().__init__()
        self.rooms = Rooms(3, 2, 3)
        self.seen: dict[Identity, dict[str, tuple[list[Identity], Identity]]] = {
            each: {} for each in (ALICE, BOB, CAROL, DAVE)
        }

    def deliver(self, notice: Notice | None) -> None:
        for receiver in notice.receivers if notice else ():
            for message in notice.messages if notice else ():
                assert isinstance(message, Joined | Left | Host)
                members, host = self.seen[receiver][message.room]
                if isinstance(message, Joined):
                    members.append(message.member)
                elif isinstance(message, Left):
                    members.remove(message.member)
                else:
                    host = message.member
                self.seen[receiver][message.room] = members, host

    @rule(who=PEOPLE, name=NAMES, capacity=st.integers(1, 4), creates=st.booleans())
    def enter(self, who: Identity, name: str, capacity: int, creates: bool) -> None:
        try:
            if creates:
                room, notice = self.rooms.create(who, name, capacity), None
            else:
                room, notice = self.rooms.join(who, name, capacity if capacity > 1 else ANY)
        except RoomError:
            return
        answer = room.description(1)
        self.seen[who][name] = list(answer.members), answer.host
        self.deliver(notice)

    @rule(who=PEOPLE, name=NAMES)
    def leave(self, who: Identity, name: str) -> None:
        self.seen[who].pop(name, None)
        self.deliver(self.rooms.leave(who, name))

    @rule(who=PEOPLE)
    def leave_all(self, who: Identity) -> None:
        self.seen[who].clear()
        for notice in self.rooms.leave_all(who):
            self.deliver(notice)

    @invariant()
    def all_know_what_is(self) -> None:
        for who, theirs in self.seen.items():
            for name, (members, host) in theirs.items():
                room = self.rooms.join(who, name)[0]  # a member: nothing changes
                assert list(room.members) == members
                assert room.host == host
                assert len(members) <= room.capacity <= 3
        names = {name for theirs in self.seen.values() for name in theirs}
        assert len(self.rooms) == len(names) <= 3
        for one in self.seen:
            for other in self.seen:
                together = any(other in members for members, _ in self.seen[one].values())
                assert self.rooms.are_together(one, other) == together


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
