"""A program in another language: watches a monitor, is told of a failure, and goes on where it was.

Usage: watch_client.py STUBS ADDRESS TARGET
STUBS is the folder with what was generated from auscult.proto.
"""

import sys

import grpc

stubs, address, target = sys.argv[1:]
sys.path.insert(0, stubs)
import auscult_pb2 as auscult  # noqa: E402
import auscult_pb2_grpc as services  # noqa: E402

PATIENCE = 30


def say(text):
    print(text, flush=True)


def watch_until(status, after):
    """Follows one call until the target has that status; the number of the event that says so."""
    with grpc.insecure_channel(address) as channel:
        call = services.MonitorStub(channel).Watch(auscult.WatchRequest(after=after, target=target), timeout=PATIENCE)
        last = after
        for response in call:
            assert response.WhichOneof("what") == "event", response
            event = response.event
            assert event.id > last and event.target == target, event
            last = event.id
            if event.kind == "transition" and event.to == status:
                say(f"told {event.target} is {event.to}: {event.text}")
                call.cancel()
                return last


# From the oldest one kept, however late this began.
up = watch_until("up", 0)
down = watch_until("down", up)
# Told of while nobody watched, or while this one does: never twice, and never not.
again = watch_until("up", down)
assert up < down < again
say("resumed")
