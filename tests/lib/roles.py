"""Every role as a process of its own, each with its own key, looked after as containers are."""

import glob
import os
import signal
import subprocess
import threading
import time
import urllib.error

from lib.common import ROLES, ask, free_port, say, until

# Which roles run twice: one leads, the other stands by, or both serve.
TWICE = ("routing", "empowerment", "rights", "desk", "channels", "api")
READY_WITHIN = 120
# A process that ends sooner than this after it was started did not get what it needs, s.
STARTS_WITHIN = 60
# What it ends with then.
NOT_YET = 1
# How long after its end a process is started again.
AGAIN_AFTER = 0.5


def faketime():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    return found[0] if found else None


class Role:
    def __init__(self, floor, role, number):
        self.floor, self.role, self.name = floor, role, f"{role}-{number}"
        self.port = free_port()
        self.executable = floor.executable
        self.process, self.wanted, self.died_at, self.killed = None, False, None, False
        self.clock = {}

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self):
        env = self.floor.variables(self.role, self.name)
        env["WINTERBAND_HTTP__LISTEN"] = f"127.0.0.1:{self.port}"
        env["WINTERBAND_HTTP__PUBLIC_URL"] = self.floor.front
        env.update(self.clock)
        with open(self.floor.place / f"{self.name}.log", "ab") as log:
            self.process = subprocess.Popen([self.executable, "serve", self.role], env=env, cwd=self.floor.place,
                                            stdout=log, stderr=log)
        self.began = time.monotonic()
        self.wanted, self.died_at, self.killed = True, None, False

    def kill(self):
        """kill -9; who looks after it starts it again."""
        self.killed = True
        self.process.send_signal(signal.SIGKILL)

    def signal(self, which):
        self.process.send_signal(which)

    def stop(self, within=20):
        self.wanted = False
        self.process.terminate()
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def health(self):
        try:
            return ask(f"{self.url}/health/ready", within=2)
        except urllib.error.HTTPError:
            return None
        except OSError:
            return None

    def is_ready(self):
        return self.process is not None and self.process.poll() is None and self.health() is not None

    def leads(self):
        report = self.health()
        loops = report.get("loops", []) if isinstance(report, dict) else []
        return any(loop["name"] == self.role and loop.get("detail") == "leading" for loop in loops)

    def tail(self, lines=15):
        text = (self.floor.place / f"{self.name}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])


class Roles:
    def __init__(self, place, executable, cluster, front, more):
        self.place, self.executable, self.cluster, self.front, self.more = place, executable, cluster, front, more
        self.all = {}
        for role in ROLES:
            for number in (1, 2) if role in TWICE else (1,):
                one = Role(self, role, number)
                self.all[one.name] = one
        # Processes that ended without being told to, outside of what was done to them.
        self.fallen = []
        # Starts that the bus did not answer in time: they are tried again, as containers are.
        self.retried = []
        self.ending = False

    def variables(self, user, name=None):
        keys = self.place / "keys" / user
        # Nobody has the secrets of the first start but who made them and who needs them.
        data = self.place / ("data" if user in ("prepare", "operator") else f"data-of/{name}")
        return {
            "PATH": os.environ["PATH"],
            "NATS_URL": self.cluster.url,
            "WINTERBAND_CONFIG": str(self.place / "config"),
            "WINTERBAND_NATS__SEED": f'{{ file = "{keys}/nats.seed" }}',
            "WINTERBAND_NATS__AUTHORITY": f"{keys}/ca.pem",
            "WINTERBAND_NATS__PREPARED": "true",
            "WINTERBAND_DATA__FOLDER": str(data),
            "WINTERBAND_DATA__MASTER_KEY": str(self.place / "master.key"),
            "WINTERBAND_STREAMS__REPLICAS": "3",
            **self.more,
        }

    def command(self, user, *words, within=600, check=True):
        done = subprocess.run([self.executable, *words], env=self.variables(user), cwd=self.place, capture_output=True,
                              text=True, timeout=within)
        if check and done.returncode != 0:
            raise SystemExit(f"winterband {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def of(self, role):
        return [one for one in self.all.values() if one.role == role]

    def leader(self, role):
        """Whichever leads; of roles of which none does, the first."""
        return next((one for one in self.of(role) if one.leads()), self.of(role)[0])

    def start(self):
        threading.Thread(target=self.look_after, daemon=True).start()
        for one in self.all.values():
            one.start()
            if one.name == "rights-1":
                self.wait_ready(one)
        self.all_ready()

    def wait_ready(self, one, within=READY_WITHIN):
        until(f"{one.name} is ready", one.is_ready, within, tail=one.tail)

    def all_ready(self, within=READY_WITHIN):
        for one in self.all.values():
            self.wait_ready(one, within)

    def look_after(self):
        while not self.ending:
            for one in self.all.values():
                if not one.wanted or one.process is None or one.process.poll() is None:
                    continue
                now = time.monotonic()
                if one.died_at is None:
                    one.died_at = now
                    code = one.process.returncode
                    # One that is young may not have reached its server, and says so; no start excuses a crash or a record that it cannot read.
                    if code == NOT_YET and now - one.began < STARTS_WITHIN:
                        self.retried.append((one.name, code, one.tail(1)))
                    elif not one.killed:
                        self.fallen.append((one.name, code, one.tail(1)))
                        say(f"{one.name} ended by itself with {code}: {one.tail(1)}")
                elif now - one.died_at > AGAIN_AFTER:
                    one.start()
            time.sleep(0.1)

    def stop(self):
        self.ending = True
        for one in self.all.values():
            one.wanted = False
            if one.process and one.process.poll() is None:
                one.process.send_signal(signal.SIGCONT)
                one.process.terminate()
        for one in self.all.values():
            if one.process:
                try:
                    one.process.wait(15)
                except subprocess.TimeoutExpired:
                    one.process.kill()
