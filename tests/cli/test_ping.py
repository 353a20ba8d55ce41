"""`gns-py ping`."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from support import PATIENCE, Peer

import gns_py.sync as gns

if TYPE_CHECKING:
    import subprocess

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def table(output: str) -> dict[str, str]:
    """Return the rows of the result."""
    _, _, rows = output.partition("round trips\n")
    return dict(re.split(r"\s{2,}", row.strip(), maxsplit=1) for row in rows.splitlines())


def echoing(connection: gns.Connection) -> None:
    while True:
        message = connection.recv_message()
        connection.send(message.data, reliable=message.reliable, nagle=False)


def test_measures_round_trips(run: Run, echo: Any) -> None:
    result = run("ping", f"127.0.0.1:{echo.port}", "-c", 20, "-i", 0.01, "-s", 100)
    assert (result.returncode, result.stderr) == (0, "")
    times = [float(each) for each in re.findall(r"100 bytes, seq \d+: ([\d.]+) ms", result.stdout)]
    assert len(times) >= 15  # the machine may be busy, and the messages are unreliable
    rows = table(result.stdout)
    assert rows["sent"] == "20"
    assert rows["came back"] == str(len(times))
    percentiles = [float(rows[name].removesuffix(" ms")) for name in ("min", "p50", "p90", "p99", "max")]
    assert percentiles == sorted(percentiles)
    assert (percentiles[0], percentiles[-1]) == (min(times), max(times))
    assert 0 < percentiles[0] < 1000
    assert int(rows["GNS's own ping"].removesuffix(" ms")) < 1000


def test_quiet_prints_only_the_result(run: Run, echo: Any) -> None:
    result = run("ping", f"localhost:{echo.port}", "-c", 3, "-i", 0.01, "-q")
    assert result.returncode == 0
    assert "seq" not in result.stdout
    assert table(result.stdout)["sent"] == "3"


def test_large_reliable_messages(run: Run, echo: Any) -> None:
    result = run("ping", f"127.0.0.1:{echo.port}", "-c", 2, "-i", 0.5, "-s", 524288, "--reliable")
    assert (result.returncode, result.stderr) == (0, "")
    rows = table(result.stdout)
    assert (rows["came back"], rows["unanswered"]) == ("2", "0 (0.0%)")


def test_measures_loss(run: Run, process_config: Callable[[gns.Config], None]) -> None:
    """This process is the server and loses a third of what it sends."""
    process_config(gns.Config(fake_packet_loss_send=33.0))
    with gns.serve(echoing, "127.0.0.1", 0) as server:
        result = run("ping", f"127.0.0.1:{server.address.port}", "-c", 200, "-i", 0.005, "-q")
    assert result.returncode == 0
    rows = table(result.stdout)
    came_back, lost = int(rows["came back"]), int(rows["lost"].split()[0])
    assert came_back + lost == int(rows["sent"]) == 200
    assert 30 <= lost <= 110  # far beyond five standard deviations


def test_counts_only_its_own_answers_and_each_once(run: Run) -> None:
    def noisy(connection: gns.Connection) -> None:
        connection.send(b"welcome")
        while True:
            message = connection.recv_message()
            for data in (message.data, message.data, b"x" * len(message.data), message.data + b"more"):
                connection.send(data, nagle=False)

    with gns.serve(noisy, "127.0.0.1", 0) as server:
        result = run("ping", f"127.0.0.1:{server.address.port}", "-c", 5, "-i", 0.02, "--reliable")
    assert result.returncode == 0
    assert len(re.findall(r"seq \d+", result.stdout)) == 5
    assert table(result.stdout)["came back"] == "5"


def test_no_server(run: Run, listener: gns.ListenSocket) -> None:
    port = listener.address.port
    listener.close()
    begin = time.monotonic()
    result = run("ping", f"127.0.0.1:{port}", "-W", 1)
    assert time.monotonic() - begin < 5.0 * PATIENCE
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert f"cannot connect to 127.0.0.1 port {port}" in result.stderr
    assert "MISC_TIMEOUT" in result.stderr


def test_refused(run: Run) -> None:
    def refuse(event: gns.StatusChanged[gns.Connection]) -> None:
        if event.end is None:
            event.connection.close(1003, "members only", linger=False)

    with gns.serve(echoing, "127.0.0.1", 0, on_status_changed=refuse) as server:
        result = run("ping", f"127.0.0.1:{server.address.port}")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "1003" in result.stderr
    assert "members only" in result.stderr


def test_a_server_that_does_not_echo(run: Run) -> None:
    def silent(connection: gns.Connection) -> None:
        connection.wait_closed()

    with gns.serve(silent, "127.0.0.1", 0) as server:
        result = run("ping", f"127.0.0.1:{server.address.port}", "-c", 2, "-i", 0.01, "-W", 1)
    assert result.returncode == 1
    assert table(result.stdout)["lost"] == "2 (100.0%)"
    assert result.stderr.count("\n") == 1
    assert "does that server echo?" in result.stderr


def test_a_server_that_hangs_up(run: Run) -> None:
    def echo_twice(connection: gns.Connection) -> None:
        for _ in range(2):
            connection.send(connection.recv(), nagle=False)
        connection.close(2007, "enough")

    with gns.serve(echo_twice, "127.0.0.1", 0) as server:
        result = run("ping", f"127.0.0.1:{server.address.port}", "--reliable")
    assert result.returncode == 1
    assert table(result.stdout)["came back"] == "2"
    assert result.stderr.count("\n") == 1
    assert "2007" in result.stderr
    assert "enough" in result.stderr


def test_an_unknown_name(run: Run) -> None:
    result = run("ping", "nobody.invalid")
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "nobody.invalid" in result.stderr


@pytest.mark.parametrize("form", ["[::1]:{}", "localhost:{}"])
def test_forms_of_addresses(run: Run, form: str) -> None:
    try:
        server = gns.serve(echoing, "::", 0)
    except OSError:
        pytest.skip("no IPv6")
    with server:
        result = run("ping", form.format(server.address.port), "-c", 1)
    assert result.returncode == 0


def test_ctrl_c_prints_what_there_is(start: Callable[..., Peer], echo: Any) -> None:
    with start("ping", f"127.0.0.1:{echo.port}", "-c", 1000, "-i", 0.05) as program:
        assert program.line().startswith("ping 127.0.0.1:")
        assert "seq 1:" in program.line()
        program.interrupt()
        while (line := program.line()) != "round trips":
            assert "seq" in line
        assert program.line().split()[0] == "sent"
        assert program.wait() == 130
        assert program.stderr == ""


EVIL = "a\nERROR forged\r\x1b[2J\u202e"


def test_what_a_server_says_is_shown_as_data(run: Run) -> None:
    def leave(connection: gns.Connection) -> None:
        connection.recv()
        connection.close(2000, EVIL)

    def refuse(event: gns.StatusChanged[gns.Connection]) -> None:
        if event.end is None:
            event.connection.close(1003, EVIL, linger=False)

    for handler, callback in ((leave, None), (echoing, refuse)):
        with gns.serve(handler, "127.0.0.1", 0, on_status_changed=callback) as server:
            result = run("ping", f"127.0.0.1:{server.address.port}")
        assert result.returncode == 1
        (line,) = result.stderr.splitlines()
        assert line.isprintable()
        assert "ERROR forged" in line
