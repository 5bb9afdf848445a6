"""One bad day: what runs, what goes wrong, and what is counted at its end."""

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time

from lib import desks, faults, providers, recount, web
from lib.common import TOP, ask, free_port, longest_gap, run, say, until
from lib.load import Load
from lib.log import Log
from lib.roles import Roles, faketime
from lib.servers import Cluster

# How long all may take to go on again after something went wrong, s.
MENDED_WITHIN = 120
# How long a server may not follow before it is started again, s. One that comes back behind what its leader's raft log still has waits for a
# snapshot of it, and while it asks for what is gone the leader cannot make one: it tries again every 15 s and makes the fifth all the same
# (nats-server, pull request 7846). Customers wait for none of it: the other two are enough.
LAGS_FOR = 100
# How long all has to go on before the next thing goes wrong, s.
CALM = 3
SIMULATED, GIVERS = 12, 3
# A row in which something is decided for so long has something given in it, s.
OUTAGE = 12
STREAMS = ["INBOUND", "CONTACTS", "REMEDIES", "DELIVERIES", "KV_KEYS", "KV_LEASES"]

FLOOR = """
[[queue]]
name = "watched"
title = "What a desk of ours watches"
offer = "20s"
wrap_up = "0s"
owner_wait = "20s"
reopen = "1h"
decline_rest = "5s"
wait_bound = "15m"

[[account]]
channel = "api"
name = "probe"
title = "Who is watched"
queue = "watched"
priority = 0
"""

AGENT = """
[[agent]]
name = "{name}"
title = "{name}"
queues = [{queues}]
skills = {{ returns = 5, payments = 5, dutch = 5 }}
capacity = {{ web = 3, api = 3, email = 3, webhook = 3 }}
"""


class Day:
    def __init__(self, chosen, place):
        self.chosen, self.place = chosen, place
        self.isolated = os.geteuid() == 0
        self.dice = random.Random(chosen.seed)
        self.executable = os.path.abspath(chosen.executable)
        self.remarks, self.rows, self.untried = [], [], []
        # Servers that did not follow by themselves.
        self.started_again = []
        # Processes that did not end well when they were asked to; and by how much clocks were off, with the roles that were led by such a one.
        self.ended_badly, self.skewed = [], []
        self.left_out = []
        self.sims, self.last_ill = None, None

    # What runs

    def loop_do(self, work, within=120):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(within)

    def write_config(self):
        folder = self.place / "config"
        shutil.copytree(TOP / "deploy/config", folder)
        # It has the defaults alone, and settings that the previous build does not know yet.
        (folder / "winterband.toml").unlink()
        names = [f"sim-{n:03}" for n in range(1, SIMULATED + 1)] + [f"giver-{n}" for n in range(1, GIVERS + 1)]
        text = (folder / "routing.toml").read_text() + FLOOR
        text += "".join(AGENT.format(name=name, queues='"service", "returns", "orders"') for name in names)
        text += AGENT.format(name="watcher", queues='"watched"')
        (folder / "routing.toml").write_text(text)
        (folder / "partner.secret").write_text(self.signer.secret)
        (folder / "shop.token").write_text(self.shop.token)
        (folder / "channels.toml").write_text(
            f'[[webhook]]\naccount = "partner"\nurl = "{self.partner.url}/said"\nsecret = {{ file = "partner.secret" }}\n'
            "sends_per_minute = 100000\n")

    def set_up(self):
        began = time.monotonic()
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        program = os.environ.get("NATS_SERVER_BIN") or shutil.which("nats-server") or str(TOP / ".tools/nats-server")
        self.cluster = Cluster(self.place, program, self.isolated, self.chosen.in_memory)
        self.front = free_port()
        self.signer = providers.Signer()
        self.partner = providers.Partner(free_port(), self.signer)
        self.shop = providers.Shop(free_port(), "a-token-of-this-run-alone")
        self.write_config()
        more = {
            "WINTERBAND_EMPOWERMENT__SHOP_URL": self.shop.url,
            "WINTERBAND_EMPOWERMENT__SHOP_TOKEN": '{ file = "shop.token" }',
            "WINTERBAND_LIMITS__API_REQUESTS_PER_SECOND": "5000",
            "WINTERBAND_NATS__STORE_FOLDER": str(self.cluster.servers[0].store),
            # The default counts to a minute; a day is short here.
            "WINTERBAND_WATCH__LOOK_EVERY": "20s",
        }
        if self.chosen.lease:
            more["WINTERBAND_ROUTING__LEASE"] = self.chosen.lease
        self.roles = Roles(self.place, self.executable, self.cluster, f"http://127.0.0.1:{self.front}", more)
        hosts = [word for host in self.cluster.hosts for word in ("--host", host)]
        run(self.executable, "keys", "--out", self.place / "keys", *hosts, cwd=self.place,
            env={"PATH": os.environ["PATH"], "WINTERBAND_CONFIG": str(self.place / "config"), "NATS_URL": self.cluster.url})
        self.cluster.start()
        until("the streams are made", lambda: self.roles.command("prepare", "prepare", check=False).returncode == 0, 60,
              tail=lambda: self.roles.command("prepare", "prepare", check=False).stderr[-3000:])
        self.log = Log(self.place, self.cluster.url)
        self.roles.start()
        self.key = (self.place / "data/secrets/admin.key").read_text().strip()
        self.loop_do(self.open_doors())
        self.start_agents()
        say(f"from nothing to a working floor in {time.monotonic() - began:.0f} s; seed {self.chosen.seed}")

    async def open_doors(self):
        served = {one.name: (one.role, one.port) for one in self.roles.all.values() if one.role in ("api", "desk", "channels")}
        self.balancer = web.Balancer(self.front, served)
        for one in (self.balancer, self.partner, self.shop):
            await one.start()
        self.watcher = desks.Watcher("watcher", self.front, self.key)
        # One of them runs into the day's limit.
        cents = [desks.MUCH_CENTS] + [desks.LITTLE_CENTS] * (GIVERS - 1)
        self.givers = [desks.Giver(f"giver-{n}", self.front, self.key, each) for n, each in enumerate(cents, 1)]
        self.seats = [asyncio.create_task(agent.work()) for agent in [self.watcher, *self.givers]]
        self.load = Load(self.front, self.key, self.signer, self.chosen.per_second, self.chosen.seed)
        await self.load.start()

    def start_agents(self):
        self.sims_said = self.place / "agents.json"
        with open(self.sims_said, "w") as said, open(self.place / "agents.log", "w") as log:
            self.sims = subprocess.Popen(
                [self.executable, "agents", "--create", "false", "--count", str(SIMULATED), "--url", f"http://127.0.0.1:{self.front}",
                 "--key-file", str(self.place / "data/secrets/admin.key"), "--think", "1s..3s", "--json", "--seed", str(self.chosen.seed)],
                stdout=said, stderr=log, cwd=self.place, env={"PATH": os.environ["PATH"]})

    # What goes wrong

    def wait(self, seconds):
        time.sleep(seconds)

    def remark(self, text):
        say(text)
        self.remarks.append(text)

    def server(self, which):
        if isinstance(which, int):
            return self.cluster.servers[which - 1]
        return self.cluster.named(self.log.leader(which) or "nats-1")

    def clock(self, one, step):
        file = self.place / f"clock-{one.name}"
        file.write_text(step)
        return {"LD_PRELOAD": faketime(), "FAKETIME_TIMESTAMP_FILE": str(file), "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}

    def lead_within(self, processes, seconds):
        """Which of them lead, when all do or the time is over."""
        end = time.monotonic() + seconds
        while True:
            led = [one for one in processes if one.leads()]
            if len(led) == len(processes) or time.monotonic() > end:
                return led
            time.sleep(0.2)

    def set_clocks(self, step):
        for file in self.place.glob("clock-*"):
            file.write_text(step)

    def shows(self):
        """Whether what the watched customer wrote last is shown at the desk."""
        acked = self.load.book.acked
        written = [f"{customer} {len(times)}" for customer, times in acked.copy().items() if customer.startswith("p-")]
        return bool(written) and written[-1] in self.watcher.shown

    def goes_on(self):
        """What does not go on as it should; nothing where all does."""
        self.lagging = None
        for one in self.roles.all.values():
            if not one.is_ready():
                return f"{one.name} is not ready"
        for stream in STREAMS:
            behind = self.log.behind(stream)
            if behind is None:
                return f"{stream} has no leader"
            if behind:
                self.lagging = stream, next(iter(behind))
                return f"not all servers follow {stream}: {json.dumps(behind)}"
        end = time.monotonic() + 2
        while not self.shows():
            if time.monotonic() > end:
                return "the desk is not shown what comes in"
            time.sleep(0.02)
        asked = self.shop.last_new()
        if asked and time.time() - asked > OUTAGE:
            return f"the shop is asked for nothing new since {time.time() - asked:.0f} s"
        return None

    def calm(self, seconds=CALM, within=MENDED_WITHIN):
        """Waits until all has gone on for so long; gives what did not, if it took too long."""
        began = lags_since = time.monotonic()
        since = lags = None
        while True:
            self.cluster.look_after()
            ill = self.goes_on()
            now = time.monotonic()
            if ill:
                since, self.last_ill = None, ill
                if now > began + within:
                    return ill
                if self.lagging != lags:
                    lags, lags_since = self.lagging, now
                if lags and now > lags_since + LAGS_FOR:
                    self.start_again(*lags, ill)
                    lags_since = time.monotonic()
            else:
                since, lags = since or now, None
                if now - since >= seconds:
                    return None
            time.sleep(0.2)

    def start_again(self, stream, name, ill):
        """A server that does not follow any more: the day goes on, and does not count as held."""
        log = (self.place / f"{name}.log").read_text(errors="replace")
        why = [line for line in log.splitlines() if "critical write error" in line.lower() and stream in line][-1:]
        self.remark(f"{name} did not follow {stream} and was started again: {why[0][:200] if why else f'it does not say why; {ill}'}")
        self.started_again.append(f"{name}: {stream}")
        self.cluster.named(name).again()

    def strike(self, name, what):
        time.sleep(self.dice.random())
        begin, remarks, self.last_ill = time.time(), len(self.remarks), None
        what(self)
        struck = time.time()
        ill = self.calm()
        self.rows.append({"name": name, "begin": begin, "end": time.time(), "ill": ill, "remarks": self.remarks[remarks:]})
        taken = self.load.book.total()
        say(f"{time.strftime('%H:%M:%S')} {name}: struck for {struck - begin:.0f} s, all went on {time.time() - struck - CALM:.0f} s later"
            f"{' NOT' if ill else ''}{', last of all: ' + self.last_ill[:150] if self.last_ill else ''} ({taken} messages so far)")

    def plan(self):
        previous = os.path.abspath(self.chosen.previous) if self.chosen.previous else None
        chosen = []
        before, after = faults.upgrades(self, previous) if previous else ([], [])
        # All three or none: a build is gone back to from the one that it was given way to.
        if self.chosen.only and not any(word in name for word in self.chosen.only for name, *_ in before + after):
            before, after = [], []
        for name, needs, what in faults.all_faults(self):
            if self.chosen.only and not any(word in name for word in self.chosen.only):
                continue
            if needs == "root" and not self.isolated or needs == "faketime" and not faketime():
                self.left_out.append((name, needs))
                continue
            chosen.append((name, what))
        if not chosen + before:
            raise SystemExit("nothing is to go wrong: no name contains what --only says")
        self.dice.shuffle(chosen)
        return [(name, what) for name, _, what in before] + chosen + [(name, what) for name, _, what in after]

    def run(self):
        good = False
        # An end that is asked for is one that cleans up.
        signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(SystemExit(143)))
        try:
            self.set_up()
            ill = self.calm(5)
            if ill:
                raise SystemExit(f"the floor does not work: {ill}")
            quiet = time.time()
            time.sleep(5)
            self.rows.append({"name": "(nothing)", "begin": quiet, "end": time.time(), "ill": None, "remarks": []})
            plan = self.plan()
            for name, what in plan:
                if time.time() - quiet > self.chosen.minutes * 60:
                    self.untried.append(name)
                else:
                    self.strike(name, what)
            good = self.count()
        finally:
            self.end()
        return 0 if good else 1

    def end(self):
        if self.sims and self.sims.poll() is None:
            self.sims.kill()
        if hasattr(self, "roles"):
            self.roles.stop()
        if hasattr(self, "cluster"):
            self.cluster.stop()

    # What is counted

    def rest(self):
        """Waits until nothing more is written."""
        ends, since = None, time.monotonic()
        last = time.monotonic() + 90
        while time.monotonic() < last:
            now = [self.log.info(stream).get("state", {}).get("last_seq") for stream in ("INBOUND", "CONTACTS", "REMEDIES", "DELIVERIES")]
            if now != ends:
                ends, since = now, time.monotonic()
            elif time.monotonic() - since > 4:
                return
            time.sleep(0.5)

    def agents_leave(self):
        self.sims.send_signal(signal.SIGINT)
        try:
            self.sims.wait(30)
        except subprocess.TimeoutExpired:
            self.sims.kill()
            return {"violations": {"did not end": 1}}
        text = self.sims_said.read_text().strip()
        return json.loads(text.splitlines()[-1]) if text else {"violations": {"said nothing": 1}}

    def count(self):
        unsent = self.loop_do(self.load.finish(60))
        unsent += [f"a seat of ours is empty: {task!r}" for task in self.seats if task.done()]
        self.rest()
        seen = self.agents_leave()
        self.rest()
        for task in self.seats:
            self.loop.call_soon_threadsafe(task.cancel)
        self.rest()
        decided, handed, told = recount.Decided(), recount.Handed(), recount.Told()
        self.log.read("CONTACTS", decided.take)
        self.log.read("DELIVERIES", handed.take)
        given = self.settled_gifts()
        told.read(self.roles.of("api")[0].url, self.key)
        checks = self.check(unsent, seen, decided, given, told, handed)
        return self.table(decided, told, checks)

    def settled_gifts(self):
        """What was given, when all of it is settled or a minute is over."""
        end = time.monotonic() + 60
        while True:
            given = recount.Given()
            self.log.read("REMEDIES", given.take)
            if not given.open() or time.monotonic() > end:
                return given
            time.sleep(3)

    def check(self, unsent, seen, decided, given, told, handed):
        book = self.load.book
        lost = [customer for customer, times in book.acked.items() if told.last.get(customer, 0) < len(times)]
        got = self.partner.got
        # Whoever may be sent the same again is sent it until they have it: nothing is given up, and nothing is unknown.
        missed = [(name, handed.states.get(name, ["none"])[-1]) for name in told.sent if name not in got]
        unsaid = [name for name in got if name.startswith("msg_") and name not in told.sent]
        unheard = [name for giver in self.givers for name in giver.said if name not in told.said]
        again = sum(1 for times, _ in got.values() if times > 1)
        orders = {}
        for name, (wanted, _) in self.shop.orders.items():
            orders.setdefault((wanted.get("contact"), wanted.get("line")), []).append(name)
        twice = [names for names in orders.values() if len(names) > 1]
        unrecorded = [name for name in self.shop.orders if name not in given.remedies]
        unordered = [remedy for remedy, state in given.remedies.items() if state == "done" and remedy not in self.shop.orders]
        undone = [remedy for remedy, state in given.remedies.items() if state in ("failed", "undone") and remedy in self.shop.orders]
        idle = self.rows_without_orders(decided)
        ledger = json.loads(self.roles.command("operator", "ledger", "--json", check=False).stdout)
        receipts = self.roles.command("operator", "receipts", "--json", check=False)
        standing = self.metric(self.roles.of("watch")[0], "winterband_ledger_faults")
        violations = [f"{one.name}: {line.strip()}" for one in self.roles.all.values() for line in self.logged(one) if "permissions violation" in line.lower()]
        agents = [self.watcher, *self.givers]
        say(f"\n{book.total()} messages were acknowledged, {book.tried_again} times sent again: {book.refused}")
        say(f"{decided.records} records, {len(decided.takeovers)} takeovers; agents: {seen.get('resolved')} resolved, "
            f"{seen.get('reconnects')} reconnects, {seen.get('resent')} sent again; ours: {sum(one.connections for one in agents)} connections, "
            f"refused {[one.refusals for one in agents if one.refusals]}; starts that were tried again: {len(self.roles.retried)}")
        say(f"{len(told.sent)} answers to the partner, {again} of them handed over again under their own id; "
            f"{len(given.remedies)} gifts, {given.refused} refused, wallets of a day {given.of_day()} cents;"
            f" {sum(len(giver.said) for giver in self.givers)} answers by givers, {self.shop.asked} orders for {len(self.shop.orders)} of them; "
            f"unknown: {sum(1 for states in handed.states.values() if states[-1] == 'unknown')}")
        return [
            ("every message that was acknowledged is decided", not lost and not unsent, lost[:5] or unsent),
            ("each of them once", not told.doubled, told.doubled[:5]),
            ("each customer's in their order, in one conversation", not told.faults, told.faults[:5]),
            ("inputs in their order, one owner, no agent beyond capacity", not decided.faults, decided.faults[:5]),
            ("answers reached the partner, and no others", not missed and not unsaid, missed[:5] + unsaid[:5]),
            ("what the desk took is said", not unheard, unheard[:5]),
            ("every input has its record", not decided.skipped, decided.skipped[:5]),
            ("what the partner was sent is signed and the same each time", not self.partner.badly_asked, self.partner.badly_asked[:5]),
            ("budgets are kept, no gift twice", not given.faults, given.faults[:5]),
            ("gifts are settled", not given.open(), given.open()[:5]),
            # It takes some minutes.
            ("somebody ran into the limit of their day, and was refused",
             bool(self.chosen.only) or given.ran_out(desks.MUCH_CENTS) and given.refused > 0, given.of_day()),
            ("orders went on all day", not idle, idle[:5]),
            ("each order once, what is done is carried out, and what is carried out is recorded",
             not (twice or unordered or unrecorded or undone or self.shop.badly_asked),
             twice[:3] + unordered[:3] + unrecorded[:3] + undone[:3] + self.shop.badly_asked[:3]),
            ("the ledger balances", not ledger["faults"] and ledger["messages"]["pending"] == 0, ledger["faults"][:5] or ledger["messages"]),
            ("nothing is parked", ledger["messages"]["parked"] == 0, f"{ledger['messages']['parked']} messages: winterband parked"),
            ("the standing ledger balances", standing == 0, standing),
            ("every choice is the one of its definition", receipts.returncode == 0, receipts.stdout[-500:] + receipts.stderr[-500:]),
            ("simulated agents saw nothing odd", seen.get("violations") == {}, seen.get("first_violations") or seen.get("violations")),
            ("no role lacks a right", not violations, violations[:10]),
            ("no process ended by itself", not self.roles.fallen and not self.cluster.fallen, self.roles.fallen[:10] + self.cluster.fallen[:10]),
            ("each ended well when it was asked to", not self.ended_badly, self.ended_badly[:10]),
            ("a clock that is behind led, one that is ahead did not", not self.misled(), self.misled()[:5]),
            ("no server had to be started again", not self.started_again, self.started_again),
            ("time was enough for all of it", not self.untried, self.untried),
            ("all went on after each", not any(row["ill"] for row in self.rows), [(row["name"], row["ill"]) for row in self.rows if row["ill"]][:5]),
        ]

    def misled(self):
        """Of the roles that decide: a clock that is far ahead must not lead, any other may and did."""
        return [(step, role) for step, led in self.skewed for role in ("routing", "empowerment") if (role in led) == (step == faults.AHEAD)]

    def rows_without_orders(self, decided):
        """Rows in which something was decided for so long, and the shop was asked for nothing new."""
        times = sorted(at for _, at in self.shop.orders.values())
        rows = [row for row in self.rows
                if row["end"] - row["begin"] - longest_gap(decided.times, row["begin"], row["end"]) >= OUTAGE]
        return [row["name"] for row in rows if not any(row["begin"] <= at <= row["end"] for at in times)]

    def rate(self, begin, end):
        """Messages a second that were acknowledged meanwhile."""
        times = (at for door in self.load.book.times.values() for at in door)
        return sum(1 for at in times if begin <= at <= end) / max(end - begin, 1e-9)

    def logged(self, one):
        with open(self.place / f"{one.name}.log", errors="replace") as file:
            yield from file

    @staticmethod
    def metric(one, name):
        for line in ask(f"{one.url}/metrics", within=10).decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split(" ")[1])
        return None

    def table(self, decided, told, checks):
        book = self.load.book
        doors = list(book.times.values())
        shown = list(self.watcher.shown.values())
        ordered = [at for _, at in self.shop.orders.values()]
        good = True
        for name, holds, more in checks:
            good = good and holds
            say(f"{'ok ' if holds else 'NOT'}  {name}{'' if holds else ': ' + str(more)}")
        say(f"\n{'longest interruption, s':<38} {'a s':>6} {'took in':>8} {'decided':>8} {'at desk':>8} {'ordered':>8} {'sent':>7} {'lost':>5} {'doubled':>8}  result")
        doubled = {}
        for customer, number in told.doubled:
            doubled.setdefault(customer, set()).add(number)
        for row in self.rows:
            begin, end = row["begin"], row["end"]
            sent = lost = twice = 0
            for customer, times in book.acked.items():
                for number, at in enumerate(times, 1):
                    if begin <= at <= end:
                        sent += 1
                        lost += number > told.last.get(customer, 0)
                        twice += number in doubled.get(customer, ())
            intake = max(longest_gap(times, begin, end) for times in doors)
            result = "ok" if not (lost or twice or row["ill"]) else f"NOT: {row['ill'] or 'lost or doubled'}"
            result += "".join(f"; {remark}" for remark in row["remarks"])
            rate = self.rate(begin, end)
            say(f"{row['name']:<38} {rate:>6.0f} {intake:>8.1f} {longest_gap(decided.times, begin, end):>8.1f} {longest_gap(shown, begin, end):>8.1f} {longest_gap(ordered, begin, end):>8.1f} "
                f"{sent:>7} {lost:>5} {twice:>8}  {result}")
        for name, needs in self.left_out:
            say(f"{name:<38} not tried: needs {needs}")
        whole = self.rate(self.rows[0]["begin"], self.rows[-1]["end"])
        say(f"{whole:.0f} messages a second over all of it, {self.chosen.per_second} asked for; in the calm before it {self.rate(self.rows[0]['begin'], self.rows[0]['end']):.0f}")
        say(("all held" + (", of what was tried" if self.left_out else "")) if good else "NOT all held")
        return good
