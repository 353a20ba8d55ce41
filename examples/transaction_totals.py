"""Data with the goodbye: a client reports how many transactions it made, the server how many there were in all.

    python transaction_totals.py [--host HOST] [--port PORT]   the server (127.0.0.1 27015; 0: a free port)
    python transaction_totals.py COUNT [--host HOST] [--port PORT] [--loss PERCENT]   a client

Both ends get an answer, whatever the network loses: this is Winsock's example of disconnect data, on GNS.
"""

import argparse
import contextlib

import gns_py
import gns_py.session.sync as session


def serve(host: str, port: int) -> None:
    grand_total = 0

    def handle(client: session.Session) -> None:
        nonlocal grand_total
        seen = sum(1 for _ in client)  # all transactions; the loop ends with the goodbye
        assert client.end is not None
        total = int(client.end.data)
        grand_total += total
        print(f"{seen} transactions seen, {total} reported, {grand_total} in all", flush=True)
        client.close(data=b"%d" % grand_total)

    with session.serve(handle, host, port) as server:
        print(f"listening on {server.address}", flush=True)
        server.serve_forever()


def transact(host: str, port: int, count: int) -> None:
    with session.connect(host, port, timeout=6.0) as server:
        for number in range(count):
            server.send(b"transaction %d" % number)
            server.drain()
        answer = server.close(1000, "done for today", data=b"%d" % count)
    print(f"reported {count}; {int(answer)} in all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=27015)
    parser.add_argument("--loss", type=float, default=0.0, help="percent of the packets that get lost, each way")
    options = parser.parse_args()
    gns_py.set_config(gns_py.Config(fake_packet_loss_send=options.loss, fake_packet_loss_recv=options.loss))
    try:
        if options.count is None:
            with contextlib.suppress(KeyboardInterrupt):
                serve(options.host, options.port)
        else:
            transact(options.host, options.port, options.count)
    except (session.SessionFailed, gns_py.ListenError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
