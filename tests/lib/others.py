"""The other side, as a test needs it: a system that takes our webhooks and orders, a mail server, and an agent at the desk."""

import http.server
import json
import random
import socketserver
import threading
import time

from websockets.sync.client import connect

from lib.common import ask

PATIENCE = 30


class System(http.server.ThreadingHTTPServer):
    """Takes what it is sent under each path as that path is told to: a status, or `silent`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        self.status, self.taken = {}, {}
        self.silence = threading.Event()
        super().__init__(("127.0.0.1", 0), Answers)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.server_address[1]

    def handle_error(self, *_):
        """Whoever asked was killed meanwhile: that is what a test does."""


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        place = "/" + self.path.strip("/").split("/")[0]
        system = self.server
        said = system.status.get(place, 204)
        if said == "silent":
            # Nobody hears anything until it speaks again; the connection stays.
            while system.status.get(place) == "silent":
                time.sleep(0.1)
            self.close_connection = True
            return
        if said < 300:
            system.taken[place] = system.taken.get(place, 0) + 1
        body = json.dumps({"status": "done", "reference": "WT-1"}).encode() if said == 200 else b""
        self.send_response(said)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_PUT = do_GET = do_POST

    def log_message(self, *_):
        pass


class MailServer:
    """As much of IMAP and SMTP as an inbox needs: it gives out what is laid in, and takes mails, or stops before it says that it has one."""

    def __init__(self):
        self.mails, self.seen, self.taken = [], set(), 0
        self.stalls, self.stalled = False, threading.Event()
        self.imap, self.smtp = (self.listen(talk) for talk in (self.give_out, self.take_in))

    def listen(self, talk):
        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                try:
                    talk(self.rfile, lambda text: self.wfile.write(text.encode() + b"\r\n"), self.wfile)
                except OSError:
                    pass

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server.server_address[1]

    def lay_in(self, sender, subject, text):
        self.mails.append(
            f"From: Ann <{sender}>\r\nTo: support@shop.test\r\nSubject: {subject}\r\nMessage-ID: <{random.getrandbits(64):x}@customer.test>\r\n"
            f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime())}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode())

    def give_out(self, lines, say, raw):
        say("* OK ready")
        for line in lines:
            tag, _, rest = line.decode().strip().partition(" ")
            word = rest.upper()
            if word.startswith("CAPABILITY"):
                say("* CAPABILITY IMAP4rev1")
            elif word.startswith(("SELECT", "EXAMINE")):
                say(f"* {len(self.mails)} EXISTS")
                say("* OK [UIDVALIDITY 7] valid")
                say(f"* OK [UIDNEXT {len(self.mails) + 1}] next")
            elif word.startswith("UID SEARCH"):
                uids = range(1, len(self.mails) + 1)
                found = [uid for uid in uids if "UNSEEN" not in word or uid not in self.seen]
                say(" ".join(["* SEARCH", *map(str, found)]))
            elif word.startswith("UID FETCH"):
                for uid in (int(one) for one in word.split(" ")[2].split(",") if one.isdigit()):
                    mail = self.mails[uid - 1] if uid <= len(self.mails) else None
                    if mail is None:
                        continue
                    if "BODY" in word:
                        part = "<0>" if "<" in word else ""
                        raw.write(f"* {uid} FETCH (UID {uid} BODY[]{part} {{{len(mail)}}}\r\n".encode() + mail + b")\r\n")
                    else:
                        say(f"* {uid} FETCH (UID {uid} RFC822.SIZE {len(mail)})")
            elif word.startswith("UID STORE"):
                self.seen.add(int(word.split(" ")[2]))
            elif word.startswith("LOGOUT"):
                say("* BYE")
                say(f"{tag} OK done")
                return
            say(f"{tag} OK done")

    def take_in(self, lines, say, _):
        say("220 mail.shop.test ready")
        for line in lines:
            word = line.decode().strip().upper()
            if word.startswith(("EHLO", "HELO")):
                say("250-mail.shop.test")
                say("250 AUTH PLAIN LOGIN")
            elif word.startswith("AUTH"):
                say("235 come in")
            elif word == "DATA":
                say("354 go on")
                for part in lines:
                    if part.rstrip(b"\r\n") == b".":
                        break
                if self.stalls:
                    self.stalled.set()
                    while self.stalls:
                        time.sleep(0.1)
                    return
                self.taken += 1
                say("250 taken")
            elif word == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")


def made_now():
    """A UUID of version 7, as ids of the product are written."""
    ms, rest = time.time_ns() // 1_000_000, random.getrandbits(74)
    return f"{ms << 80 | 7 << 76 | rest >> 62 << 64 | 2 << 62 | rest & (1 << 62) - 1:032x}"


class Agent:
    """One who takes what is offered, at the desk's own socket."""

    def __init__(self, floor, name):
        token = ask(f"{floor.url('api')}/api/v1/sessions", floor.key, {"agent": name})["token"]
        url = floor.url("desk").replace("http://", "ws://") + "/desk/api/socket"
        self.socket = connect(url, additional_headers={"Authorization": f"Bearer {token}"}, open_timeout=PATIENCE, max_size=1 << 24)
        self.say({"t": "hello", "have": {}})
        self.hear("state")
        self.command({"do": "set_presence", "presence": "online"})

    def say(self, frame):
        self.socket.send(json.dumps(frame))

    def hear(self, kind, holds=lambda frame: True):
        end = time.monotonic() + PATIENCE
        while True:
            frame = json.loads(self.socket.recv(timeout=end - time.monotonic()))
            if frame["t"] == kind and holds(frame):
                return frame

    def command(self, command):
        name = f"cmd_{made_now()}"
        self.say({"t": "command", "id": name, "command": command})
        kind = "remedy_settled" if command["do"] == "give" else "settled"
        settled = self.hear(kind, lambda frame: frame["id"] == name)
        if settled["outcome"]["is"] == "refused":
            raise SystemExit(f"{command['do']} was refused: {settled}")
        return settled

    def take(self):
        """Accepts the next offer; gives the contact."""
        offer = self.hear("offer")
        self.command({"do": "accept", "offer": offer["offer"]})
        return offer["contact"]

    def give(self, contact):
        gift = {"kind": "gesture", "occasion": "trust", "claim": {"reason": "used", "line": made_now()[-12:]},
                "money": {"cents": 2500, "currency": "EUR"}}
        self.command({"do": "give", "contact": contact, "gift": gift, "ask": False})

    def resolve(self, contact):
        self.command({"do": "resolve", "contact": contact, "disposition": "solved"})

    def leave(self):
        self.command({"do": "set_presence", "presence": "offline"})
        self.socket.close()
