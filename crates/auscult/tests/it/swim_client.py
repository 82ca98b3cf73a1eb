"""A program in another language: pings a member, joins, and is told of a failure.

Usage: swim_client.py STUBS DETECTOR DISSEMINATION SECOND THIRD, each an address but the first.
STUBS is the folder with what was generated from swim.proto.
"""

import queue
import sys
from concurrent import futures

import grpc

stubs, detector, dissemination, second, third = sys.argv[1:]
sys.path.insert(0, stubs)
import swim_pb2 as swim  # noqa: E402
import swim_pb2_grpc as services  # noqa: E402

PATIENCE = 30
heard = queue.Queue()


def say(text):
    print(text, flush=True)


class Detector(services.FailureDetectorServicer):
    def Ping(self, request, context):
        heard.put(("ping", request.sender_id))
        return swim.PingResponse(is_alive=True)


class Dissemination(services.DisseminationServicer):
    def Disseminate(self, request, context):
        heard.put(("failed", request.failed_node_id))
        return swim.DisseminationResponse(success=True)


def wait_for(kind):
    while True:
        found, what = heard.get(timeout=PATIENCE)
        if found == kind:
            return what


server = grpc.server(futures.ThreadPoolExecutor(max_workers=4))
services.add_FailureDetectorServicer_to_server(Detector(), server)
services.add_DisseminationServicer_to_server(Dissemination(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
me = f"127.0.0.1:{port}"

with grpc.insecure_channel(detector) as channel, grpc.insecure_channel(dissemination) as other:
    members = services.FailureDetectorStub(channel)
    door = services.DisseminationStub(other)

    answer = members.Ping(swim.PingRequest(sender_id="6", target_id=detector), timeout=PATIENCE)
    assert answer.is_alive
    say("pinged")

    question = swim.IndirectPingRequest(requester_id="6", target_id=third, proxy_nodes=[second])
    assert members.IndirectPing(question, timeout=PATIENCE).success
    say("indirectly pinged")

    joined = door.Join(swim.JoinRequest(new_node_id="6", new_node_address=me), timeout=PATIENCE)
    assert joined.membership[-1] == me, joined
    say("joined " + ",".join(joined.membership))

    # A lie: the member is well, contradicts, and is in the list that the next one gets.
    lie = swim.DisseminationRequest(sender_id="6", failed_node_id=second)
    assert door.Disseminate(lie, timeout=PATIENCE).success
    assert members.UpdateMembership(
        swim.MembershipUpdateRequest(failed_node_id=second), timeout=PATIENCE
    ).success
    again = door.Join(swim.JoinRequest(new_node_id="6", new_node_address=me), timeout=PATIENCE)
    assert second in again.membership, again
    say("forged")

    assert wait_for("ping") == "1"
    say("was pinged")
    say("told of " + wait_for("failed"))
server.stop(None)
