"""Customers who write all the while, by both doors: each message has an id and a number of its own, and is sent again under them until it
is acknowledged."""

import array
import asyncio
import json
import random
import time

from lib import web

# Messages of one customer; then the next one begins.
EACH = 100
# A provider waits so long for an answer, and so long before it sends the same again.
ANSWER_WITHIN, AGAIN_AFTER = 8.0, 0.2
# How much of what an interruption held up is sent at once after it, s.
CATCH_UP = 2.0
# Events in one webhook of the partner's, each of another customer.
IN_ONE = 10
# Pause of a lane between two messages, s: what an answer may take without slowing the lane down.
PAUSE = 0.5


class Book:
    """What was acknowledged, and when: by customer, one time for each number from 1 on."""

    def __init__(self):
        self.acked, self.times = {}, {}
        self.refused = {}
        self.tried_again = 0

    def note(self, door, customer):
        now = time.time()
        self.acked.setdefault(customer, array.array("d")).append(now)
        self.times.setdefault(door, array.array("d")).append(now)

    def total(self):
        return sum(len(times) for times in self.acked.values())


class Load:
    def __init__(self, front, key, signer, per_second, seed):
        self.front, self.key, self.signer = front, key, signer
        self.book = Book()
        self.ending = False
        self.dice = random.Random(seed)
        # By webhooks what fits into lists of ten, by the API a fifth; and one customer whom a desk of ours watches.
        singles = max(1, round(per_second / 5 * PAUSE))
        lists = max(1, round(per_second * 4 / 5 / IN_ONE * PAUSE))
        self.lanes = [(self.single, f"a{n}", "shop", PAUSE) for n in range(singles)]
        self.lanes += [(self.list, f"w{n}", "partner", PAUSE) for n in range(lists)]
        self.lanes += [(self.single, "p", "probe", 0.25)]

    async def start(self):
        self.tasks = [asyncio.create_task(self.lane(*lane)) for lane in self.lanes]

    async def lane(self, send, name, account, pause):
        caller = web.Caller("127.0.0.1", self.front)
        due = time.monotonic() + self.dice.random() * pause
        # Not all customers of all lanes end at the same moment.
        number, round_of = self.dice.randrange(EACH) if account != "probe" else 0, 0
        first = number
        while not self.ending:
            if number == EACH:
                number, first, round_of = 0, 0, round_of + 1
            number += 1
            await send(caller, f"{name}-{round_of}", account, number - first)
            due = max(due + pause, time.monotonic() - CATCH_UP)
            await asyncio.sleep(max(0, due - time.monotonic()))

    async def insist(self, caller, door, ask):
        """Until it is acknowledged, as a provider does; `ask` makes the same request anew."""
        while True:
            try:
                status, answer = await ask(caller)
                if status == 202:
                    taken = json.loads(answer)
                    if taken.get("parked"):
                        self.count(door, "parked")
                    return
                self.count(door, f"{status} {self.code(answer)}")
            except web.Broken:
                self.count(door, "no answer")
            self.book.tried_again += 1
            await asyncio.sleep(AGAIN_AFTER)

    @staticmethod
    def code(answer):
        try:
            return json.loads(answer).get("code", "")
        except (ValueError, AttributeError):
            return ""

    def count(self, door, what):
        self.book.refused[door, what] = self.book.refused.get((door, what), 0) + 1

    async def single(self, caller, customer, account, number):
        body = json.dumps({"account": account, "id": f"{customer}.{number}", "from": {"value": customer},
                           "text": f"{customer} {number}"}).encode()
        headers = [("Authorization", f"Bearer {self.key}"), ("Content-Type", "application/json")]
        await self.insist(caller, "api", lambda caller: caller.ask("POST", "/api/v1/messages", body, headers, ANSWER_WITHIN))
        self.book.note("api", customer)

    async def list(self, caller, group, account, number):
        customers = [f"{group}-{place}" for place in range(IN_ONE)]
        body = json.dumps([{"type": "message.created", "data": {"id": f"{customer}.{number}", "from": {"id": customer},
                                                                "text": f"{customer} {number}"}} for customer in customers]).encode()
        name = f"evt-{group}.{number}"

        def ask(caller):
            # Each attempt has a signature of its own time.
            at = str(int(time.time()))
            headers = [("webhook-id", name), ("webhook-timestamp", at), ("webhook-signature", self.signer.sign(name, at, body)),
                       ("Content-Type", "application/json")]
            return caller.ask("POST", f"/in/webhook/{account}", body, headers, ANSWER_WITHIN)

        await self.insist(caller, "webhook", ask)
        for customer in customers:
            self.book.note("webhook", customer)

    async def finish(self, within):
        """No new ones; what was begun is sent until it is acknowledged. Gives what was not, or what ended a lane before its time."""
        fallen = [repr(task.exception()) for task in self.tasks if task.done()]
        self.ending = True
        done, late = await asyncio.wait(self.tasks, timeout=within)
        for task in late:
            task.cancel()
        fallen += [repr(task.exception()) for task in done if task.exception()]
        return fallen + [f"{len(late)} lanes were not acknowledged"] * bool(late)
