"""Exception groups in blocking handlers and blocks."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from support.groups import BaseExceptionGroup, ExceptionGroup

import gns_py.session.sync as session
import gns_py.sync as gns

apis = pytest.mark.parametrize("api", [gns, session], ids=["connection", "session"])


@apis
@pytest.mark.parametrize("code", [1000, 2000])
@pytest.mark.parametrize("bug", [False, True])
def test_the_own_end_in_a_handlers_group(caplog: pytest.LogCaptureFixture, api: Any, code: int, bug: bool) -> None:
    def handler(connection: Any) -> None:
        connection.send(b"x")
        try:
            while True:
                connection.recv()
        except ConnectionError as error:
            inner: list[Exception] = [error, ZeroDivisionError("a bug")] if bug else [error]
            raise ExceptionGroup("outer", [error, ExceptionGroup("inner", inner)]) from None

    with api.serve(handler, "127.0.0.1", 0) as server, api.connect(*server.address) as client:
        client.recv(timeout=5.0)
        client.close(code)
        assert server.drain(5.0)
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert len(errors) == bug
    for record in errors:
        assert record.exc_info is not None
        rest = record.exc_info[1]
        assert isinstance(rest, ExceptionGroup)
        assert rest.split(ZeroDivisionError)[1] is None
    caplog.clear()


@pytest.mark.parametrize(
    ("error", "code"), [(KeyboardInterrupt(), 1000), (GeneratorExit(), 1000), (ZeroDivisionError(), 2001)], ids=repr
)
def test_the_code_of_a_block_that_ends_by_a_group(error: BaseException, code: int) -> None:
    first, second = gns.socket_pair()
    with second:
        with pytest.raises(BaseExceptionGroup), first:
            raise BaseExceptionGroup("outer", [BaseExceptionGroup("inner", [error])])
        assert second.wait_closed(5.0).code == code
