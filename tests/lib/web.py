"""A little HTTP on asyncio: requests over connections that are kept, servers of our own, and a balancer as a floor has one."""

import asyncio
import itertools
import json


class Broken(OSError):
    """The connection ended, or said nothing that can be read."""


async def read_head(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return first, headers


class Caller:
    """One connection to one address; made again when it broke."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self.reader = self.writer = None

    def close(self):
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None

    async def ask(self, method, path, body=b"", headers=(), within=8):
        """The status, and the body as it came."""
        try:
            async with asyncio.timeout(within):
                if self.writer is None:
                    self.reader, self.writer = await asyncio.open_connection(self.host, self.port, limit=1 << 24)
                lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", f"Content-Length: {len(body)}"]
                lines += [f"{name}: {value}" for name, value in headers]
                self.writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
                first, got = await read_head(self.reader)
                answer = await self.reader.readexactly(int(got.get("content-length", 0)))
                if got.get("connection", "").lower() == "close":
                    self.close()
                return int(first.split(" ")[1]), answer
        except (OSError, EOFError, TimeoutError, ValueError, IndexError, asyncio.LimitOverrunError) as error:
            self.close()
            raise Broken(str(error)) from error


async def serve(port, handle):
    """Serves requests: `handle(method, path, headers, body, writer)` writes its answers itself, or none."""

    async def converse(reader, writer):
        try:
            while True:
                first, headers = await read_head(reader)
                method, path, _ = first.split(" ")
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if not await handle(method, path, headers, body, writer):
                    break
                await writer.drain()
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    return await asyncio.start_server(converse, "127.0.0.1", port, limit=1 << 24)


def answer(writer, status, body=None):
    data = json.dumps(body).encode() if body is not None else b""
    writer.write(f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    return True


class Balancer:
    """One address for all roles that are called: a connection goes, by its first request, to a process that says that it is ready."""

    LOOK_EVERY = 0.5
    WITHIN = 1.0

    def __init__(self, port, roles):
        self.port, self.roles = port, roles
        self.up = {name: True for name in roles}
        self.open = {name: set() for name in roles}
        self.turns = itertools.count()

    async def start(self):
        self.server = await asyncio.start_server(self.pass_on, "127.0.0.1", self.port, limit=1 << 20)
        self.looks = [asyncio.create_task(self.look(name, port)) for name, (_, port) in self.roles.items()]

    async def look(self, name, port):
        caller = Caller("127.0.0.1", port)
        while True:
            try:
                status, _ = await caller.ask("GET", "/health/ready", within=self.WITHIN)
                self.up[name] = status == 200
            except Broken:
                self.up[name] = False
            if not self.up[name]:
                for writer in list(self.open[name]):
                    writer.transport.abort()
            await asyncio.sleep(self.LOOK_EVERY)

    def choose(self, first):
        path = first.split(b" ")[1] if b" " in first else b"/"
        role = "desk" if path.startswith(b"/desk") else "channels" if path.startswith(b"/in/") else "api"
        names = [name for name, (of, _) in self.roles.items() if of == role]
        ready = [name for name in names if self.up[name]] or names
        turn = next(self.turns) % len(ready)
        return ready[turn:] + ready[:turn]

    async def pass_on(self, reader, writer):
        try:
            first = await reader.readline()
            for name in self.choose(first):
                try:
                    async with asyncio.timeout(self.WITHIN):
                        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self.roles[name][1])
                except (OSError, TimeoutError):
                    continue
                break
            else:
                return
            both = {writer, inner_writer}
            self.open[name] |= both
            try:
                inner_writer.write(first)
                await asyncio.gather(self.pump(reader, inner_writer), self.pump(inner_reader, writer))
            finally:
                self.open[name] -= both
                inner_writer.close()
        except (OSError, ValueError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def pump(reader, writer):
        try:
            while data := await reader.read(1 << 16):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()
