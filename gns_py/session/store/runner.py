"""The way of scripts to the server: in time, each node apart, and again if the cause may be over in a moment."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections import deque
from collections.abc import Iterable

from . import clients, scripts
from .codec import milliseconds
from .errors import StoreError, StoreUnavailable
from .scripts import Answer, Call, Script

_MOST_WORKERS = 4
"""The most connections of a loop to a node."""
_FULL = 250
"""The most calls in a pipeline: the server carries out one while this process packs the next."""
_FIRST_PAUSE = 0.02
_PART_FOR_REPLICAS = 0.6
"""Of the time of an operation, so that there is an answer if they do not get it."""


class _Job:
    """The calls of one operation at one node.

    Args:
        calls: The calls of the operation.
        answers: Their answers, which the job fills in.
        places: The places of those that go to this node.
    """

    def __init__(self, calls: list[Call], answers: list[Answer], places: list[int]) -> None:
        self.calls, self.answers, self.places = calls, answers, places
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._left = len(places)

    def finish(self, count: int = 1) -> None:
        """Count calls that are over."""
        self._left -= count
        if self._left <= 0 and not self.done.done():
            self.done.set_result(None)


class _Queue:
    """The jobs for one node, and how many workers there are for them."""

    def __init__(self) -> None:
        self.jobs: deque[_Job] = deque()
        self.workers = 0
        self.is_starting = False
        """A worker will begin in this turn of the loop, and take what is there then."""


class _Opened:
    """The client of one loop, and how often it was opened there."""

    def __init__(self, client: clients.Client) -> None:
        self.client = client
        self.count = 0
        self.queues: dict[object, _Queue] = {}
        self.tasks: set[asyncio.Task[None]] = set()


class Runner:
    """Carries out scripts, with one client for each loop.

    Operations that begin in one turn of the loop share a pipeline, and so do those that find all connections in use: to
    claim thousands of sessions at once takes a quarter of the time that a pipeline for each would.

    Args:
        make_client: A function that returns a new client.
        timeout: The seconds that run() may take.
        replicas: The number of replicas that must have what a call has written.
    """

    def __init__(self, make_client: clients.Factory, timeout: float, replicas: int) -> None:
        self._make_client = make_client
        self._timeout = timeout
        self._replicas = replicas
        self._lock = threading.Lock()
        self._opened: dict[asyncio.AbstractEventLoop, _Opened] = {}

    def open(self) -> None:
        """Make a client for this loop, if it has none, and count the call."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._opened:
                self._opened[loop] = _Opened(self._make_client())
            self._opened[loop].count += 1

    async def aclose(self) -> None:
        """Close this loop's client with the last call for it."""
        loop = asyncio.get_running_loop()
        with self._lock:
            opened = self._opened.get(loop)
            if opened is None:
                return
            opened.count -= 1
            if opened.count:
                return
            del self._opened[loop]
        for task in opened.tasks:
            task.cancel()
        await asyncio.gather(*opened.tasks, return_exceptions=True)
        await clients.close(opened.client)

    def is_refused(self, problem: StoreError) -> bool:
        """Return whether an exception for a call lasts until the configuration is changed."""
        return clients.is_misconfigured(problem.__cause__)

    async def run(self, calls: Iterable[Call]) -> list[Answer]:
        """Carry out calls, and return the answers, or the exceptions that stand for them, in order."""
        calls = list(calls)
        if not calls:
            return []
        opened = self._opened.get(asyncio.get_running_loop())
        if opened is None:
            raise StoreUnavailable("the store is not open in this loop")
        answers: list[Answer] = [StoreUnavailable(f"no answer from the store in {self._timeout} s") for _ in calls]
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._by_node(opened, calls, answers), self._timeout)
        return list(answers)  # late ones change nothing

    async def _by_node(self, opened: _Opened, calls: list[Call], answers: list[Answer]) -> None:
        """Carry out calls at each node of a cluster on its own, so that a node that hangs harms no other one's."""
        nodes: dict[object, list[int]] = {}
        try:
            if clients.is_cluster(opened.client):
                await opened.client.initialize()
        except clients.PROBLEMS as problem:
            answers[:] = [unavailable(problem) for _ in calls]
            return
        for place, call in enumerate(calls):
            try:
                nodes.setdefault(clients.node_of(opened.client, call.keys[0]), []).append(place)
            except clients.PROBLEMS as problem:  # noqa: PERF203
                answers[place] = unavailable(problem)
        jobs = [
            self._submit(opened, node, _Job(calls, answers, places[at : at + _FULL]))
            for node, places in nodes.items()
            for at in range(0, len(places), _FULL)
        ]
        await asyncio.gather(*(job.done for job in jobs))

    def _submit(self, opened: _Opened, node: object, job: _Job) -> _Job:
        queue = opened.queues.setdefault(node, _Queue())
        queue.jobs.append(job)
        self._start(opened, queue)
        return job

    def _start(self, opened: _Opened, queue: _Queue) -> None:
        """Start a worker, if there can be one more, and none is starting."""
        if not queue.is_starting and queue.workers < _MOST_WORKERS:
            queue.is_starting = True
            queue.workers += 1
            task = asyncio.create_task(self._work(opened, queue))
            opened.tasks.add(task)
            task.add_done_callback(opened.tasks.discard)

    async def _work(self, opened: _Opened, queue: _Queue) -> None:
        """Carry out the jobs of a queue, as many at a time as there are, until there are no more."""
        queue.is_starting = False
        try:
            while queue.jobs:
                jobs: list[_Job] = []
                size = 0
                while queue.jobs and (not jobs or size + len(queue.jobs[0].places) <= _FULL):
                    job = queue.jobs.popleft()
                    if not job.done.done():  # its caller still waits
                        jobs.append(job)
                        size += len(job.places)
                if queue.jobs:
                    self._start(opened, queue)
                await self._carry_out(opened, jobs)
        finally:
            queue.workers -= 1

    async def _carry_out(self, opened: _Opened, jobs: list[_Job]) -> None:
        try:
            await asyncio.wait_for(self._attempts(opened.client, jobs), self._timeout)
        except asyncio.TimeoutError:
            if clients.is_cluster(opened.client):  # perhaps it has replaced the node: the next call finds out
                with contextlib.suppress(asyncio.TimeoutError, *clients.PROBLEMS):
                    await asyncio.wait_for(opened.client.aclose(), self._timeout)
        finally:
            for job in jobs:
                job.finish(len(job.places))

    async def _attempts(self, client: clients.Client, jobs: list[_Job]) -> None:
        """Carry out calls at a node, and those again that failed for a cause that may be over in a moment."""
        pause = _FIRST_PAUSE
        places = [(job, place) for job in jobs for place in job.places]
        while places:
            found = await self._attempt(client, [job.calls[place] for job, place in places])
            unknown: dict[Script, None] = {}
            again: list[tuple[_Job, int]] = []
            is_brief = False
            for (job, place), answer in zip(places, found, strict=True):
                job.answers[place] = unavailable(answer) if isinstance(answer, Exception) else answer
                if isinstance(answer, clients.NoScript):
                    unknown[job.calls[place].script] = None
                    again.append((job, place))
                elif isinstance(answer, Exception) and clients.is_brief(answer):
                    is_brief = True
                    again.append((job, place))
                else:
                    job.finish()
            for script in unknown:
                with contextlib.suppress(*clients.PROBLEMS):  # the next attempt finds out
                    await client.script_load(script.text)
            if is_brief:
                await asyncio.sleep(pause * (0.5 + random.random()))
                pause *= 2
            places = again

    async def _attempt(self, client: clients.Client, calls: list[Call]) -> list[Answer]:
        """Carry out calls at a node, and return answers and the client's exceptions."""
        replicas = 0 if {call.script for call in calls} <= scripts.READS else self._replicas
        try:
            async with client.pipeline(transaction=False) as pipeline:
                for script, keys, arguments in calls:
                    # not evalsha(), which the pipeline of a cluster refuses, for scripts with keys of different nodes
                    pipeline.execute_command("EVALSHA", script.sha, len(keys), *keys, *arguments)
                if replicas:
                    pipeline.wait(replicas, milliseconds(self._timeout * _PART_FOR_REPLICAS))
                answers: list[Answer] = await pipeline.execute(raise_on_error=False)
        except clients.PROBLEMS as problem:
            return [problem] * len(calls)
        if replicas:
            reached = answers.pop()
            if isinstance(reached, Exception) or reached < replicas:
                too_few = StoreUnavailable(f"only {reached} of {replicas} replicas have the write")
                answers = [answer if isinstance(answer, Exception) else too_few for answer in answers]
        if any(isinstance(answer, Exception) and clients.is_brief(answer) for answer in answers):
            await clients.forget_connections(client)
        return answers


def unavailable(problem: Exception) -> StoreError:
    """Return the exception for a call that has failed."""
    if isinstance(problem, StoreError):
        return problem
    error = StoreUnavailable(f"the store cannot work: {str(problem) or type(problem).__name__}")
    error.__cause__ = problem
    return error
