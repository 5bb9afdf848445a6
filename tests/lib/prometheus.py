"""A real Prometheus beside the product, with the product's own rules; their durations may be scaled."""

import os
import re
import shutil
import urllib.parse

from lib.common import TOP, ask, free_port, run, until
from lib.floor import Process

RULES = TOP / "deploy/prometheus/alerts.yml"
UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def scaled(text, factor):
    """The rules with every duration so many times shorter: `for`, intervals, windows, offsets, and how far ahead predict_linear looks. Whatever is held
    against a limit stays: no threshold is changed."""

    def shorter(amount, unit):
        return f"{round(int(amount) * UNITS_MS[unit] / factor)}ms"

    one = r"(\d+)(ms|s|m|h|d)\b"
    text = re.sub(rf"^(\s+(?:for|interval): ){one}", lambda found: found[1] + shorter(*found.groups()[1:]), text, flags=re.M)
    text = re.sub(rf"\[{one}\]", lambda found: f"[{shorter(*found.groups())}]", text)
    text = re.sub(rf"(offset ){one}", lambda found: found[1] + shorter(*found.groups()[1:]), text)
    return re.sub(r"(predict_linear\([^()]*, )(\d+)\)", lambda found: f"{found[1]}{int(found[2]) / factor:g})", text)


def program():
    return os.environ.get("PROMETHEUS") or shutil.which("prometheus") or str(TOP / ".tools/prometheus")


class Prometheus(Process):
    """Reads each process of a floor, every `every` seconds."""

    def __init__(self, floor, factor=1, every=1.0):
        self.port = free_port()
        place = floor.place / "prometheus"
        place.mkdir()
        ms = f"{round(every * 1000)}ms"
        targets = [
            f'      - {{ targets: ["127.0.0.1:{one.watch}"], labels: {{ service: {one.role}, instance: {one.name} }} }}'
            for one in floor.roles.values()
        ]
        (place / "prometheus.yml").write_text("\n".join([
            f"global: {{ scrape_interval: {ms}, scrape_timeout: {ms}, evaluation_interval: {ms} }}",
            "rule_files: [alerts.yml]",
            "scrape_configs:",
            "  - job_name: winterband",
            "    static_configs:",
            *targets,
        ]) + "\n")
        (place / "alerts.yml").write_text(scaled(RULES.read_text(), factor))
        words = [program(), f"--config.file={place}/prometheus.yml", f"--storage.tsdb.path={place}/data",
                 f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"]
        super().__init__("prometheus-server", words, dict(os.environ), floor.place)

    def start(self, **more):
        run(program(), "--version")
        super().start(**more)
        until("Prometheus answers", self.answers, 60, tail=self.tail)
        return self

    def answers(self):
        try:
            return ask(f"http://127.0.0.1:{self.port}/-/ready", within=2)
        except OSError:
            return False

    def ask(self, expression):
        """The samples of an expression at this moment: labels and value."""
        query = urllib.parse.urlencode({"query": expression})
        answer = ask(f"http://127.0.0.1:{self.port}/api/v1/query?{query}", within=10)
        return [(one["metric"], float(one["value"][1])) for one in answer["data"]["result"]]

    def firing(self):
        """The labels of each alert that fires."""
        return [labels for labels, _ in self.ask('ALERTS{alertstate="firing"}')]

    def reads_all(self, count):
        return sum(value for _, value in self.ask('up{job="winterband"}')) == count
