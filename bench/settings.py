#!/usr/bin/env python3
"""What shared settings cost: a group of three monitors on this host, by the real binary.

    bench/settings.py [--binary target/release/auscult] [--targets 100000] [--additions 1000]

Prints how long single additions through a follower take, how soon each is live on the others, how
long a file of many targets takes as one batch, and what each monitor holds in memory afterwards, beside what
a monitor alone holds that has the same targets in its own file: the difference is what sharing costs, the
rest is the targets themselves with their detectors and checks.
Everything is on the loopback address; the checks go to a port that nobody listens on.
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

HTTP = [18600, 18601, 18602]
RAFT = [18700, 18701, 18702]


def ask(port, method, path, body=None, kind="application/json", timeout=120):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    headers = {"content-type": kind} if body is not None else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, text


def until(what, holds, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except OSError:
            pass
        time.sleep(0.02)
    sys.exit(f"{what}: not within {seconds} s")


def start(binary, folder, index):
    command = [
        binary, "serve",
        "--http-bind", f"127.0.0.1:{HTTP[index]}", "--udp-bind", "none",
        "--raft-bind", f"127.0.0.1:{RAFT[index]}", "--name", f"m{index}",
        "--datadir", f"{folder}/m{index}",
    ]
    command += ["--bootstrap"] if index == 0 else ["--join", f"127.0.0.1:{RAFT[0]}"]
    log = open(f"{folder}/m{index}.log", "w")
    environment = dict(os.environ, RUST_LOG="warn")
    return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def voters(port):
    status, text = ask(port, "GET", "/v1/cluster")
    monitors = json.loads(text).get("monitors", []) if status == 200 else []
    return [it for it in monitors if it["role"] in ("leader", "follower")]


def resident(process, what="VmRSS"):
    with open(f"/proc/{process.pid}/status") as status:
        line = next(line for line in status if line.startswith(what))
    return int(line.split()[1]) / 1024


def worked(process):
    """Seconds of a processor that it used so far."""
    with open(f"/proc/{process.pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settled(process):
    """What it holds once that grows and shrinks no more."""
    last, since = resident(process), time.monotonic()
    while time.monotonic() - since < 5:
        time.sleep(0.5)
        now = resident(process)
        if abs(now - last) > 1:
            last, since = now, time.monotonic()
    return last


def alone(binary, folder, count):
    """What a monitor holds that has the targets in its own file, more than an empty one."""
    held = []
    for number, arguments in enumerate(([], ["--config", f"{folder}/many.yml"])):
        command = [binary, "serve", "--http-bind", f"127.0.0.1:{HTTP[0] + 9}", "--udp-bind", "none",
                   "--datadir", f"{folder}/alone{number}"]
        environment = dict(os.environ, RUST_LOG="error")
        process = subprocess.Popen(command + arguments, env=environment, stdout=subprocess.DEVNULL)
        try:
            path = f"/v1/targets/many-{count - 1:06}" if arguments else "/-/ready"
            until("alone", lambda: ask(HTTP[0] + 9, "GET", path)[0] == 200)
            held.append(settled(process))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    print(f"the same in the file of a monitor alone: {held[1] - held[0]:.0f} MB more than without")
    return held[1] - held[0]


def leader():
    return next(it["name"] for it in voters(HTTP[0]) if it["role"] == "leader")


def additions(count):
    follower = next(index for index in range(3) if f"m{index}" != leader())
    others = [port for index, port in enumerate(HTTP) if index != follower]
    lags = []
    started = time.monotonic()
    spent = 0.0
    for index in range(count):
        body = json.dumps({"push": {"interval": "1m"}, "labels": {"n": str(index)}})
        began = time.monotonic()
        status, text = ask(HTTP[follower], "PUT", f"/v1/targets/one-{index}", body)
        acknowledged = time.monotonic()
        spent += acknowledged - began
        if status != 201:
            sys.exit(f"addition {index}: {status} {text}")
        if index % 50 == 0:
            for port in others:
                path = f"/v1/targets/one-{index}"
                until("live", lambda: ask(port, "GET", path)[0] == 200, 10)
                lags.append(time.monotonic() - acknowledged)
    elapsed = time.monotonic() - started
    print(f"{count} additions one by one through a follower: {spent:.2f} s ({elapsed:.2f} s with looking)")
    print(f"live on the other monitors at most {max(lags) * 1000:.0f} ms after the acknowledgement")


def batch(binary, folder, processes, count):
    before = [resident(process) for process in processes]
    path = f"{folder}/many.yml"
    with open(path, "w") as file:
        file.write("groups:\n- name: web\n  defaults: {interval: 1d, timeout: 5s}\n  targets:\n")
        for index in range(count):
            url = f"http://127.0.0.1:9/health/{index}"
            file.write(f"  - {{id: many-{index:06}, url: \"{url}\", labels: {{zone: z{index % 7}}}}}\n")
    print(f"a file of {count} targets: {os.path.getsize(path) / 1e6:.1f} MB")
    url = f"http://127.0.0.1:{HTTP[0]}"
    began = time.monotonic()
    plan = [binary, "apply", "-f", path, "--plan", "--url", url]
    subprocess.run(plan, check=True, stdout=subprocess.DEVNULL)
    print(f"planned in {time.monotonic() - began:.2f} s")
    idle = [worked(process) for process in processes]
    began = time.monotonic()
    done = subprocess.run([binary, "apply", "-f", path, "--url", url], capture_output=True, text=True)
    print(f"applied as one batch in {time.monotonic() - began:.2f} s: {(done.stdout + done.stderr).strip()}")
    acknowledged = time.monotonic()
    for port in HTTP:
        target = f"/v1/targets/many-{count - 1:06}"
        until("live", lambda: ask(port, "GET", target)[0] == 200)
        print(f"  live on {port} {time.monotonic() - acknowledged:.2f} s after the acknowledgement")
    seconds = [worked(process) - was for process, was in zip(processes, idle)]
    print("  processor time of each until then:", ", ".join(f"{spent:.2f} s" for spent in seconds))
    more = []
    for process, was in zip(processes, before):
        now = settled(process)
        more.append(now - was)
        peak = resident(process, "VmHWM")
        print(f"  resident {now:.0f} MB, {now - was:.0f} MB more than before, at most {peak:.0f} MB")
    return more


sys.stdout.reconfigure(line_buffering=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default="target/release/auscult")
    parser.add_argument("--targets", type=int, default=100_000)
    parser.add_argument("--additions", type=int, default=1000)
    args = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="auscult-settings-")
    processes = []
    try:
        for index in range(3):
            processes.append(start(args.binary, folder, index))
            port = HTTP[index]
            until("ready", lambda: ask(port, "GET", "/-/ready")[0] == 200)
            until("voters", lambda: len(voters(HTTP[0])) == index + 1)
        if args.additions:
            additions(args.additions)
        if args.targets:
            more = batch(args.binary, folder, processes, args.targets)
            own = alone(args.binary, folder, args.targets)
            for index, held in enumerate(more):
                print(f"  m{index}: sharing costs {held - own:.0f} MB")
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(20)
        for index in range(len(processes)):
            with open(f"{folder}/m{index}.log") as log:
                tail = log.read().strip().splitlines()[-5:]
            if tail:
                print(f"m{index}:", *tail, sep="\n  ")
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
