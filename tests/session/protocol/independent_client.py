"""A second client of the session protocol, to check "Resuming" in the specification with the test vectors.

It was written from docs/session-protocol.md alone and shares no code with the package. It has no timers.
"""

from typing import Any

from session.protocol.independent_decoder import decode

Lanes = dict[int, int]
Sent = tuple[int, int, bytes]  # lane, number, payload

MAX = 2**64 - 1


def number(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def block(content: bytes) -> bytes:
    return number(len(content)) + content


def lanes(numbers: Lanes) -> bytes:
    listed = sorted((lane, last) for lane, last in numbers.items() if last)
    return number(len(listed)) + b"".join(number(lane) + number(last) for lane, last in listed)


class Client:
    """One session, over any number of connections."""

    def __init__(self, settings: dict[str, Any], window_ms: int) -> None:
        self.out: list[tuple[int, bytes]] = []  # lane, frame
        self.first = settings["credit_bytes"], settings["credit_messages"]
        self.credit: tuple[int, int] = self.first
        self.sent: Lanes = {}
        self.handled: Lanes = {}
        self.received: Lanes = {}
        self.next: Lanes = {}  # the last one on this connection
        self.kept: list[Sent] = []
        self.taken = self.due = 0, 0
        self.connected = self.is_due = self.has_said = self.has_confirmed = False
        self.goodbye: tuple[int, str, bytes] | None = None
        self.theirs: dict[str, int] | None = None
        self.said: bytes | None = None
        self.last_ack: bytes | None = None
        self.session = b"", 0, b""
        limits = [settings["max_message"], *self.first, window_ms, settings["ping_timeout_ms"]]
        hello = b"\x01GNSS" + number(1) + number(1) + number(1) + b"".join(map(number, limits))
        self.out.append((0, hello + block(bytes.fromhex(settings["data"]))))

    # ---- the application ----

    def send(self, lane: int, payload: bytes) -> None:
        self.sent[lane] = self.sent.get(lane, 0) + 1
        message = lane, self.sent[lane], payload
        self.kept.append(message)
        if self.connected:
            self.data(message)

    def data(self, message: Sent) -> None:
        lane, sequence, payload = message
        self.out.append((lane, b"\x10" + number(sequence) + payload))

    def handle(self, lane: int, payload: bytes) -> None:
        self.handled[lane] = self.handled.get(lane, 0) + 1
        self.taken = self.taken[0] + len(payload), self.taken[1] + 1
        steps = min(self.first[0] / 4, 2**20), min(self.first[1] / 4, 4096)
        if any(self.taken[each] - self.due[each] >= steps[each] for each in (0, 1)):
            self.due = self.taken
            self.credit = self.first[0] + self.taken[0], self.first[1] + self.taken[1]
            if self.connected:
                self.ack()
            else:
                self.is_due = True

    def ack(self) -> None:
        self.is_due = False
        if self.last_ack is None:
            self.out.append((0, b"\x09" + self.report()))

    def report(self) -> bytes:
        if self.last_ack is not None:
            return self.last_ack
        return lanes(self.handled) + number(self.credit[0]) + number(self.credit[1])

    def close(self, code: int, text: str, data: bytes) -> None:
        self.goodbye = code, text, data
        self.progress()

    # ---- connections ----

    def drop(self) -> None:
        self.connected = False

    def connect(self) -> None:
        session_id, epoch, token = self.session
        resume = b"\x06GNSS" + number(1) + number(1) + number(1) + session_id + number(epoch) + block(token)
        self.out.append((0, resume + self.report()))
        self.next = dict(self.handled)
        self.is_due = self.has_said = self.has_confirmed = False

    # ---- frames ----

    def receive(self, lane: int, message: bytes) -> None:
        name, fields = decode(message)
        getattr(self, "on_" + name.lower())(lane, fields)
        self.progress()

    def on_welcome(self, _: int, fields: dict[str, Any]) -> None:
        self.session = bytes.fromhex(fields["session_id"]), fields["epoch"], bytes.fromhex(fields["token"])
        self.out.append((0, b"\x03" + number(fields["epoch"])))

    def on_ready(self, _: int, __: dict[str, Any]) -> None:
        self.connected = True

    def on_resumed(self, _: int, fields: dict[str, Any]) -> None:
        assert fields["epoch"] > self.session[1]
        self.session = self.session[0], fields["epoch"], bytes.fromhex(fields["token"])
        self.on_ack(0, fields)
        self.out.append((0, b"\x03" + number(fields["epoch"])))
        self.connected = True
        if self.is_due:
            self.ack()
        for message in self.kept:
            self.data(message)

    def on_ack(self, _: int, fields: dict[str, Any]) -> None:
        handled = fields["handled"]
        self.kept = [each for each in self.kept if each[1] > handled.get(str(each[0]), 0)]

    def on_data(self, lane: int, fields: dict[str, Any]) -> None:
        expected = self.next.get(lane, 0) + 1
        assert fields["sequence"] == expected, "LOST_MESSAGES"
        self.next[lane] = expected
        self.received[lane] = max(self.received.get(lane, 0), expected)

    def on_bye(self, _: int, fields: dict[str, Any]) -> None:
        assert self.theirs in (None, fields["last"])
        self.theirs = fields["last"]

    on_bye_ack = on_bye

    def progress(self) -> None:
        if not self.connected or self.goodbye is None:
            return
        if not self.has_said:
            if self.said is None:
                code, text, data = self.goodbye
                last = lanes(self.sent)
                if self.theirs is None:
                    self.said = b"\x0d" + number(4) + number(code) + block(text.encode()) + last + block(data)
                else:
                    self.said = b"\x0e" + last + block(data)
            self.out.append((0, self.said))
            self.has_said = True
        if self.theirs == {str(lane): last for lane, last in self.received.items()} and not self.has_confirmed:
            self.last_ack = lanes(self.received) + number(MAX) + number(MAX)
            self.out.append((0, b"\x09" + self.last_ack))
            self.has_confirmed = True


def play(exchange: dict[str, Any]) -> None:
    """Play the client of an exchange, and compare its frames with those of the exchange."""
    client = Client(exchange["client"], exchange["window_ms"])
    for step in exchange["steps"]:
        if step.get("from") == "client":
            message = step["lane"], bytes.fromhex(step["bytes"])
            frame = next((each for each in client.out if each[0] == step["lane"]), None)
            assert frame == message, f"{step}, but the client says {frame}"
            client.out.remove(message)
        elif step.get("from") == "server":
            if not step.get("lost"):
                client.receive(step["lane"], bytes.fromhex(step["bytes"]))
        elif step["event"] == "drop":
            client.drop()
        elif step["event"] == "connect":
            client.connect()
        elif step["at"] == "client":
            arguments = {
                name: bytes.fromhex(value) if name in ("payload", "data") else value
                for name, value in step.items()
                if name not in ("event", "at")
            }
            getattr(client, step["event"])(**arguments)
    assert not client.out, f"the client says in addition: {client.out}"
