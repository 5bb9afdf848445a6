"""Three nats-servers that keep every stream together: their network, their disks, and what can happen to them."""

import os
import signal
import subprocess
import time

from lib.common import TOP, free_port, run, say

COUNT = 3
# Each server's disk: a file that takes room only for what is written.
DISK_BYTES = 6 << 30


def keep_network():
    """A process whose network is its own; it ends with this one."""
    holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
    ours = os.readlink("/proc/self/ns/net")
    while os.readlink(f"/proc/{holder.pid}/ns/net") == ours:
        time.sleep(0.01)
    return holder.pid


class Server:
    """One of them. As root it has a network of its own, with a cable to the roles and one to the other servers, and a disk of its own."""

    def __init__(self, number, place, program, isolated):
        self.number, self.place, self.program, self.isolated = number, place, program, isolated
        self.name = f"nats-{number}"
        self.store = place / f"store-{number}"
        self.store.mkdir()
        self.process = None
        if isolated:
            self.client, self.route, self.watch = (f"10.77.1.{number}", 4222), (f"10.77.2.{number}", 6222), ("127.0.0.1", 8222)
            self.plug_in()
            self.mount()
        else:
            self.client, self.route, self.watch = (("127.0.0.1", free_port()) for _ in range(3))

    def plug_in(self):
        self.holder = keep_network()
        inside = ["nsenter", "-t", self.holder, "-n"]
        run(*inside, "ip", "link", "set", "lo", "up")
        for cable, bridge, (address, _) in [("clients", "wb-clients", self.client), ("servers", "wb-servers", self.route)]:
            outer = f"{cable}-{self.number}"
            run("ip", "link", "add", outer, "type", "veth", "peer", "name", cable, "netns", self.holder)
            run("ip", "link", "set", outer, "master", bridge, "up")
            run(*inside, "ip", "addr", "add", f"{address}/24", "dev", cable)
            run(*inside, "ip", "link", "set", cable, "up")

    def mount(self):
        image = self.place / "disks" / str(self.number)
        with open(image, "wb") as file:
            file.truncate(DISK_BYTES)
        # Without a journal of its own: the machine does not lose power here.
        run("mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1", image)
        run("mount", "-o", "loop", image, self.store)

    def configure(self, servers):
        """As deploy/nats has it, with the places and addresses of this run."""
        text = (TOP / "deploy/nats/cluster.conf").read_text()
        routes = ", ".join(f'"tls://{address}:{port}"' for address, port in (one.route for one in servers))
        changes = [
            ('include "nats.conf"', (TOP / "deploy/nats/nats.conf").read_text()),
            ('include "../../keys/users.conf"', 'include "keys/nats/users.conf"'),
            ('"/keys/', f'"{self.place}/keys/nats/'),
            ('"/store"', f'"{self.store}"'),
            ("0.0.0.0:4222", "%s:%d" % self.client),
            ("0.0.0.0:6222", "%s:%d" % self.route),
            ("127.0.0.1:8222", "%s:%d" % self.watch),
            ('"tls://nats-1:6222", "tls://nats-2:6222", "tls://nats-3:6222"', routes),
        ]
        for old, new in changes:
            if old not in text:
                raise SystemExit(f"deploy/nats has no {old} any more: tests/lib/servers.py is to follow")
            text = text.replace(old, new)
        self.config = self.place / f"{self.name}.conf"
        self.config.write_text(text)

    def start(self):
        inside = ["nsenter", "-t", str(self.holder), "-n"] if self.isolated else []
        self.killed = False
        env = {**os.environ, "SERVER_NAME": self.name, "SYNC_INTERVAL": "always", "GOMEMLIMIT": "800MiB"}
        with open(self.place / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen([*inside, self.program, "-c", self.config], env=env, stdout=log, stderr=log)

    def signal(self, which):
        self.process.send_signal(which)

    def kill(self):
        self.killed = True
        self.signal(signal.SIGKILL)
        self.process.wait()

    def again(self):
        """As whoever looks after it would: what does not run is started, what runs is restarted."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        self.start()

    def cut(self, *cables):
        for cable in cables or ("clients", "servers"):
            run("ip", "link", "set", f"{cable}-{self.number}", "down")

    def join(self):
        for cable in ("clients", "servers"):
            run("ip", "link", "set", f"{cable}-{self.number}", "up")

    def fill(self):
        """Takes every byte that is left on its disk."""
        filler = os.open(self.store / "filler", os.O_CREAT | os.O_WRONLY)
        step = 1 << 30
        offset = 0
        while step >= 4096:
            try:
                os.posix_fallocate(filler, offset, step)
                offset += step
            except OSError:
                step //= 2
        os.close(filler)

    def empty(self):
        (self.store / "filler").unlink(missing_ok=True)


class Cluster:
    def __init__(self, place, program, isolated, in_memory):
        self.place = place
        if isolated:
            (place / "disks").mkdir()
            if in_memory:
                run("mount", "-t", "tmpfs", "-o", "size=90%", "disks", place / "disks")
            run("ip", "link", "set", "lo", "up")
            for bridge in ("wb-clients", "wb-servers"):
                run("ip", "link", "add", bridge, "type", "bridge")
                run("ip", "link", "set", bridge, "up")
            run("ip", "addr", "add", "10.77.1.254/24", "dev", "wb-clients")
        # Which ended by themselves, and with what.
        self.fallen = []
        self.servers = [Server(number, place, program, isolated) for number in range(1, COUNT + 1)]
        for server in self.servers:
            server.configure(self.servers)

    @property
    def url(self):
        return ",".join("tls://%s:%d" % server.client for server in self.servers)

    @property
    def hosts(self):
        return sorted({address for server in self.servers for address, _ in (server.client, server.route)})

    def named(self, name):
        return next(server for server in self.servers if server.name == name)

    def start(self):
        for server in self.servers:
            server.start()

    def look_after(self):
        """Starts again whichever ended by itself; gives their names."""
        ended = [server for server in self.servers if server.process and server.process.poll() is not None]
        for server in ended:
            if not server.killed:
                self.fallen.append((server.name, server.process.returncode))
                say(f"{server.name} ended by itself with {server.process.returncode}")
            server.start()
        return [server.name for server in ended]

    def stop(self):
        for server in self.servers:
            if server.process and server.process.poll() is None:
                server.process.kill()
