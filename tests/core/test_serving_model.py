"""Runs the model of how threads serve GNS through all its states: see tests/support/serving_model.py.

Packets, sends, the passing of time, and what Python does between two calls may happen at any moment, or never. A state
is *settled* when no thread has a step to do, and only the world can go on. There it shows that a wake-up was lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain

import pytest
from support import serving_model as model
from support.serving_model import AWAKE, BLOCKED, FOREVER, LOCAL, PAST, SOON, BrokenError, State, Step, Steps, swap

LONGEST_BURST = 2  # things that happen to threads that are not settled, at a time
LONGEST_WAIT = 2  # of packets: twice Keeper::patience_us


def first_state(threads: str, loop: str, sends: bool) -> State:
    """Return the state at the beginning: the mailboxes that a thread reads, and the one that a loop reads."""
    s: State = dict.fromkeys(("turn", "serving", "guest", "credit", "leading", "queued", "recent", "watched"), False)
    s |= {"threads": 0, "loops": 0, "timer": FOREVER, "patience": FOREVER, "waited": 0, "burst": 0}
    s |= {"mailboxes": threads + loop, "loop": loop, "sends": sends}
    for mailbox in "ab":
        s |= {f"{what} {mailbox}": False for what in ("events", "packets", "led", "notified")}
    for sleeper in ("pump", "leader"):
        s |= {f"{sleeper} until": AWAKE, f"{sleeper} woken": False, f"{sleeper} count": False}
    return s | {"@pump": ((model.pump, False),), "@sender": (), "@a": ((model.python,),), "@b": ((model.python,),)}


def next_states(s: State) -> Iterator[State]:
    """Yield the states after the next step of each thread that can do one."""
    for thread in ("@pump", "@sender", "@a", "@b"):
        if not s[thread]:
            continue
        (function, *arguments), *others = s[thread]
        choices = arguments if function is model.choose else [None]
        for choice in choices:
            after = dict(s)
            steps: Steps = function(after, *arguments) if choice is None else choice
            if steps is BLOCKED:
                continue
            steps = (*steps, *others)
            while steps and steps[0][0] in LOCAL:
                steps = (*steps[0][0](after, *steps[0][1:]), *steps[1:])
            after[thread] = steps
            yield after


def world(s: State, is_settled: bool) -> Iterator[State]:
    """Yield the states after each thing that may happen to the threads."""
    is_small = len(s["mailboxes"]) == 1  # otherwise packets and time are slow, or there would be too many states
    for mailbox in s["mailboxes"]:
        if is_small or (is_settled and not model.packets_wait(s)):
            yield s | {f"packets {mailbox}": True}
        if s[f"@{mailbox}"] == ((model.python,),):
            if mailbox != s["loop"]:
                yield s | {f"@{mailbox}": ((model.receive, mailbox),)}
            elif s["loops"]:
                yield s | {f"@{mailbox}": ((model.wait_in_loop, mailbox),)}
                forgets = ((model.store, "watched", False), (model.remove, "loops"))  # Guests::forget_loop
                yield s | {f"@{mailbox}": (*forgets, (model.python,))}
            else:
                yield s | {f"@{mailbox}": ((model.add, "loops"), (model.watch,), (model.python,))}  # Guests::descriptor
    if s["sends"] and not s["@sender"]:
        yield s | {"@sender": ((model.send,),)}
    if not (is_small or is_settled):
        return
    passed = {name: PAST for name in ("pump until", "timer", "patience") if s[name] == SOON}
    waited = s["waited"] + int(is_settled and model.packets_wait(s))
    yield s | {"recent": False, "waited": waited} | passed


def check(s: State) -> None:
    """Check what must hold in a settled state."""
    if s["queued"]:
        raise BrokenError("a command waits")
    if s["timer"] == PAST and s["pump until"] == FOREVER:
        raise BrokenError("a timer waits")
    if model.packets_wait(s) and (not s["guest"] or s["waited"] >= LONGEST_WAIT):
        raise BrokenError("packets wait")
    if s["guest"] and s["threads"] + s["loops"] > 1:
        raise BrokenError("a guest is in charge, and is not alone")
    for mailbox in s["mailboxes"]:
        if s[f"events {mailbox}"] and s[f"@{mailbox}"] != ((model.python,),):
            raise BrokenError(f"the reader of mailbox {mailbox} sleeps although it has something")


def explore(s: State) -> int:
    """Visit every state that follows, and return how many there are."""
    known = {key_of(s)}
    waiting = [(key_of(s), s)]
    steps: dict[int, list[int]] = {}
    while waiting:
        key, s = waiting.pop()
        after = [(key_of(following), following) for following in next_states(s)]
        steps[key] = [each for each, _ in after]
        is_settled = not after
        if is_settled:
            check(s)
            s["burst"] = 0
        if s["burst"] < LONGEST_BURST:
            happens = ({**following, "burst": s["burst"] + 1} for following in world(s, is_settled))
            after += [(key_of(following), following) for following in happens]
        for each in after:
            if each[0] not in known:
                known.add(each[0])
                waiting.append(each)
    check_that_threads_settle(steps)
    return len(known)


def key_of(s: State) -> int:
    """Return what stands for a state: all the states themselves would take too long to compare."""
    return hash(tuple(s.values()))


def check_that_threads_settle(steps: dict[int, list[int]]) -> None:
    """Check that no thread keeps others, or itself, busy forever: steps lead from no state back to it."""
    ways_in = Counter(chain.from_iterable(steps.values()))
    ready = [key for key in steps if not ways_in[key]]
    for key in ready:  # which grows
        for following in steps[key]:
            ways_in[following] -= 1
            if not ways_in[following]:
                ready.append(following)
    if len(ready) < len(steps):
        raise BrokenError("threads go in circles")


WORLDS = {
    "a thread that waits, and one that sends": ("a", "", True),
    "two threads that wait": ("ab", "", False),
    "a loop, and a thread that sends": ("", "b", True),
    "a thread that waits, and a loop": ("a", "b", False),
}


@pytest.mark.parametrize("name", WORLDS)
def test_every_state_is_sound(name: str) -> None:
    assert explore(first_state(*WORLDS[name])) > 10_000


# Each of these takes the place of a part of the model.
real_signal, real_note_look, real_sleep = model.signal, model.note_look, model.sleep


def lead_without_a_second_look(_s: State, may_sleep: bool, mailbox: str) -> Steps:
    return ((model.look_for_charge, mailbox, may_sleep),)


def announce_too_late(sleeper: str, until: int, then: Step) -> Steps:
    return ((look_whether_woken_early, sleeper, until, then),)


def look_whether_woken_early(s: State, sleeper: str, until: int, then: Step) -> Steps:
    if swap(s, f"{sleeper} woken", False):
        return ((model.call, then, False),)
    return ((model.store, f"{sleeper} until", until), (model.call, then, True))


def begin_without_a_second_look(s: State, kind: str, then: Steps, otherwise: Steps) -> Steps:
    return ((model.store, "guest", True), *then) if model.is_alone(s, kind) else otherwise


def add_without_resigning(s: State, kind: str) -> Steps:
    s[kind] += 1
    return ((model.resign,),) if s[kind] > 1 else ()


def resign_in_silence(s: State) -> Steps:
    s["guest"] = False
    return ()


def signal_none_but_own(s: State, mailbox: str, own: str) -> Steps:
    return () if own else real_signal(s, mailbox, own)


def signal_without_the_leader(s: State, mailbox: str, own: str) -> Steps:
    real_signal(s, mailbox, own)
    return ()


def wake_the_wrong_way_round(sleeper: str) -> Steps:
    return ((model.rouse, sleeper), (model.store, f"{sleeper} woken", True))


def wake_without_a_word(sleeper: str) -> Steps:
    return ((model.rouse, sleeper),)


def send_after_waking(_s: State) -> Steps:
    return (*model.wake("pump"), (model.store, "queued", True))


def look_without_the_lock(_s: State, looks: bool, own: str, then: Steps, _otherwise: Steps) -> Steps:
    return ((model.serve, looks, own), (model.note_look, looks), *then)


def trust_the_first_plan(_s: State, may_sleep: bool, watches: bool, _until: int) -> Steps:
    return model.rest_last(_s, may_sleep, watches)


def take_any_turn_for_a_look(s: State, _looks: bool) -> Steps:
    return real_note_look(s, looks=True)


def sleep_without_reading(s: State, sleeper: str, watches: bool, then: Step) -> Steps:
    count = s[f"{sleeper} count"]
    steps = real_sleep(s, sleeper, watches, then)
    s[f"{sleeper} count"] = count
    return steps


def leave_the_timer_to_chance(s: State, looks: bool) -> Steps:
    until = swap(s, "pump until", AWAKE)
    real_note_look(s, looks)
    s["pump until"] = until
    return ()


THREAD, THREADS, _, BOTH = WORLDS

MUTATIONS: list[tuple[str, Callable[..., Steps], str, str]] = [
    ("look_for_events", lead_without_a_second_look, THREAD, "sleeps although"),
    ("announce", announce_too_late, THREAD, "waits"),
    ("wake", wake_the_wrong_way_round, THREAD, "waits"),
    ("wake", wake_without_a_word, THREAD, "waits"),
    ("sleep", sleep_without_reading, THREAD, "in circles"),
    ("send", send_after_waking, THREAD, "a command waits"),
    ("try_take", look_without_the_lock, THREAD, "two threads in a turn"),
    ("rest_again", trust_the_first_plan, THREAD, "a timer waits"),
    ("note_look", take_any_turn_for_a_look, THREAD, "packets wait"),
    ("note_look", leave_the_timer_to_chance, THREAD, "a timer waits"),
    ("signal", signal_without_the_leader, THREAD, "sleeps although"),
    ("signal", signal_none_but_own, THREADS, "sleeps although"),
    ("begin", begin_without_a_second_look, THREADS, "is not alone"),
    ("resign", resign_in_silence, THREADS, "packets wait"),
    ("add", add_without_resigning, BOTH, "is not alone"),
]


@pytest.mark.parametrize(("name", "function", "where", "what"), MUTATIONS)
def test_a_mistake_is_found(
    monkeypatch: pytest.MonkeyPatch, name: str, function: Callable[..., Steps], where: str, what: str
) -> None:
    monkeypatch.setattr(model, name, function)
    with pytest.raises(BrokenError, match=what):
        explore(first_state(*WORLDS[where]))
