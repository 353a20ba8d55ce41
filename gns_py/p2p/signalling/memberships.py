"""The rooms that a client of a signalling server is in, and its requests for them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from ...identity import Identity
from .errors import Refusal, RoomError, SignallingError
from .fields import WireError
from .room import Room
from .wire import Host, Join, Joined, Leave, Left, Members, Message


class Request:
    """A request to create or to join a room.

    Args:
        number: Its number.
        data: The message.
    """

    __slots__ = ("answer", "data", "number")

    def __init__(self, number: int, data: bytes) -> None:
        self.number = number
        self.data = data
        self.answer: asyncio.Future[Room] = asyncio.get_running_loop().create_future()


class Memberships:
    """The rooms of one client, over all of its connections.

    Args:
        put: Adds a message to those that are sent on the present connection.
    """

    def __init__(self, put: Callable[[bytes], object]) -> None:
        self._put = put
        self._numbers = itertools.count(1)
        self._rooms: dict[str, Room] = {}
        self._claimed: set[str] = set()  # rooms that the application has
        self._requests: dict[int, asyncio.Future[Room] | None] = {}  # None if no one waits for the answer any longer
        self._rejoining: dict[int, Room] = {}
        self._is_connected = False

    # ---- requests ---------------------------------------------------------------------------------------------------

    def new_request(self, message_of: Callable[[int], Message]) -> Request:
        """Return a request, which is not sent yet.

        Args:
            message_of: Returns the message for a number.

        Raises:
            ValueError: A value is out of range.
        """
        number = next(self._numbers)
        try:
            return Request(number, message_of(number).encode())
        except WireError as error:
            raise ValueError(str(error)) from None

    async def send(self, request: Request) -> Room:
        """Send a request, and wait for the answer.

        Raises:
            RoomError: It is refused.
            SignallingError: The connection was lost meanwhile.
        """
        self._requests[request.number] = request.answer
        self._put(request.data)
        return await request.answer

    def claim(self, room: Room) -> None:
        """Note that the application has this room now, and will leave it by itself."""
        self._claimed.add(room.name)

    def finish(self, request: Request) -> None:
        """Forget a request. If its answer is still due, the room that it brings will be left again."""
        if request.answer.done() and not request.answer.cancelled():
            request.answer.exception()  # asyncio complains of one that no one has seen
            self._requests.pop(request.number, None)
        elif request.number in self._requests:
            self._requests[request.number] = None
        self._leave_unclaimed()

    def _leave_unclaimed(self) -> None:
        """Leave the rooms of requests that were given up, unless another request, perhaps for the same room, is due."""
        if any(answer is not None for answer in self._requests.values()):
            return
        for name in self._rooms.keys() - self._claimed:
            self._rooms[name].end(None)
            self._leave(self._rooms[name])

    def _leave(self, room: Room) -> None:
        if self._rooms.get(room.name) is not room:
            return
        self._forget(room)
        if self._is_connected:
            self._put(Leave(room.name).encode())

    def _forget(self, room: Room) -> None:
        del self._rooms[room.name]
        self._claimed.discard(room.name)

    # ---- messages of the server -------------------------------------------------------------------------------------

    def on_members(self, message: Members, own: Identity) -> None:
        """Take an answer: this client, with its own identity, is a member of a room."""
        rejoined = self._rejoining.pop(message.request, None)
        is_answer = message.request in self._requests
        room = self._rooms.get(message.room)
        if room is not None:
            room.describe(message)
        elif is_answer:
            room = self._rooms[message.room] = Room(message, own, self._leave)
        if rejoined is not None and rejoined is not room:
            self._lose(rejoined, RoomError(Refusal.NO_ROOM))
        if is_answer and room is not None:
            answer = self._requests[message.request]
            if answer is None:
                del self._requests[message.request]
            elif not answer.done():
                answer.set_result(room)
            self._leave_unclaimed()

    def on_refusal(self, request: int, error: RoomError) -> None:
        """Take an answer: a request is refused, or the client may not be a member of its room again."""
        if (room := self._rejoining.pop(request, None)) is not None:
            self._lose(room, error)
        elif (answer := self._requests.get(request)) is not None:
            if not answer.done():
                answer.set_exception(error)
        else:
            self._requests.pop(request, None)

    def on_change(self, message: Joined | Left | Host) -> None:
        """Take news of a room; of others than those of this client it means nothing."""
        room = self._rooms.get(message.room)
        if room is not None:
            room.change(message)

    def _lose(self, room: Room, error: RoomError) -> None:
        if self._rooms.get(room.name) is room:
            self._forget(room)
        room.end(error)

    # ---- connections ------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Join all rooms again, on a new connection."""
        self._is_connected = True
        self._rejoining = {next(self._numbers): room for room in self._rooms.values()}
        for number, room in self._rejoining.items():
            self._put(Join(number, room.name, room.capacity).encode())

    def interrupt(self, error: SignallingError) -> None:
        """Let all requests fail, since the connection was lost; the rooms stay."""
        self._is_connected = False
        for answer in self._requests.values():
            if answer is not None and not answer.done():
                answer.set_exception(error)
        self._requests.clear()

    def end(self, error: SignallingError | None, for_requests: SignallingError) -> None:
        """End all rooms, with an exception or without, and let all requests fail."""
        for room in self._rooms.values():
            room.end(error)
        self._rooms.clear()
        self._claimed.clear()
        self.interrupt(for_requests)
