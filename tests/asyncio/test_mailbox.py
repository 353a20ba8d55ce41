"""The mailbox of an event loop: when it serves the loop, and what it keeps alive."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest
from support import PATIENCE, counts_references
from support.loops import NoReaders, run_in

import gns_py.asyncio as gns
from gns_py.asyncio.mailbox import LoopMailbox, attached_mailbox, loop_mailbox, loop_mailboxes

if TYPE_CHECKING:
    from support.loops import Runner


class Thing:
    """Something that is kept alive."""


async def pass_a_message() -> None:
    first, second = gns.socket_pair()
    async with first, second:
        first.send(b"x")
        assert await asyncio.wait_for(second.recv(), 5.0 * PATIENCE) == b"x"


def test_it_serves_the_loop_while_there_is_something_to_read(run: Runner) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        assert attached_mailbox(loop) is None
        first, second = gns.socket_pair()
        mailbox = attached_mailbox(loop)
        assert mailbox is not None
        assert mailbox is loop_mailbox()
        assert mailbox in loop_mailboxes()
        mailbox.detach_if_idle()
        assert mailbox.is_attached
        first.close()
        second.close()
        assert not mailbox.is_attached
        assert attached_mailbox(loop) is None

    run(main)


def test_an_idle_one_leaves_and_another_takes_its_place(run: Runner) -> None:
    async def main() -> None:
        idle = loop_mailbox()
        assert idle.is_attached
        idle.detach_if_idle()
        idle.detach_if_idle()
        assert not idle.is_attached
        await pass_a_message()
        another = loop_mailbox()
        assert another is not idle
        another.detach_if_idle()

    run(main)


def test_a_loop_without_readers_is_served_by_a_task() -> None:
    async def main() -> None:
        before = asyncio.all_tasks()
        await pass_a_message()
        assert attached_mailbox(asyncio.get_running_loop()) is None
        while asyncio.all_tasks() != before:
            await asyncio.sleep(0)

    run_in(NoReaders(), main)


@counts_references
@pytest.mark.parametrize("let_go", [True, False])
def test_what_it_keeps_lives_as_long_as_the_loop(let_go: bool) -> None:
    async def main() -> tuple[LoopMailbox, weakref.ref[Thing]]:
        mailbox = loop_mailbox()
        thing = Thing()
        mailbox.keep(thing)
        mailbox.keep(thing)
        if let_go:
            mailbox.let_go(thing)
            mailbox.let_go(thing)
        return mailbox, weakref.ref(thing)

    loop = asyncio.new_event_loop()
    mailbox, thing = loop.run_until_complete(main())
    gc.collect()
    assert (thing() is None) is let_go
    loop.close()
    del loop
    gc.collect()
    assert thing() is None
    late = Thing()
    mailbox.keep(late)  # nothing is left to keep it in
    mailbox.let_go(late)
    mailbox.detach()
