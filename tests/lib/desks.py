"""Agents of our own at the desk's socket: one who watches how soon words are shown, and some who give."""

import asyncio
import json
import random
import time

from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus, WebSocketException

from lib import web
from lib.load import EACH

# So little that the budget of a day lasts for all of it, and so much that it is used up by twenty.
LITTLE_CENTS, MUCH_CENTS = 25, 10_000
RESEND_AFTER = 10.0
PING_EVERY, DEAF_AFTER = 5, 10


def made_now():
    """A UUID of version 7, as ids of the product are written."""
    ms, rest = time.time_ns() // 1_000_000, random.getrandbits(74)
    return f"{ms << 80 | 7 << 76 | rest >> 62 << 64 | 2 << 62 | rest & (1 << 62) - 1:032x}"


class Agent:
    """Connects for ever; what was asked and not answered is asked again under its id."""

    def __init__(self, name, front, key):
        self.name, self.front, self.key = name, front, key
        self.token, self.socket = None, None
        # By command: what was asked, when it was sent last, and what to do with the answer.
        self.pending = {}
        self.stages = {}
        self.connections = 0
        self.refusals = {}
        # The messages that the desk said it took.
        self.said = []

    async def work(self):
        caller = web.Caller("127.0.0.1", self.front)
        while True:
            try:
                if self.token is None:
                    await self.sign_in(caller)
                await self.converse()
            except InvalidStatus as error:
                if error.response.status_code == 401:
                    self.token = None
            except (OSError, TimeoutError, WebSocketException):
                pass
            self.socket = None
            await asyncio.sleep(0.3)

    async def sign_in(self, caller):
        body = json.dumps({"agent": self.name}).encode()
        headers = [("Authorization", f"Bearer {self.key}"), ("Content-Type", "application/json")]
        status, answer = await caller.ask("POST", "/api/v1/sessions", body, headers)
        if status not in (200, 201):
            raise web.Broken(f"{status} {answer!r}")
        self.token = json.loads(answer)["token"]

    async def converse(self):
        url = f"ws://127.0.0.1:{self.front}/desk/api/socket"
        async with connect(url, additional_headers={"Authorization": f"Bearer {self.token}"}, open_timeout=5, close_timeout=1,
                           ping_interval=PING_EVERY, ping_timeout=DEAF_AFTER, max_size=1 << 24) as socket:
            self.socket = socket
            self.connections += 1
            await socket.send(json.dumps({"t": "hello", "have": {}}))
            resends = asyncio.create_task(self.resend())
            try:
                async for text in socket:
                    await self.heard(json.loads(text))
            finally:
                resends.cancel()

    async def resend(self):
        while True:
            await asyncio.sleep(1)
            now = time.monotonic()
            for asked in list(self.pending.values()):
                if now - asked["sent"] > RESEND_AFTER:
                    await self.send(asked)

    async def send(self, asked):
        asked["sent"] = time.monotonic()
        if self.socket:
            await self.socket.send(json.dumps(asked["frame"]))

    async def ask(self, command, then=None):
        name = f"cmd_{made_now()}"
        asked = {"frame": {"t": "command", "id": name, "command": command}, "then": then, "sent": 0}
        self.pending[name] = asked
        await self.send(asked)

    async def heard(self, frame):
        kind = frame["t"]
        if kind == "state":
            for asked in list(self.pending.values()):
                await self.send(asked)
            if frame["presence"] != "online":
                await self.ask({"do": "set_presence", "presence": "online"})
            for offer in frame["offers"]:
                await self.ask({"do": "accept", "offer": offer["offer"]})
            held = {contact["contact"] for contact in frame["contacts"]}
            self.forget_all_but(held)
            for contact in frame["contacts"]:
                await self.has(contact)
        elif kind == "offer":
            await self.ask({"do": "accept", "offer": frame["offer"]})
        elif kind == "contact":
            await self.has(frame)
        elif kind == "contact_gone":
            self.forget(frame["contact"])
        elif kind == "entry":
            await self.entry(frame["entry"])
        elif kind == "presence" and frame["presence"] != "online":
            await self.ask({"do": "set_presence", "presence": "online"})
        elif kind in ("settled", "remedy_settled"):
            asked = self.pending.pop(frame["id"], None)
            outcome = frame["outcome"]
            if outcome["is"] == "refused":
                said = json.dumps(outcome.get("refusal", outcome))
                self.refusals[said] = self.refusals.get(said, 0) + 1
            elif asked and asked["frame"]["command"]["do"] == "reply":
                self.said.append(asked["frame"]["command"]["message"])
            if asked and asked["then"]:
                await asked["then"]()

    def forget(self, contact):
        self.stages.pop(contact, None)

    def forget_all_but(self, held):
        for contact in set(self.stages) - held:
            self.forget(contact)

    async def has(self, contact):
        raise NotImplementedError

    async def entry(self, entry):
        pass

    async def resolve(self, contact):
        await self.ask({"do": "resolve", "contact": contact, "disposition": "solved"})


class Watcher(Agent):
    """Holds the customer who writes four times a second, and notes when each of the words is shown."""

    def __init__(self, *of):
        super().__init__(*of)
        self.shown = {}

    async def has(self, contact):
        if "wrap_up_until" in contact:
            return
        for entry in contact["entries"]:
            await self.entry(entry)

    async def entry(self, entry):
        text = entry.get("text") or ""
        if entry["kind"]["is"] != "from_customer" or text in self.shown:
            return
        self.shown[text] = time.time()
        if int(text.rpartition(" ")[2]) == EACH:
            await self.resolve(entry["contact"])


class Giver(Agent):
    """Answers, gives something, ends it and its wrap-up, as often as the customer comes back; when the day's budget is used up, only answers."""

    THINK = 0.5

    def __init__(self, name, front, key, cents):
        super().__init__(name, front, key)
        self.cents = cents
        self.tasks = set()
        # When a contact was told to be with us, and not in its wrap-up, last.
        self.open_at = {}

    def forget(self, contact):
        super().forget(contact)
        self.open_at.pop(contact, None)

    async def has(self, contact):
        name = contact["contact"]
        if "wrap_up_until" in contact or contact.get("role"):
            self.open_at.pop(name, None)
            return
        self.open_at[name] = time.monotonic()
        self.begin(name)

    def begin(self, name):
        if self.stages.get(name) == "answering":
            return
        self.stages[name] = "answering"
        task = asyncio.create_task(self.answer(name))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def settled(self, command):
        done = asyncio.Event()

        async def then():
            done.set()

        try:
            await self.ask(command, then)
        except (OSError, WebSocketException):
            # It stays pending, and is sent with the next connection.
            pass
        await done.wait()
        await asyncio.sleep(self.THINK)

    async def answer(self, contact):
        await asyncio.sleep(self.THINK)
        await self.settled({"do": "reply", "contact": contact, "message": f"msg_{made_now()}", "text": "We put that right."})
        gift = {"kind": "gesture", "occasion": "trust", "claim": {"reason": "used", "line": made_now()[-12:]},
                "money": {"cents": self.cents, "currency": "EUR"}}
        await self.settled({"do": "give", "contact": contact, "gift": gift, "ask": False})
        ends = time.monotonic()
        await self.settled({"do": "resolve", "contact": contact, "disposition": "solved"})
        self.stages[contact] = "done"
        if self.open_at.get(contact, 0) > ends:
            # The customer wrote again within the wrap-up.
            self.begin(contact)
        else:
            # Whoever waits for its end has no room for the next one.
            await self.settled({"do": "end_wrap_up", "contact": contact})
