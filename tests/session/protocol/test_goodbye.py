"""The exchange of goodbyes, without engines: who says what first, and which end follows from it."""

from __future__ import annotations

import pytest

from gns_py import ClosedBy
from gns_py.session import CloseReason
from gns_py.session.protocol.frames import LAST_CREDIT, Ack, Bye, ByeAck
from gns_py.session.protocol.goodbye import GoodbyeExchange
from gns_py.session.protocol.violation import Violation

OURS = Bye(CloseReason.CLOSED_BY_CLIENT, 1001, "ours", {}, b"our data")
THEIRS = Bye(CloseReason.CLOSED_BY_SERVER, 1002, "theirs", {0: 2}, b"their data")


def exchange(*, is_client: bool = True) -> GoodbyeExchange:
    goodbyes = GoodbyeExchange(is_client=is_client)
    goodbyes.ours = OURS
    return goodbyes


def test_before_any_goodbye_no_end_is_expected() -> None:
    goodbyes = GoodbyeExchange(is_client=True)
    assert goodbyes.expected_end is goodbyes.agreed_end is None


def test_the_first_goodbye_is_a_bye_and_its_answer_brings_the_data() -> None:
    goodbyes = exchange()
    assert goodbyes.expected_end is not None
    assert not goodbyes.expected_end.is_confirmed
    assert goodbyes.say({0: 3}) == Bye(CloseReason.CLOSED_BY_CLIENT, 1001, "ours", {0: 3}, b"our data")
    answer = ByeAck({}, b"answer")
    assert goodbyes.may_be_theirs(answer)
    goodbyes.take(answer, {}, 0)
    end = goodbyes.agreed_end
    assert end is goodbyes.expected_end or end == goodbyes.expected_end
    assert end is not None
    assert (end.closed_by, end.code, end.text, end.data) == (ClosedBy.LOCAL, 1001, "ours", b"answer")


def test_the_answer_to_a_goodbye_says_only_the_data() -> None:
    goodbyes = exchange()
    goodbyes.take(THEIRS, {0: 2}, 2)
    assert not goodbyes.may_be_theirs(ByeAck({}, b""))
    assert goodbyes.say({0: 3}) == ByeAck({0: 3}, b"our data")
    assert goodbyes.agreed_end is not None
    assert goodbyes.agreed_end.closed_by is ClosedBy.PEER


@pytest.mark.parametrize("is_client", [True, False])
def test_of_two_goodbyes_at_once_the_clients_holds(is_client: bool) -> None:
    goodbyes = exchange(is_client=is_client)
    goodbyes.say({})
    goodbyes.take(THEIRS, {0: 2}, 2)
    end = goodbyes.agreed_end
    assert end is not None
    assert (end.text, end.data) == (("ours" if is_client else "theirs"), b"their data")


@pytest.mark.parametrize(
    ("received", "granted", "text"),
    [({0: 3}, 9, "message 3 of lane 0 arrived after the last one"), ({1: 1}, 9, "lane 1"), ({0: 2}, 1, "no credit")],
)
def test_a_goodbye_that_contradicts_the_messages_is_refused(received: dict[int, int], granted: int, text: str) -> None:
    goodbyes = exchange()
    with pytest.raises(Violation, match=text) as refused:
        goodbyes.take(THEIRS, received, granted)
    assert refused.value.reason is CloseReason.LOST_MESSAGES
    assert goodbyes.theirs is None


def test_only_an_ack_with_the_last_credit_after_both_goodbyes_confirms() -> None:
    goodbyes = exchange()
    last = Ack({}, LAST_CREDIT, LAST_CREDIT)
    assert not goodbyes.may_confirm(last)
    goodbyes.say({})
    assert not goodbyes.may_confirm(last)
    goodbyes.take(ByeAck({}, b""), {}, 0)
    assert goodbyes.may_confirm(last)
    assert not goodbyes.may_confirm(Ack({}, LAST_CREDIT, 1))
    assert goodbyes.confirm({0: 1}) == Ack({0: 1}, LAST_CREDIT, LAST_CREDIT)
    assert goodbyes.has_confirmed


def test_on_a_new_connection_the_same_is_said_again_and_the_peers_last_ack_counts_at_once() -> None:
    goodbyes = exchange()
    said = goodbyes.say({0: 3})
    goodbyes.take(THEIRS, {0: 2}, 2)
    goodbyes.confirm({0: 2})
    goodbyes.begin_again()
    assert [goodbyes.is_said, goodbyes.has_arrived, goodbyes.has_confirmed] == [False] * 3
    assert goodbyes.last_ack == Ack({0: 2}, LAST_CREDIT, LAST_CREDIT)
    assert goodbyes.may_confirm(Ack({0: 3}, LAST_CREDIT, LAST_CREDIT))
    assert goodbyes.say({0: 3}) == said
    goodbyes.take(THEIRS, {0: 2}, 2)
    with pytest.raises(Violation, match="not the one that was said before"):
        goodbyes.take(ByeAck({}, b""), {}, 2)
