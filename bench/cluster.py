#!/usr/bin/env python3
"""Runs a cluster of real processes on 127.0.1.x and prints what it costs and how soon a kill is known.

usage: cluster.py SYSTEM MEMBERS [--kills K] [--idle SECONDS] [--saturate SECONDS]
       [--settle SECONDS] [--binary PATH]
SYSTEM: serf (Debian's agent, LAN profile), swim (auscult without direct heartbeats), hybrid (auscult as
it comes), http (as it comes, with its HTTP address), grpc (the same, and members talk over gRPC).

It puts itself into a network namespace of its own, where the loopback device counts their bytes alone.
Each line is a figure for bench/run: name, subject, value, unit and goal between tabs."""

import argparse
import os
import re
import selectors
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE_S = 150
# A line of output that says that a member came, or went.
SERF = re.compile(r"EventMember(?:(?P<up>Join)|(?P<down>Failed)): (?P<who>n\d+)")
AUSCULT = re.compile(r"member (?P<who>n\d+) (?:(?P<up>joined)|(?P<down>failed))")


class Agent:
    """One process, and whom it thinks to be up or down since when."""

    def __init__(self, command):
        self.command = command
        self.up, self.down = {}, {}
        self.rest = b""
        self.process = None

    def start(self, selector, more):
        self.up.clear()
        self.down.clear()
        self.rest = b""
        self.process = subprocess.Popen(
            self.command + more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        os.set_blocking(self.process.stdout.fileno(), False)
        selector.register(self.process.stdout, selectors.EVENT_READ, self)

    def read(self, pattern, false_downs):
        now = time.monotonic()
        data = os.read(self.process.stdout.fileno(), 65536)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            found = pattern.search(line.decode("utf8", "replace"))
            if not found:
                continue
            who = found["who"]
            if found["up"]:
                self.up.setdefault(who, now)
                self.down.pop(who, None)
            else:
                self.up.pop(who, None)
                self.down.setdefault(who, now)
                false_downs.append((now, who))
        return bool(data)

    def cpu_s(self):
        folder = f"/proc/{self.process.pid}/task"
        return sum(
            int(open(f"{folder}/{task}/schedstat").read().split()[0]) / 1e9
            for task in os.listdir(folder)
        )

    def anonymous_mb(self):
        text = open(f"/proc/{self.process.pid}/smaps_rollup").read()
        return int(re.search(r"Anonymous:\s+(\d+)", text)[1]) / 1024


class Cluster:
    def __init__(self, system, members, binary, folder):
        self.system = system
        self.names = [f"n{i:03}" for i in range(members)]
        self.pattern = SERF if system == "serf" else AUSCULT
        self.agents = [Agent(self.command(i, binary, folder)) for i in range(members)]
        self.selector = selectors.DefaultSelector()
        self.lock = threading.Lock()
        self.downs = []
        self.stopped = False
        threading.Thread(target=self.listen, daemon=True).start()

    def command(self, i, binary, folder):
        name, ip = self.names[i], f"127.0.1.{i + 1}"
        if self.system == "serf":
            return ["serf", "agent", f"-node={name}", f"-bind={ip}:7946", f"-rpc-addr={ip}:7373",
                    "-profile=lan", "-log-level=info"]
        more = {
            "swim": ["--direct-limit", "0"],
            "hybrid": [],
            "http": ["--http", f"{ip}:8000"],
            "grpc": ["--http", f"{ip}:8000", "--transport", "grpc"],
        }[self.system]
        return [binary, "agent", "--label", "bench", "--name", name, "--bind", f"{ip}:7946",
                "--snapshot", f"{folder}/{name}", *more]

    def start(self, i, first=False):
        seed = "127.0.1.2" if i == 0 else "127.0.1.1"
        join = {
            True: [],
            False: [f"-retry-join={seed}", "-retry-interval=1s"]
            if self.system == "serf" else ["--join", f"{seed}:7946"],
        }[first]
        with self.lock:
            self.agents[i].start(self.selector, join)

    def listen(self):
        while not self.stopped:
            for key, _ in self.selector.select(0.1):
                with self.lock:
                    if not key.data.read(self.pattern, self.downs):
                        self.selector.unregister(key.fileobj)

    def others(self, i):
        return {name for j, name in enumerate(self.names) if j != i}

    def all_see_all(self):
        return all(self.others(i) <= set(agent.up) for i, agent in enumerate(self.agents))

    def wait(self, what, holds):
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            with self.lock:
                if holds():
                    return
            time.sleep(0.005)
        raise SystemExit(f"{self.system}: {what}: not within {PATIENCE_S} s")

    def convicted_since(self, when, but=()):
        with self.lock:
            return sum(1 for at, who in self.downs if at >= when and who not in but)

    def stop(self):
        self.stopped = True
        for agent in self.agents:
            if agent.process:
                agent.process.kill()
                agent.process.wait()


def loopback():
    """Bytes and packets that the loopback device received."""
    for line in open("/proc/net/dev"):
        if "lo:" in line:
            fields = line.split(":")[1].split()
            return int(fields[0]), int(fields[1])
    raise SystemExit("no loopback device")


class Report:
    def __init__(self, cluster):
        kind = {
            "serf": "serf",
            "swim": "auscult, SWIM alone",
            "hybrid": "auscult",
            "http": "auscult with its API",
            "grpc": "auscult over gRPC, with its API",
        }[cluster.system]
        self.members = len(cluster.names)
        self.kind = kind
        self.subject = f"{kind}, {self.members} processes"

    def say(self, name, value, unit, goal=""):
        if self.kind == "serf":
            goal = ""
        print(name, self.subject, f"{value:.3g}" if isinstance(value, float) else value, unit, goal,
              sep="\t", flush=True)


def measure_start(cluster, report):
    cluster.start(0, first=True)
    time.sleep(0.3)
    for i in range(1, len(cluster.agents)):
        cluster.start(i)
    started = time.monotonic()
    cluster.wait("all see all", cluster.all_see_all)
    last = max(at for agent in cluster.agents for at in agent.up.values())
    report.say("all see all, after the last start", max(0.0, last - started), "s", "<= 1")


def measure_idle(cluster, report, seconds, settle):
    time.sleep(settle)
    count = len(cluster.agents)
    began, cpu = time.monotonic(), sum(agent.cpu_s() for agent in cluster.agents)
    size, packets = loopback()
    time.sleep(seconds)
    span = time.monotonic() - began
    cpu = sum(agent.cpu_s() for agent in cluster.agents) - cpu
    size_after, packets_after = loopback()
    swim, api = report.kind == "auscult, SWIM alone", report.kind.endswith("with its API")
    report.say("idle traffic of one member, IP", (size_after - size) / count / span, "B/s",
               "<= 150" if swim else "")
    report.say("idle packets of one member", (packets_after - packets) / count / span, "1/s")
    report.say("idle processor time of one member per minute", cpu / count / span * 60, "s",
               "<= 0.03" if swim else "")
    report.say("anonymous memory of one member",
               statistics.median(agent.anonymous_mb() for agent in cluster.agents), "MB",
               "<= 0.6" if swim else "<= 3" if api else "")
    report.say("false convictions while idle", cluster.convicted_since(began), "", "0")


def measure_kills(cluster, report, kills):
    lasts, rejoins, false = [], [], 0
    count = len(cluster.agents)
    for kill in range(kills):
        i = 1 + kill * 7 % (count - 1)
        name = cluster.names[i]
        survivors = [agent for j, agent in enumerate(cluster.agents) if j != i]
        # The kills fall into different parts of a period.
        time.sleep(0.137 * kill)
        killed = time.monotonic()
        cluster.agents[i].process.send_signal(signal.SIGKILL)
        cluster.agents[i].process.wait()
        cluster.wait(f"{name} convicted", lambda: all(name in agent.down for agent in survivors))
        lasts.append(max(agent.down[name] for agent in survivors) - killed)
        false += cluster.convicted_since(killed, but={name})
        time.sleep(1)
        again = time.monotonic()
        cluster.start(i)
        cluster.wait(f"{name} back", cluster.all_see_all)
        rejoins.append(max(agent.up[name] for agent in survivors) - again)
        time.sleep(2)
    goal = {25: "<= 4.5", 50: "<= 5"}.get(count, "")
    if report.kind != "auscult, SWIM alone":
        goal = "<= 3"
    report.say("SIGKILL to the last survivor's verdict, median", statistics.median(lasts), "s", goal)
    report.say("SIGKILL to the last survivor's verdict, most", max(lasts), "s")
    report.say("restart until all know, median", statistics.median(rejoins), "s")
    report.say("false convictions around kills", false, "", "0")


def measure_saturated(cluster, report, seconds, settle):
    began = time.monotonic()
    busy = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(os.cpu_count() or 1)
    ]
    time.sleep(seconds)
    for process in busy:
        process.kill()
        process.wait()
    time.sleep(settle)
    report.say(f"false convictions, all cores saturated for {seconds:.0f} s",
               cluster.convicted_since(began), "", "0")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("system", choices=["serf", "swim", "hybrid", "http", "grpc"])
    parser.add_argument("members", type=int)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--idle", type=float, default=45)
    parser.add_argument("--saturate", type=float, default=0)
    parser.add_argument("--settle", type=float, default=10)
    parser.add_argument("--binary", default="target/release/auscult")
    wanted = parser.parse_args()
    if os.environ.get("CLUSTER_NAMESPACE") != "own":
        os.environ["CLUSTER_NAMESPACE"] = "own"
        os.execvp("unshare", ["unshare", "-n", sys.executable, os.path.abspath(__file__),
                              *sys.argv[1:]])
    subprocess.check_call(["ip", "link", "set", "lo", "up"])
    with tempfile.TemporaryDirectory() as folder:
        cluster = Cluster(wanted.system, wanted.members, os.path.abspath(wanted.binary), folder)
        report = Report(cluster)
        try:
            measure_start(cluster, report)
            if wanted.idle:
                measure_idle(cluster, report, wanted.idle, wanted.settle)
            if wanted.kills:
                measure_kills(cluster, report, wanted.kills)
            if wanted.saturate:
                measure_saturated(cluster, report, wanted.saturate, wanted.settle)
        finally:
            cluster.stop()


main()
