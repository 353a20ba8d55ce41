"""The enums ConnectionState and EndReason."""

from __future__ import annotations

import copy
import pickle

import pytest
from support.states import CONNECTED

from gns_py import ConnectionState, EndReason, EndReasonRange


@pytest.mark.parametrize("number", [6, 77, -4, 0x7FFFFFFF])
def test_a_state_of_a_number_that_is_not_known_survives(number: int) -> None:
    """There may be more states in the future: one without a name is still a state, and equal to its number."""
    state = ConnectionState(number)
    assert isinstance(state, ConnectionState)
    assert state == number
    assert hash(state) == hash(number)
    assert state.name in repr(state)
    assert pickle.loads(pickle.dumps(state)) == copy.copy(state) == state
    assert state not in list(ConnectionState)


def test_matching_states_needs_an_arm_for_those_to_come() -> None:
    """The enum is not exhaustive: a match statement handles unknown states with its wildcard."""

    def name(state: ConnectionState) -> str:
        match state:
            case ConnectionState.CONNECTED:
                return "connected"
            case _:
                return "something else"

    assert [name(CONNECTED), name(ConnectionState(77))] == ["connected", "something else"]


@pytest.mark.parametrize("reason", list(EndReason), ids=lambda reason: str(reason.name))
def test_each_end_reason_has_a_range_and_a_sentence(reason: EndReason) -> None:
    """The reason's range and sentence say where the cause lies."""
    assert reason.explanation.endswith(".")
    assert len(reason.explanation.split()) > 3
    bounds = reason.range.minimum, reason.range.maximum
    if reason is EndReason.INVALID:
        assert reason.range is EndReasonRange.UNKNOWN
    else:
        assert bounds[0] is not None
        assert bounds[1] is not None
        assert bounds[0] <= reason <= bounds[1]
    assert isinstance(reason.can_retry, bool)
