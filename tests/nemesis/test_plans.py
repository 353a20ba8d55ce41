"""Sessions follow from their names, and steps from the seed."""

from __future__ import annotations

import pytest

from .plans import SIDES, Plan, decode, encode, view_of
from .schedule import DURABLE_WEIGHTS, FLUSH, WEIGHTS, schedule
from .settings import DETECTED, LANES, WINDOW
from .state import NOTHING, State


def test_a_seed_gives_the_same_steps() -> None:
    steps = schedule(7, 60.0, 2, 3)
    assert steps == schedule(7, 60.0, 2, 3)
    assert steps != schedule(8, 60.0, 2, 3)
    assert [each.at for each in steps] == sorted(each.at for each in steps)
    assert {each.client for each in steps} == {0, 1, 2}
    assert {each.server for each in steps} == {0, 1}


def test_the_store_is_harmed_as_well() -> None:
    weights = {**DURABLE_WEIGHTS, **FLUSH}
    steps = schedule(1, 600.0, 3, 3, weights=weights)
    assert {each.name for each in steps} == set(weights)
    assert all(each.lasts > 0 for each in steps if each.name == "kill server")


def test_there_are_steps_of_each_kind_and_outages_of_each_length() -> None:
    steps = schedule(1, 600.0, 2, 3)
    assert {each.name for each in steps} == set(WEIGHTS)
    cuts = [each.lasts for each in steps if each.name.startswith("cut")]
    assert min(cuts) < 0.5 * DETECTED < max(cuts)
    assert any(DETECTED < each < WINDOW for each in cuts)
    assert max(cuts) > DETECTED + WINDOW


def test_messages_are_checked() -> None:
    data = encode("c1_0-1.0.0", "client", 2, 17)
    assert decode(data, "c1_0-1.0.0", "client", 2) == 17
    assert data == encode("c1_0-1.0.0", "client", 2, 17)
    for session, side, lane in (("c1_0-1.0.1", "client", 2), ("c1_0-1.0.0", "server", 2), ("c1_0-1.0.0", "client", 1)):
        with pytest.raises(ValueError, match="arrived for"):
            decode(data, session, side, lane)
    for place in (0, len(data) // 2, len(data) - 1):
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(ValueError, match="the checksum is wrong"):
            decode(bytes(damaged), "c1_0-1.0.0", "client", 2)
    sizes = [len(encode("c1_0-1.0.0", "client", 0, number)) for number in range(1, 2_000)]
    assert min(sizes) < 50
    assert max(sizes) > 10_000


def test_messages_say_which_server_has_sent_them() -> None:
    data = encode("c1_0-1.0.0", "server", 2, 17, "s1_0-1/3")
    assert decode(data, "c1_0-1.0.0", "server", 2) == 17
    assert view_of(data) == "s1_0-1/3"
    assert view_of(encode("c1_0-1.0.0", "server", 2, 17)) == ""
    with pytest.raises(ValueError, match="arrived for"):
        decode(data, "c1_0-1.0.0", "client", 2)


def test_states_are_texts() -> None:
    state = State("s1_0-1/3", 12, (1, 2, 3), (4, 5, 6))
    assert str(state) == "s1_0-1/3:12:1,2,3:4,5,6"
    assert State.parse(str(state)) == state
    assert State.parse(str(NOTHING)) == NOTHING


def test_plans() -> None:
    plans = [Plan.of(f"c1_0-1.0.{number}", 10.0) for number in range(300)]
    assert {each.how for each in plans} == {"complete", "midway", "abort"}
    for plan in plans[:20]:
        assert plan == Plan.of(plan.name, 10.0)
        for side in SIDES:
            sent = [each for burst in plan.bursts(side) for each in burst]
            assert len(sent) == (plan.after if side == plan.closer else plan.counts[side])
            for lane in range(LANES):
                numbers = [each.number for each in sent if each.lane == lane]
                assert numbers == list(range(1, len(numbers) + 1))
