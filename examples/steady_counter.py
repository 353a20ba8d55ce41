"""A counter that outlives its network: cut the cable, or change from Wi-Fi to a phone, and it misses no number.

python steady_counter.py [--host HOST] [--port PORT]            the server (127.0.0.1 27015; 0: a free port)
python steady_counter.py COUNT [--host HOST] [--port PORT]      a client that counts, ten numbers a second
"""

import argparse
import asyncio
import contextlib

import gns_py.session.asyncio as session

# Outages are noticed within two seconds, and may last for a minute. The shorter wish of both ends applies.
SETTINGS = session.SessionConfig(ping_timeout=2.0, resume_window=60.0)


def report_drop(lost: session.Session, why: session.SessionEnd) -> None:
    print(f"lost the connection to {lost.remote_address}: {why.reason.name}", flush=True)


def report_return(resumed: session.Session, replayed: int) -> None:
    print(f"going on with {resumed.remote_address}, {replayed} to be sent again", flush=True)


async def check(client: session.Session) -> None:
    """Serve a client. Neither this nor count() knows that there are outages."""
    expected = 1
    try:
        async for data in client:
            if int(data) != expected:
                client.close(2000, f"{int(data)} instead of {expected}")
                return
            client.send(data)
            expected += 1
        print(f"counted to {expected - 1}", flush=True)
    except session.SessionClosedError as closed:
        print(f"counted to {expected - 1}, then: {closed}", flush=True)


async def serve(host: str, port: int) -> None:
    async with session.serve(
        check, host, port, session_config=SETTINGS, on_dropped=report_drop, on_resumed=report_return
    ) as server:
        print(f"listening on {server.address}", flush=True)
        await server.serve_forever()


async def count(host: str, port: int, last: int) -> None:
    async with session.connect(
        host, port, timeout=3.0, session_config=SETTINGS, on_dropped=report_drop, on_resumed=report_return
    ) as server:
        for number in range(1, last + 1):
            server.send(b"%d" % number)
            print(int(await server.recv()), flush=True)
            await asyncio.sleep(0.1)
        outages = f"{server.drops} outages, {server.time_dropped:.1f} s in all"
    print(f"counted to {last}: {outages}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=27015)
    options = parser.parse_args()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            if options.count is None:
                asyncio.run(serve(options.host, options.port))
            else:
                asyncio.run(count(options.host, options.port, options.count))
    except (session.SessionFailed, session.SessionClosedError, OSError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
