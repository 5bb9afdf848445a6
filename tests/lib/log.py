"""The streams as they are stored, read past the product with a client of the bus."""

import asyncio
import json
import logging
import ssl
import threading

import nats

# How long a leader may take to say something, s.
ANSWER_WITHIN = 2.0
# A server of which its leader has not heard for so long is not there, ns; nor is one that is so many entries behind.
SILENT, BEHIND = 3_000_000_000, 500


class Log:
    """A connection as the operator, on a loop of its own, so that whoever asks may wait for it."""

    def __init__(self, place, url):
        # Connections that end are what a bad day is made of.
        logging.getLogger("asyncio").setLevel(logging.ERROR)
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        keys = place / "keys/operator"
        self.seed, self.url = str(keys / "nats.seed"), url
        self.tls = ssl.create_default_context(cafile=str(keys / "ca.pem"))
        self.bus = None

    def do(self, work, within=600):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(within)

    async def connected(self):
        if self.bus is None:
            async def quiet(_):
                pass

            self.bus = await nats.connect(self.url.split(","), tls=self.tls, nkeys_seed=self.seed, max_reconnect_attempts=-1,
                                          reconnect_time_wait=0.2, connect_timeout=2, ping_interval=2, max_outstanding_pings=2,
                                          error_cb=quiet)
        return self.bus

    def info(self, stream):
        """What the stream's leader says of it; nothing where none answers."""
        async def look():
            bus = await self.connected()
            answer = await bus.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=ANSWER_WITHIN)
            return json.loads(answer.data)

        try:
            return self.do(look(), within=ANSWER_WITHIN + 5)
        except Exception:
            return {}

    def leader(self, stream):
        return self.info(stream).get("cluster", {}).get("leader")

    def behind(self, stream):
        """The names of those who do not follow the stream's leader closely, with what it says of them; nothing where there is no leader."""
        group = self.info(stream).get("cluster", {})
        if not group.get("leader"):
            return None
        return {one["name"]: one for one in group.get("replicas", [])
                if one.get("offline") or one.get("active", SILENT) >= SILENT or one.get("lag", 0) >= BEHIND}

    def read(self, stream, take):
        """Hands each message that the stream has now to `take(sequence, stored at s, payload)`."""
        async def all_of_it():
            bus = await self.connected()
            info = json.loads((await bus.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=10)).data)
            state = info["state"]
            if state["messages"] == 0:
                return 0
            js = bus.jetstream(timeout=30)
            subject = info["config"]["subjects"][0]
            tail = await js.subscribe(subject, stream=stream, ordered_consumer=True, pending_msgs_limit=0, pending_bytes_limit=0)
            count = 0
            while True:
                message = await tail.next_msg(timeout=30)
                meta = message.metadata
                take(meta.sequence.stream, meta.timestamp.timestamp(), message.data)
                count += 1
                if meta.num_pending == 0 or meta.sequence.stream >= state["last_seq"]:
                    break
            await tail.unsubscribe()
            return count

        return self.do(all_of_it(), within=900)
