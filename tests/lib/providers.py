"""The other side: a partner whose customers write by signed webhooks and who is sent our answers, and a shop that carries out orders."""

import asyncio
import base64
import hashlib
import hmac
import json
import time

from lib import web

# How a provider behaves.
WELL, SLOW, TWICE, NEVER, DROP = "well", "slow", "twice", "never", "drop"
SLOW_BY = 3.0


class Signer:
    """Standard Webhooks' signatures."""

    def __init__(self):
        self.key = hashlib.sha256(b"a partner's secret for one run").digest()
        self.secret = "whsec_" + base64.b64encode(self.key).decode()

    def sign(self, name, at, body):
        made = hmac.new(self.key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
        return "v1," + base64.b64encode(made).decode()


class Provider:
    def __init__(self, port):
        self.port, self.mode = port, WELL
        self.badly_asked = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def start(self):
        self.server = await web.serve(self.port, self.handle)

    async def finish(self, writer, status, body=None):
        """What was asked is done; how it is told is as the provider behaves."""
        if self.mode == DROP:
            return False
        if self.mode == NEVER:
            await asyncio.sleep(120)
            return False
        if self.mode == SLOW:
            await asyncio.sleep(SLOW_BY)
        web.answer(writer, status, body)
        if self.mode == TWICE:
            web.answer(writer, status, body)
        return True


class Partner(Provider):
    """Keeps what it is sent: by the id of the webhook, how often, and the words."""

    def __init__(self, port, signer):
        super().__init__(port)
        self.signer = signer
        self.got = {}

    async def handle(self, method, path, headers, body, writer):
        name, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        signed = self.signer.sign(name, at, body) in headers.get("webhook-signature", "").split(" ")
        if method != "POST" or not signed:
            self.badly_asked.append((method, path, name))
            return web.answer(writer, 401)
        said = json.loads(body)["data"]
        times, before = self.got.get(name, (0, said))
        if before != said:
            self.badly_asked.append(("other words", path, name))
        self.got[name] = (times + 1, said)
        return await self.finish(writer, 204)


class Shop(Provider):
    """Carries out each order once, by its id, as crates/reference-shop/README.md has it."""

    def __init__(self, port, token):
        super().__init__(port)
        self.token, self.orders = token, {}
        self.asked = 0

    def last_new(self):
        """When it was asked for an order that it did not have, last of all; s since the epoch."""
        return next(reversed(self.orders.values()))[1] if self.orders else 0

    async def handle(self, method, path, headers, body, writer):
        if headers.get("authorization") != f"Bearer {self.token}":
            self.badly_asked.append((method, path, "token"))
            return web.answer(writer, 401)
        name = path.rpartition("/")[2]
        if not path.startswith("/orders/"):
            return web.answer(writer, 404)
        if method == "PUT":
            self.asked += 1
            wanted = json.loads(body)
            kept = self.orders.setdefault(name, (wanted, time.time()))
            if kept[0] != wanted:
                self.badly_asked.append((method, path, "other order"))
                return web.answer(writer, 409, {"status": "failed", "reason": "id_reused"})
        elif name not in self.orders:
            return await self.finish(writer, 404, {"status": "not_found"})
        return await self.finish(writer, 200, {"status": "done", "reference": f"WT-{len(name)}{name[-6:]}"})
