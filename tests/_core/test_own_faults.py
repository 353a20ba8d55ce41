"""Which exceptions are gns_py's own fault."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest

from gns_py import Address
from gns_py._core.own_faults import is_own_fault


def interrupt() -> None:
    raise KeyboardInterrupt


def run_out_of_memory() -> None:
    raise MemoryError


@pytest.mark.parametrize(
    ("call", "is_own"),
    [
        (lambda: Address("nowhere", 1), True),
        (lambda: ipaddress.ip_address("x"), True),
        (run_out_of_memory, True),
        (lambda: int("x"), False),  # as a signal handler of the application
        (interrupt, False),
    ],
    ids=["gns_py", "ipaddress", "memory", "application", "Ctrl-C"],
)
def test_whose_fault_it_is(call: Callable[[], object], is_own: bool) -> None:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - the parameters say which
        call()
    assert is_own_fault(caught.value) is is_own
