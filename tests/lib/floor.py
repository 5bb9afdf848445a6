"""The product on this machine as roles that run apart, on one nats-server, without containers: for tests that watch it from outside."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error

from lib.common import ROLES, TOP, ask, free_port, run, until

READY_WITHIN = 120
STOP_WITHIN = 15
# Room that no load of a test uses up: how soon it is full is told as it is.
ROOMY = {f"WINTERBAND_STREAMS__{name}_MAX": "4096GiB" for name in ("INBOUND", "CONTACTS", "REMEDIES", "DELIVERIES", "AUDIT")}

SERVER = """
server_name: one
listen: "127.0.0.1:%d"
max_payload: 8MB
jetstream { store_dir: "%s", max_mem: 256MB, max_file: 64TB, sync_interval: %s }
"""


def nats_server():
    program = os.environ.get("NATS_SERVER_BIN") or shutil.which("nats-server") or str(TOP / ".tools/nats-server")
    run(program, "--version")
    return program


def samples(text):
    """What a page of metrics tells: by name and labels."""
    told = {}
    for name, labels, value in re.findall(r"^(\w+)(?:\{([^}]*)\})? (\S+)$", text, re.M):
        told[name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels))] = float(value)
    return told


class Process:
    """A program that runs beside the test; its output goes to a file."""

    def __init__(self, name, words, env, place):
        self.name, self.words, self.env, self.place = name, [str(word) for word in words], env, place
        self.process, self.is_over = None, False

    def start(self, **more):
        # What is on its way in a thread must start nothing that nobody will end.
        if self.is_over:
            raise SystemExit(f"{self.name} is not started any more")
        with open(self.place / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen(self.words, env={**self.env, **more}, cwd=self.place, stdout=log, stderr=log)
        return self

    @property
    def pid(self):
        return self.process.pid

    def runs(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, which):
        self.process.send_signal(which)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        if not self.runs():
            return
        self.signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self, lines=15):
        text = (self.place / f"{self.name}.log").read_text(errors="replace")
        return f"{self.name}:\n" + "\n".join(text.splitlines()[-lines:])


class Role(Process):
    """One process of a role, or of all of them (`up`)."""

    def __init__(self, floor, role, name):
        self.role, self.port, self.watch = role, free_port(), free_port()
        env = {
            **floor.env,
            "WINTERBAND_HTTP__LISTEN": f"127.0.0.1:{self.port}",
            "WINTERBAND_HTTP__WATCH_LISTEN": f"127.0.0.1:{self.watch}",
        }
        words = [floor.executable, "up"] if role == "up" else [floor.executable, "serve", role]
        super().__init__(name, words, env, floor.place)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def is_ready(self):
        try:
            return self.runs() and ask(f"http://127.0.0.1:{self.watch}/health/ready", within=2)["ready"]
        except (OSError, urllib.error.HTTPError):
            return False

    def metrics(self, within=30):
        return samples(ask(f"http://127.0.0.1:{self.watch}/metrics", within=within).decode())

    def leads(self):
        try:
            told = self.metrics(within=2)
        except OSError:
            return False
        return told.get(("winterband_leads", frozenset({("role", self.role)}))) == 1

    def wait_ready(self):
        until(f"{self.name} is ready", lambda: not self.runs() or self.is_ready(), READY_WITHIN, tail=self.tail)
        if not self.runs():
            raise SystemExit(f"{self.name} ended with {self.process.returncode}\n{self.tail()}")


def pass_on(source, target, through=lambda data: data):
    """Sends on what comes, until either side ends; then both do."""
    try:
        while data := source.recv(1 << 20):
            target.sendall(through(data))
    except OSError:
        pass
    for one in (source, target):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


class Front:
    """One address for several roles, as a proxy would have it: by the path of a connection's first request."""

    def __init__(self, paths, otherwise):
        self.paths, self.otherwise = paths, otherwise
        self.door = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = "http://127.0.0.1:%d" % self.door.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            try:
                caller, _ = self.door.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=[caller], daemon=True).start()

    def carry(self, caller):
        with caller:
            try:
                first = caller.recv(1 << 16)
                path = first.split(b" ", 2)[1].decode() if first.count(b" ") > 1 else ""
                port = next((port for begin, port in self.paths.items() if path.startswith(begin)), self.otherwise)
                with socket.create_connection(("127.0.0.1", port), timeout=5) as inner:
                    inner.settimeout(None)
                    inner.sendall(first)
                    back = threading.Thread(target=self.pump, args=[inner, caller], daemon=True)
                    back.start()
                    self.pump(caller, inner)
                    back.join()
            except OSError:
                pass

    @staticmethod
    def pump(source, target):
        pass_on(source, target)


class Line:
    """A connection to nats-server on which what it answers may be held, and passed on all at once every so many seconds."""

    def __init__(self, port):
        self.to, self.every = port, 0
        self.door = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.url = "nats://127.0.0.1:%d" % self.door.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()

    def take(self):
        while True:
            caller, _ = self.door.accept()
            try:
                server = socket.create_connection(("127.0.0.1", self.to), timeout=5)
            except OSError:
                caller.close()
                continue
            server.settimeout(None)
            for source, target, held in [(caller, server, False), (server, caller, True)]:
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self.pump, args=[source, target, held], daemon=True).start()

    @staticmethod
    def more(source):
        """What came meanwhile."""
        parts = []
        try:
            while part := source.recv(1 << 20, socket.MSG_DONTWAIT):
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts)

    def pump(self, source, target, held):
        def hold(data):
            if held and self.every:
                time.sleep(self.every - time.monotonic() % self.every)
                data += self.more(source)
            return data

        pass_on(source, target, hold)


class Floor:
    """nats-server and the roles. `twice`: roles that run as two processes; `by_line`: those that reach nats-server by `line`; `settings`: of all
    processes, as environment variables."""

    def __init__(self, place, executable, config=None, settings=None, twice=(), by_line=(), sync="100ms"):
        self.place, self.executable = pathlib.Path(place), str(pathlib.Path(executable).resolve())
        self.bus_port = free_port()
        self.env = {
            "PATH": os.environ["PATH"],
            "NATS_URL": f"nats://127.0.0.1:{self.bus_port}",
            "WINTERBAND_DATA__FOLDER": str(self.place / "data"),
            **({"WINTERBAND_CONFIG": str(config)} if config else {}),
            **(settings or {}),
        }
        (self.place / "nats.conf").write_text(SERVER % (self.bus_port, self.place / "store", sync))
        self.server = Process("nats-server", [nats_server(), "-c", self.place / "nats.conf"], dict(os.environ), self.place)
        self.line = Line(self.bus_port)
        self.roles = {}
        for role in ROLES:
            for number in (1, 2) if role in twice else (1,):
                name = f"{role}-{number}" if role in twice else role
                self.roles[name] = Role(self, role, name)
                if role in by_line:
                    self.roles[name].env["NATS_URL"] = self.line.url
        self.others = []
        self.front = Front({"/desk": self.of("desk")[0].port}, self.of("api")[0].port)

    def of(self, role):
        return [one for one in self.roles.values() if one.role == role]

    def url(self, role):
        return self.of(role)[0].url

    def start(self):
        self.server.start()
        for one in self.roles.values():
            one.start()
            # Keys are put right, streams and first accounts made, before the others begin.
            if one.role == "rights":
                one.wait_ready()
        for one in self.roles.values():
            one.wait_ready()
        self.key = (self.place / "data/secrets/admin.key").read_text().strip()

    def beside(self, name, *words, **more):
        """A command of the executable that goes on beside the test."""
        one = Process(name, [self.executable, *words], {**self.env, **more}, self.place).start()
        self.others.append(one)
        return one

    def agents(self, prefix, count, *words, create="false"):
        """Simulated agents, whom routing.toml has, or who are added to the floor."""
        return self.beside(f"agents-{prefix}-{time.monotonic_ns()}", "agents", "--create", create, "--prefix", prefix, "--count", count,
                           "--url", self.front.url, *words, WINTERBAND_API_KEY=self.key)

    def command(self, *words, within=300):
        done = subprocess.run([self.executable, *map(str, words)], env={**self.env, "WINTERBAND_API_KEY": self.key}, cwd=self.place,
                              capture_output=True, text=True, timeout=within)
        return done.returncode, done.stdout + done.stderr

    def processes(self):
        return [self.server, *self.roles.values()]

    def stop(self):
        for one in [*self.others, *self.roles.values(), self.server]:
            one.is_over = True
            if one.process is not None:
                one.stop()


class Together(Floor):
    """All roles in one process, which runs nats-server itself: what `winterband up` is."""

    def __init__(self, place, executable, settings=None):
        self.place, self.executable = pathlib.Path(place), str(pathlib.Path(executable).resolve())
        self.env = {
            "PATH": os.environ["PATH"],
            "NATS_SERVER_BIN": nats_server(),
            "WINTERBAND_DATA__FOLDER": str(self.place / "data"),
            **(settings or {}),
        }
        self.up = Role(self, "up", "up")
        self.roles, self.others = {"up": self.up}, []
        self.front = self.up
        self.server = Process("nats-server", [], {}, self.place)

    def of(self, _):
        return [self.up]

    def start(self):
        self.up.start()
        self.up.wait_ready()
        self.key = (self.place / "data/secrets/admin.key").read_text().strip()

    def processes(self):
        children = pathlib.Path(f"/proc/{self.up.pid}/task/{self.up.pid}/children").read_text().split()
        children += [child for task in pathlib.Path(f"/proc/{self.up.pid}/task").iterdir()
                     for child in (task / "children").read_text().split()]
        server = next(int(child) for child in children if "nats-server" in pathlib.Path(f"/proc/{child}/cmdline").read_text())
        return [self.up, Known("nats-server", server)]


class Known:
    """A process that somebody else started."""

    def __init__(self, name, pid):
        self.name, self.pid = name, pid


class Stream:
    """A customer a moment: each writes once, through the HTTP API."""

    def __init__(self, floor, account, name, every, text="Where is my parcel?"):
        self.floor, self.account, self.name, self.every, self.text = floor, account, name, every, text
        self.sent, self.failed = 0, 0

    def write(self, within=10, sender=None):
        """One message, until it is taken; of a new customer, if none is named."""
        self.sent += 1
        name = f"{self.name}-{self.sent}"
        body = {"account": self.account, "id": name, "from": {"value": sender or name}, "text": f"{self.text} ({name})"}
        while True:
            try:
                return ask(f"{self.floor.url('api')}/api/v1/messages", self.floor.key, body, within=within)
            except urllib.error.HTTPError as error:
                if error.code < 500 and error.code != 429:
                    raise SystemExit(f"a message was refused: {error.code} {error.read().decode()}") from error
                self.failed += 1
            except OSError:
                self.failed += 1
            time.sleep(0.1)


def folder_bytes(folder):
    """What its files take on the disk."""
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


def status_of(pid):
    """Memory that is its own and resident, bytes; open files; tasks."""
    fields = {}
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        fields[name] = value.strip()
    memory = int(fields["RssAnon"].split()[0]) * 1024
    return memory, len(os.listdir(f"/proc/{pid}/fd")), int(fields["Threads"])
