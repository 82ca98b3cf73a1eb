"""A switch between hosts that delays, jitters, loses and doubles frames: the kernel's own way to do
that (`tc netem`) is missing on many machines. One TAP device per host; jitter reorders frames.

usage: switch.py HOSTS SEED DELAY_MS JITTER_MS LOSS DOUBLED
Makes the devices h0, h1, .. in its own network namespace, says `up`, and switches until its standard
input is closed: a device that was moved to another namespace meanwhile stays connected to it. The
same seed makes the same choices for the same frames."""

import fcntl
import heapq
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP_WITHOUT_HEADER = 0x0002 | 0x1000
FRAME_BYTES_MAX = 2048
FRAMES_MAX = 100_000


def tap(name):
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22s", name.encode(), IFF_TAP_WITHOUT_HEADER, b"")
    fcntl.ioctl(device, TUNSETIFF, request)
    return device


def receive(device):
    try:
        return os.read(device, FRAME_BYTES_MAX)
    except OSError:
        return None  # the device is down, or somebody else was faster


def send(device, frame):
    try:
        os.write(device, frame)
    except OSError:
        pass  # a host that is down loses frames, as it would on a real network


def main():
    hosts, seed = int(sys.argv[1]), int(sys.argv[2])
    delay, jitter = float(sys.argv[3]) / 1e3, float(sys.argv[4]) / 1e3
    loss, doubled = float(sys.argv[5]), float(sys.argv[6])
    devices = [tap(f"h{host}") for host in range(hosts)]
    chance, where, waiting, order = random.Random(seed), {}, [], 0
    print("up", flush=True)
    while True:
        pause = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        ready, _, _ = select.select([sys.stdin, *devices], [], [], pause)
        if sys.stdin in ready and not sys.stdin.buffer.read1(64):
            return
        for host, device in enumerate(devices):
            frame = receive(device) if device in ready else None
            if not frame:
                continue
            where[frame[6:12]] = host
            known = where.get(frame[:6])
            for to in range(hosts) if known is None else [known]:
                copies = 2 if chance.random() < doubled else 1
                for _ in range(copies):
                    at = time.monotonic() + delay + chance.random() * jitter
                    if to != host and chance.random() >= loss and len(waiting) < FRAMES_MAX:
                        order += 1
                        heapq.heappush(waiting, (at, order, to, frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, to, frame = heapq.heappop(waiting)
            send(devices[to], frame)


main()
