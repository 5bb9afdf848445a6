"""What goes wrong on a bad day. Each takes the day, does it, and mends it; whether all goes on is looked at afterwards."""

import signal

from lib import providers
from lib.common import ROLES

PAUSE = 10
OUTAGE = 12
AHEAD = "+3600s"
# How long a process that is alone with its role may take to lead it; and how long it is watched whether it does what it must not.
LEADS_WITHIN = 25, 6
# Tries of a killed router, since its standby has to take over in time each time.
ROUTER_TRIES = 5


def kill(role, which="leader"):
    def strike(day):
        of = day.roles.of(role)
        leader = day.roles.leader(role)
        one = leader if which == "leader" else next((other for other in of if other is not leader), leader)
        one.kill()
    return strike


def pause(role):
    def strike(day):
        one = day.roles.leader(role)
        one.signal(signal.SIGSTOP)
        day.wait(PAUSE)
        one.signal(signal.SIGCONT)
    return strike


def kill_server(which):
    def strike(day):
        day.server(which).kill()
        day.wait(3)
        day.cluster.look_after()
    return strike


def pause_server(which):
    def strike(day):
        server = day.server(which)
        server.signal(signal.SIGSTOP)
        day.wait(PAUSE)
        server.signal(signal.SIGCONT)
    return strike


def cut(cables, *which):
    def strike(day):
        servers = [day.server(one) for one in which]
        for server in servers:
            server.cut(*cables)
        day.wait(OUTAGE)
        for server in servers:
            server.join()
    return strike


def fill(*which):
    def strike(day):
        servers = [day.server(one) for one in which]
        for server in servers:
            server.fill()
        day.wait(OUTAGE)
        for server in servers:
            server.empty()
        # A server whose disk was full keeps nothing any more until it is started again.
        for server in servers:
            server.again()
            day.wait(3)
    return strike


def clock(*steps):
    """One process of each role has a clock that is off, moving by these steps; of a role that somebody leads it is the one that is to lead: nobody else is
    there while it begins."""
    def strike(day):
        first = [day.roles.leader(role) for role in ROLES]
        others = [other for one in first if one.leads() for other in day.roles.of(one.role) if other is not one]
        for one in others:
            one.stop()
        for one in first:
            one.stop()
            one.clock = day.clock(one, steps[0])
            one.start()
        # A clock that is ahead must not lead, and says so: then whoever is right does.
        led = day.lead_within([one for one in first if any(other.role == one.role for other in others)], LEADS_WITHIN[steps[0] == AHEAD])
        for one in others:
            one.start()
        day.skewed.append((steps[0], [one.role for one in led]))
        for step in steps:
            day.set_clocks(step)
            day.wait(OUTAGE if len(steps) == 1 else OUTAGE / 2)
        for one in first:
            one.stop()
            one.clock = {}
            one.start()
    return strike


def provider(mode):
    def strike(day):
        for one in (day.partner, day.shop):
            one.mode = mode
        day.wait(OUTAGE)
        for one in (day.partner, day.shop):
            one.mode = providers.WELL
    return strike


def everything(day):
    for one in day.roles.all.values():
        one.kill()
    for server in day.cluster.servers:
        server.kill()
    day.wait(1)
    day.cluster.look_after()


def together(*strikes):
    def strike(day):
        for one in strikes:
            one(day)
    return strike


def upgrade(executable):
    """Each process gives way to one of the other build, one after the other."""
    def strike(day):
        for one in day.roles.all.values():
            code = one.stop()
            if code != 0:
                day.remark(f"{one.name} ended with {code} when it was asked to end")
                day.ended_badly.append((one.name, code))
            one.executable = executable
            one.start()
            day.roles.wait_ready(one)
    return strike


def upgrades(day, previous):
    """What comes before everything else and what comes after it. A swap takes as long as each role needs to read the log, so the one
    that only makes the upgrade possible comes while it is short; the way back is made with all of the day in it."""
    before = [("(to the previous build)", None, upgrade(previous)), ("upgrade: from the previous build", None, upgrade(day.roles.executable))]
    return before, [("upgrade: and back to it", None, upgrade(previous))]


def all_faults(day):
    """Name, what it needs besides ourselves, and what is done."""
    faults = []
    for number in range(1, ROUTER_TRIES + 1):
        faults.append((f"kill routing, leader, {number}", None, kill("routing")))
    faults.append(("kill routing, standby", None, kill("routing", "standby")))
    faults += [(f"kill {role}", None, kill(role)) for role in ROLES if role != "routing"]
    faults += [(f"pause {role}", None, pause(role)) for role in ROLES]
    faults += [(f"kill server {number}", None, kill_server(number)) for number in (1, 2, 3)]
    faults += [(f"pause server {number}", None, pause_server(number)) for number in (1, 2, 3)]
    faults += [
        ("kill server, leads CONTACTS", None, kill_server("CONTACTS")),
        ("kill server, leads INBOUND", None, kill_server("INBOUND")),
        ("cut a server off", "root", cut((), 1)),
        ("cut the leader of CONTACTS off", "root", cut((), "CONTACTS")),
        ("cut roles from a server", "root", cut(("clients",), 2)),
        ("cut a server from servers", "root", cut(("servers",), 3)),
        ("cut two servers off", "root", cut((), 1, 2)),
        ("disk of a server full", "root", fill(2)),
        ("disk of CONTACTS' leader full", "root", fill("CONTACTS")),
        ("all disks full", "root", fill(1, 2, 3)),
        ("clocks an hour ahead", "faketime", clock(AHEAD)),
        ("clocks an hour behind", "faketime", clock("-3600s")),
        ("clocks jump", "faketime", clock("+0s", "+3600s", "-3600s", "+0s")),
        ("provider slow", None, provider(providers.SLOW)),
        ("provider answers twice", None, provider(providers.TWICE)),
        ("provider never answers", None, provider(providers.NEVER)),
        ("provider drops what it took", None, provider(providers.DROP)),
        ("kill router and its server", None, together(kill("routing"), kill_server("CONTACTS"))),
        ("pause server, kill api and desk", None, together(kill("api"), kill("desk"), pause_server(3))),
        ("kill router, cut a server off", "root", together(kill("routing"), cut((), 2))),
        ("everything at once", None, everything),
    ]
    return faults
