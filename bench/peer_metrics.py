#!/usr/bin/env python3
"""What metrics of peers cost a whole monitor: the real binary, over HTTP.

    bench/peer_metrics.py [--binary target/release/auscult] [--peers 10000] [--seconds 60]

Ten metrics of each peer are published once and are good for an hour. Printed are the readings taken in a
second, the processor time that the monitor needs afterwards, when nothing is published (beside what it needs
before the first one), and how long after their time is over the metrics of 1,000 peers that expire at once
are all shown as alerts that fire.
"""

import argparse
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

METRICS = 10
AT_ONCE = 1000
EXPIRING = 1000
TTL = 5.0
SETTINGS = "peer_metrics: {create: true}\nreceivers:\n- {name: journal, type: log}\n"


def start(binary, folder):
    with open(f"{folder}/auscult.yml", "w") as file:
        file.write(SETTINGS)
    command = [
        binary, "serve", "--config", f"{folder}/auscult.yml", "--datadir", f"{folder}/data",
        "--http-bind", "127.0.0.1:0", "--udp-bind", "none",
    ]
    environment = dict(os.environ, RUST_LOG="error")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    )
    for line in process.stdout:
        if "http://" in line:
            return process, int(line.split("http://127.0.0.1:")[1].split("/")[0])
    sys.exit("the monitor does not start")


class Client:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def rest(self):
        """Closes the connection: the monitor would do so, as nothing is asked for a while."""
        self.connection.close()

    def ask(self, method, path, body=None):
        headers = {"content-type": "application/json"} if body is not None else {}
        self.connection.request(method, path, body, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            sys.exit(f"{method} {path}: {answer.status} {text[:300]}")
        return json.loads(text) if text else None


def spent(process):
    """Processor seconds of all its threads."""
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def at_rest(process, seconds):
    before, began = spent(process), time.monotonic()
    time.sleep(seconds)
    return 100 * (spent(process) - before) / (time.monotonic() - began)


def publish(client, peers, ttl, name):
    readings = [
        {"name": f"{name}-{metric}", "peer": f"{name}-peer-{peer}", "value": "1", "ttl": ttl}
        for peer in range(peers)
        for metric in range(METRICS if name == "calm" else 1)
    ]
    bodies = [
        json.dumps(readings[at : at + AT_ONCE]) for at in range(0, len(readings), AT_ONCE)
    ]
    began = time.monotonic()
    for body in bodies:
        client.ask("POST", "/v1/metrics-log", body)
    return len(readings) / (time.monotonic() - began)


def firing(client):
    """How many alerts fire: asked for page by page."""
    count, path = 0, "/v1/alerts?phase=firing&limit=1000"
    while path:
        page = client.ask("GET", path)
        count += len(page["alerts"])
        path = page.get("next") and f"/v1/alerts?phase=firing&limit=1000&cursor={page['next']}"
    return count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/auscult")
    parser.add_argument("--peers", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="auscult-peers-")
    process, port = start(args.binary, folder)
    try:
        client = Client(port)
        print(f"at rest, without metrics: {at_rest(process, args.seconds / 2):.2f} % of a core")
        rate = publish(client, args.peers, "1h", "calm")
        print(f"published over one connection, {AT_ONCE} a request: {rate:,.0f} readings/s")
        client.rest()
        # What was published is written to the disk within seconds.
        time.sleep(15)
        count = args.peers * METRICS
        print(f"at rest, with {count:,} metrics: {at_rest(process, args.seconds):.2f} % of a core")
        publish(client, EXPIRING, f"{TTL:.0f}s", "brief")
        published = time.monotonic()
        while firing(client) < EXPIRING:
            if time.monotonic() - published > TTL + 30:
                sys.exit(f"only {firing(client)} of {EXPIRING} fire")
            time.sleep(0.01)
        late = time.monotonic() - published - TTL
        print(f"{EXPIRING:,} that expire at once are all firing over HTTP {late:.2f} s after their time")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
