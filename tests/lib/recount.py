"""What is left at the end, counted from the streams and from what both sides noted, sharing nothing with the product's own ledger."""

import json
import time
import urllib.error

from lib.common import ask, until

# The policy's limits that the givers draw on (deploy/config/empowerment.toml, `latitude`), cents.
WALLETS = {"contact": 15_000, "customer_year": 60_000, "agent_day": 200_000}


class Decided:
    """CONTACTS: who holds what, and when messages were decided."""

    def __init__(self):
        self.times, self.takeovers = [], []
        self.capacity, self.channel, self.holder, self.held = {}, {}, {}, {}
        self.faults, self.last_input, self.records = [], 0, 0
        # Inputs that no record names, though one names a later input.
        self.skipped = []

    def take(self, seq, stored_at, payload):
        record = json.loads(payload)
        self.records += 1
        cause = record["cause"]
        kind = None
        if cause["from"] == "input":
            kind = cause["input"]["body"]["kind"]
        if "seq" in cause:
            if cause["seq"] <= self.last_input:
                self.faults.append(f"record {seq}: input {cause['seq']} comes after {self.last_input}")
            elif cause["seq"] != self.last_input + 1:
                self.skipped.append((self.last_input + 1, cause["seq"] - 1))
            self.last_input = cause["seq"]
        if kind == "message":
            self.times.append(stored_at)
        elif cause["from"] == "takeover":
            self.takeovers.append(stored_at)
        for event in record["events"]:
            self.event(seq, cause, event)

    def event(self, seq, cause, event):
        is_ = event["event"]
        if is_ == "config_applied":
            agents = cause["input"]["body"]["config"]["agents"]
            self.capacity = {agent["id"]: agent["capacity"] for agent in agents}
        elif is_ == "contact_opened":
            self.channel[event["contact"]] = event["channel"]
        elif is_ in ("offer_made", "assigned"):
            self.hold(seq, event["contact"], event["agent"])
        elif is_ == "offer_ended" and event["end"]["is"] != "accepted" or is_ in ("queued", "resolved", "abandoned"):
            agent = self.holder.pop(event["contact"], None)
            if agent:
                self.held[agent].discard(event["contact"])

    def hold(self, seq, contact, agent):
        before = self.holder.get(contact, agent)
        if before != agent:
            self.faults.append(f"record {seq}: two have {contact}")
        self.holder[contact] = agent
        held = self.held.setdefault(agent, set())
        held.add(contact)
        channel = self.channel.get(contact)
        of_channel = sum(1 for one in held if self.channel.get(one) == channel)
        if of_channel > self.capacity.get(agent, {}).get(channel, 0):
            self.faults.append(f"record {seq}: {agent} has {of_channel} contacts of {channel}")


class Given:
    """REMEDIES: what was given, from which wallets, and what became of it."""

    def __init__(self):
        self.remedies, self.wallets, self.faults = {}, {}, []
        self.refused = 0

    def take(self, seq, stored_at, payload):
        for event in json.loads(payload)["events"]:
            is_ = event["event"]
            if is_ == "granted":
                self.granted(seq, event)
            elif is_ in ("ordered", "done", "failed", "unknown", "undone"):
                self.became(seq, event)
            elif is_ == "command_settled" and event["outcome"]["is"] == "refused":
                self.refused += 1

    def granted(self, seq, event):
        if event["remedy"] in self.remedies:
            self.faults.append(f"record {seq}: {event['remedy']} is granted twice")
        self.remedies[event["remedy"]] = "granted"
        cents = event["gift"]["money"]["cents"]
        for wallet in event["wallets"]:
            key = wallet["per"], wallet["of"]
            self.wallets[key] = self.wallets.get(key, 0) + cents
            if self.wallets[key] > WALLETS.get(wallet["per"], self.wallets[key]):
                self.faults.append(f"record {seq}: {key} holds {self.wallets[key]} cents")

    def became(self, seq, event):
        before = self.remedies.get(event["remedy"])
        if before in ("done", "failed", "undone") and event["event"] in ("done", "failed", "undone"):
            self.faults.append(f"record {seq}: {event['remedy']} was {before} and is {event['event']}")
        self.remedies[event["remedy"]] = event["event"]

    def of_day(self):
        """What the wallets of an agent's day hold, cents."""
        return sorted(cents for (per, _), cents in self.wallets.items() if per == "agent_day")

    def ran_out(self, cents):
        """Whether the wallet of somebody's day holds so much that so many more do not fit."""
        return any(held + cents > WALLETS["agent_day"] for held in self.of_day())

    def open(self):
        return [remedy for remedy, state in self.remedies.items() if state not in ("done", "failed", "undone")]


class Told:
    """The feed of public events: each customer's words once and in order, and what we answered."""

    def __init__(self):
        self.last, self.conversation, self.sent = {}, {}, {}
        self.doubled, self.faults = [], []
        # What agents said, by any channel.
        self.said = set()

    def read(self, url, key):
        after, said = 0, []

        def asked():
            try:
                return ask(f"{url}/api/v1/events?after={after}&limit=500&types=message.received,message.sent", key, within=60)
            except urllib.error.HTTPError as error:
                # "Not now, come again": what a feed says while it reads its log, as to everybody.
                if error.code not in (429, 503):
                    raise
                said.append(error.read().decode(errors="replace"))
                return None

        while True:
            page = until("the feed answers", asked, within=120, every=1, tail=lambda: said[-1:])
            for event in page["events"]:
                self.event(event)
            after = page["next"]
            if page["behind"] == 0:
                return

    def event(self, event):
        data = event["data"]
        if event["type"] == "message.sent":
            if data["message"] in self.said:
                self.faults.append(f"{data['message']} is said twice")
            self.said.add(data["message"])
            if event["channel"] == "webhook":
                self.sent[data["message"]] = event["conversation"]
            return
        customer, _, number = data["words"]["text"].rpartition(" ")
        number, last = int(number), self.last.get(customer, 0)
        if number <= last:
            self.doubled.append((customer, number))
        elif number != last + 1:
            self.faults.append(f"of {customer}, {number} comes after {last}")
        self.last[customer] = max(number, last)
        if self.conversation.setdefault(customer, event["conversation"]) != event["conversation"]:
            self.faults.append(f"{customer} has two conversations")


class Handed:
    """DELIVERIES: the last that is known of each message of ours."""

    def __init__(self):
        self.states = {}

    def take(self, seq, stored_at, payload):
        step = json.loads(payload)
        if step.get("message"):
            self.states.setdefault(step["message"], []).append(step["state"])


def settle(log, until, within):
    """Waits until `until()` holds; gives whether it did."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if until():
            return True
        time.sleep(1)
    return False
