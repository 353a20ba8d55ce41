"""How threads serve GNS, as steps: see docs/internals/serving.md.

tests/core/test_serving_model.py runs them in every order.

A thread is a tuple of the steps that it has still to do. Each is one access to what threads share, and names the C++
function that it belongs to. If a step cannot know something, it chooses.
"""

from __future__ import annotations

from typing import Any

AWAKE, PAST, SOON, FOREVER = range(4)  # until when a thread sleeps; SOON becomes PAST when time passes
State = dict[str, Any]
Step = tuple[Any, ...]  # a function, which takes the state and these arguments
Steps = tuple[Step, ...]  # what a step returns: those that follow it
BLOCKED: Steps = (("blocked",),)


class BrokenError(AssertionError):
    """Something that must hold does not."""


def store(s: State, name: str, value: object) -> Steps:
    s[name] = value
    return ()


def swap(s: State, name: str, value: object) -> Any:
    before, s[name] = s[name], value
    return before


def call(s: State, then: Step, *results: object) -> Steps:
    """Go on with a function in the same step."""
    function, *arguments = then
    return function(s, *results, *arguments)  # type: ignore[no-any-return]


def choose(*_: object) -> Steps:
    """Go on with one of several steps, given as tuples: see next_states()."""
    raise NotImplementedError


def packets_wait(s: State) -> bool:
    return bool(s["packets a"] or s["packets b"])


# ---- Sleeper ----


def wake(sleeper: str) -> Steps:  # Sleeper::wake
    return ((store, f"{sleeper} woken", True), (rouse, sleeper))


def rouse(s: State, sleeper: str) -> Steps:  # Sleeper::rouse
    if swap(s, f"{sleeper} until", AWAKE) != AWAKE:
        s[f"{sleeper} count"] = True
    return ()


def announce(sleeper: str, until: int, then: Step) -> Steps:  # Sleeper::announce
    return ((store, f"{sleeper} until", until), (look_whether_woken, sleeper, then))


def look_whether_woken(s: State, sleeper: str, then: Step) -> Steps:
    if swap(s, f"{sleeper} woken", False):
        return ((store, f"{sleeper} until", AWAKE), (call, then, False))
    return ((call, then, True),)


def sleep(s: State, sleeper: str, watches: bool, then: Step) -> Steps:  # Sleeper::sleep
    found = watches and packets_wait(s)
    if not found and not s[f"{sleeper} count"] and s[f"{sleeper} until"] > PAST:
        return BLOCKED
    s[f"{sleeper} count"] = False
    return stay_awake(sleeper, (*then, found))


def stay_awake(sleeper: str, then: Step) -> Steps:  # Sleeper::stay_awake
    return ((take_woken, sleeper, then),)


def take_woken(s: State, sleeper: str, then: Step) -> Steps:
    s[f"{sleeper} until"] = AWAKE
    return call(s, then, swap(s, f"{sleeper} woken", False))


# ---- Shift ----


def resign(s: State) -> Steps:  # Shift::resign
    return (*wake("leader"), *wake("pump")) if swap(s, "guest", False) else ()


def is_alone(s: State, kind: str) -> bool:  # Shift::thread_is_alone, Shift::loop_is_alone
    return bool(s["threads"] == (kind == "threads") and s["loops"] == (kind == "loops"))


def begin(s: State, kind: str, then: Steps, otherwise: Steps) -> Steps:  # Shift::begin
    return ((store, "guest", True), (begin_again, kind, then, otherwise)) if is_alone(s, kind) else otherwise


def begin_again(s: State, kind: str, then: Steps, otherwise: Steps) -> Steps:
    return then if is_alone(s, kind) else ((resign,), *otherwise)


def add(s: State, kind: str) -> Steps:  # Shift::add_thread, Shift::add_loop
    s[kind] += 1
    return ((resign,),) if kind == "loops" or s[kind] > 1 else ()


def remove(s: State, kind: str) -> Steps:  # Shift::remove_thread, Shift::remove_loop
    s[kind] -= 1
    return ((resign,),) if kind == "loops" else ()


# ---- Turns, Service, Mailbox ----


def take(s: State, looks: bool, own: str) -> Steps:  # Turns::take
    return BLOCKED if s["turn"] else try_take(s, looks, own, (), ())


def try_take(s: State, looks: bool, own: str, then: Steps, otherwise: Steps) -> Steps:  # Turns::try_take, Turns::run
    if s["turn"]:
        return otherwise
    s["turn"] = True
    return ((serve, looks, own), (note_look, looks), *then)


def serve(s: State, looks: bool, own: str) -> Steps:  # Service::turn; a command ends in an event
    if swap(s, "serving", True):
        raise BrokenError("two threads in a turn")
    steps: Steps = push(s, s["mailboxes"][0], own) if swap(s, "queued", False) else ()
    s["timer"] = FOREVER if s["timer"] == PAST else s["timer"]
    for mailbox in "ab" if looks else "":
        if swap(s, f"packets {mailbox}", False):
            steps += push(s, mailbox, own)
            s["timer"] = min(s["timer"], SOON) if s["sends"] else FOREVER  # to acknowledge it
            s["waited"] = 0
    return steps


def push(s: State, mailbox: str, own: str) -> Steps:  # Mailbox::push, and at the end of the turn Signals::send
    return () if swap(s, f"events {mailbox}", True) else ((signal, mailbox, own),)


def signal(s: State, mailbox: str, own: str) -> Steps:  # Mailbox::signal
    if own == mailbox or not s[f"events {mailbox}"]:
        return ()
    is_heard = s["loop"] == mailbox or s[f"@{mailbox}"][0][0] is wait_for_change
    s[f"notified {mailbox}"] = is_heard  # a descriptor stays readable, a condition variable forgets
    return wake("leader") if s[f"led {mailbox}"] else ()


def note_look(s: State, looks: bool) -> Steps:  # the end of Turns::run
    s["recent"] = s["recent"] or looks
    s["serving"] = s["turn"] = False
    if s["pump until"] > s["timer"]:  # Sleeper::wake_before
        rouse(s, "pump")
    return ()


# ---- Pump, Keeper ----


def pump(s: State, wanted: bool) -> Steps:  # Pump::loop
    in_charge = not s["guest"]
    turn: Steps = ((take, in_charge, ""),) if in_charge or wanted or s["timer"] == PAST else ()
    return (*turn, (rest, in_charge))


def rest(s: State, in_charge: bool) -> Steps:  # Pump::rest, Keeper::plan
    patience = swap(s, "patience", FOREVER)
    if in_charge:
        plan = True, FOREVER
    elif s["recent"]:
        plan = False, SOON
    elif not packets_wait(s):
        plan = True, FOREVER
    elif patience != PAST:
        s["patience"] = SOON
        plan = False, SOON
    else:
        return ((store, "guest", False), (pump, False))  # Shift::take_over
    return announce("pump", plan[1], (rest_again, *plan))


def rest_again(s: State, may_sleep: bool, watches: bool, until: int) -> Steps:
    if may_sleep and s["timer"] < until:
        return announce("pump", s["timer"], (rest_last, watches))
    return rest_last(s, may_sleep, watches)


def rest_last(_s: State, may_sleep: bool, watches: bool) -> Steps:
    return ((sleep, "pump", watches, (pump_wakes,)),) if may_sleep else ((pump, True),)


def pump_wakes(_s: State, woken: bool, _found: bool) -> Steps:
    return ((pump, woken),)


# ---- a thread that waits ----


def receive(s: State, mailbox: str) -> Steps:  # Guests::receive
    if s[f"events {mailbox}"]:
        return ((read, mailbox),)
    return (*add(s, "threads"), (lead, mailbox), (wait, mailbox), (remove, "threads"), (read, mailbox))


def lead(s: State, mailbox: str) -> Steps:  # Guests::lead; its loop is lead_on()
    if swap(s, "leading", True):
        return ((resign,),)
    led = ((store, f"led {mailbox}", True), (lead_on, mailbox))
    return ((begin, "threads", led, ((resign,), (store, "leading", False))),)


def lead_on(_s: State, mailbox: str) -> Steps:
    return announce("leader", FOREVER, (look_for_events, mailbox))


def look_for_events(s: State, may_sleep: bool, mailbox: str) -> Steps:
    if s[f"events {mailbox}"]:
        return stop_leading(mailbox)
    return ((look_for_charge, mailbox, may_sleep),)


def look_for_charge(s: State, mailbox: str, may_sleep: bool) -> Steps:
    then: Step = (sleep, "leader", True, (take_lead_turn, mailbox)) if may_sleep else (lead_on, mailbox)
    return (then,) if s["guest"] else ((begin, "threads", (then,), stop_leading(mailbox)),)


def take_lead_turn(s: State, _woken: bool, mailbox: str, found: bool) -> Steps:
    if not found:
        return ((lead_on, mailbox),)
    goes_on = (choose, ((lead_on, mailbox),), ((resign,), *stop_leading(mailbox)))  # Pace::note
    return ((take, True, mailbox), *give_credit(s), goes_on)


def give_credit(s: State) -> Steps:
    return ((store, "credit", True),) if s["sends"] else ()


def stop_leading(mailbox: str) -> Steps:
    return stay_awake("leader", (leave, mailbox))


def leave(s: State, _woken: bool, mailbox: str) -> Steps:
    s["leading"] = s[f"led {mailbox}"] = False
    return ()


def wait(s: State, mailbox: str) -> Steps:  # Mailbox::wait
    s[f"notified {mailbox}"] = False
    return () if s[f"events {mailbox}"] else ((wait_for_change, mailbox),)


def wait_for_change(s: State, mailbox: str) -> Steps:
    return wait(s, mailbox) if s[f"notified {mailbox}"] else BLOCKED


def read(s: State, mailbox: str) -> Steps:  # Mailbox::receive
    s[f"events {mailbox}"] = s[f"notified {mailbox}"] = False
    return ((python,),)


def python(*_: object) -> Steps:
    return BLOCKED  # the world decides when it goes on: see world()


# ---- an event loop ----


def wait_in_loop(s: State, mailbox: str) -> Steps:  # its own wait for descriptors; PacketWatch
    if not s[f"notified {mailbox}"] and not (s["watched"] and packets_wait(s)):
        return BLOCKED
    return (*(((serve_loop, mailbox),) if s["watched"] else ()), (read_in_loop, mailbox))


def serve_loop(s: State, mailbox: str) -> Steps:  # Guests::serve_loop
    resigned: Steps = ((store, "watched", False), (resign,))
    if swap(s, "leading", True):
        return resigned
    free: Steps = ((store, "leading", False),)
    after = (*give_credit(s), (choose, free, (*resigned, *free)))  # Pace::note
    turn = (try_take, True, mailbox, after, (*give_credit(s), *resigned, *free))
    return ((choose, ((begin, "loops", (turn,), (*resigned, *free)),), (*resigned, *free)),)  # Guests::may_watch


def read_in_loop(s: State, mailbox: str) -> Steps:  # the rest of Guests::receive
    found = s[f"events {mailbox}"]
    return (*read(s, mailbox)[1:], *(((choose, ((watch,),), ()),) if found else ()), (python,))


def watch(s: State) -> Steps:  # Guests::may_watch, Mailbox::watch_packets
    s["watched"] = s["watched"] or is_alone(s, "loops")
    return ()


# ---- a thread that sends ----


def send(s: State) -> Steps:  # gns_send
    s["queued"] = True
    return ((choose, ((send_queued,),), wake("pump")),)


def send_queued(s: State) -> Steps:  # Guests::send_queued
    if not s["credit"] or not s["guest"]:
        return wake("pump")
    return ((use_credit,),)


def use_credit(s: State) -> Steps:
    return ((try_take, False, "", (), wake("pump")),) if swap(s, "credit", False) else wake("pump")


LOCAL = {
    lead_on,
    pump_wakes,
    rest_last,
    take_lead_turn,
}  # touch nothing that is shared, so they need no step of their own
