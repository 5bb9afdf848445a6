"""What the scripts beside this folder share."""

import json
import pathlib
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# EX_UNAVAILABLE of sysexits.h: something is missing that cannot be installed from here.
UNAVAILABLE = 69
# Every role of the product, in the order in which they start: nobody reads with a store of keys before it is right.
ROLES = ["rights", "routing", "empowerment", "views", "desk", "chat", "channels", "api", "watch"]


def end_by_signal():
    """A signal that ends us lets everything be ended that we started, as Ctrl-C does."""
    def end(which, _):
        raise SystemExit(128 + which)

    for which in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(which, end)


class TimeUp(RuntimeError):
    """The run took longer than it may."""


def bounded(minutes):
    """Ends what runs after so many minutes, by an exception, so that all is ended that was started; again if that does not end."""
    def end(*_):
        signal.alarm(120)
        raise TimeUp(f"not done within {minutes} minutes")

    signal.signal(signal.SIGALRM, end)
    signal.alarm(minutes * 60)


def say(text):
    print(text, flush=True)


def missing(what, how):
    say(f"missing: {what}\n    {how}")
    sys.exit(UNAVAILABLE)


def run(*command, **more):
    done = subprocess.run([str(word) for word in command], **{"cwd": TOP, "capture_output": True, "text": True, **more})
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def free_port():
    """Below those that connections going out have: one of these could take it before it is listened on."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as one:
            try:
                one.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def ask(url, key=None, body=None, within=10, headers=None):
    asked = urllib.request.Request(url, method="POST" if body is not None else "GET")
    if body is not None:
        asked.add_header("Content-Type", "application/json")
        asked.data = json.dumps(body).encode()
    if key:
        asked.add_header("Authorization", f"Bearer {key}")
    for name, value in (headers or {}).items():
        asked.add_header(name, value)
    with urllib.request.urlopen(asked, timeout=within) as answer:
        text = answer.read()
        return json.loads(text) if text.startswith(b"{") else text


def until(what, holds, within, every=0.2, tail=lambda: ""):
    """Waits until `holds` gives something; ends the run with `tail` where it does not."""
    end = time.monotonic() + within
    while not (found := holds()):
        if time.monotonic() > end:
            raise SystemExit(f"not within {within} s: {what}\n{tail()}")
        time.sleep(every)
    return found


def longest_gap(times, begin, end):
    inside = [begin] + sorted(time for time in times if begin <= time <= end) + [end]
    return max(later - sooner for sooner, later in zip(inside, inside[1:]))
