"""Names in alerts, their tests, runbooks and the dashboard: each alert has a test and a runbook, and each metric exists with its labels.

With a path, also writes what the dashboard asks there, as rules: promtool then says whether it can be read.
"""

import json
import re
import sys

METRICS = "crates/service/src/metrics.rs"
ALERTS = "deploy/prometheus/alerts.yml"
TESTS = "deploy/prometheus/alerts.test.yml"
RUNBOOKS = "deploy/prometheus/runbooks.md"
DASHBOARD = "deploy/grafana/winterband.json"

# What a scrape adds to each metric, and what a histogram has besides.
OF_SCRAPE = {"job", "instance", "service"}
RUNBOOK_LINES = ["Means", "Look", "Likely", "Do", "Over"]
# Rows and panels that are no panel with data.
WITHOUT_DATA = {"row", "text"}

faults = []


def fault(path, words):
    faults.append(f"{path}: {words}")


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def uncommented(text):
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))


def metrics():
    """Name to labels, of all that a process tells."""
    known = {}
    text = read(METRICS)
    struct = text[text.index("pub struct Metrics {"):]
    struct = struct[: struct.index("\n}")]
    field = re.compile(r"((?:^    ///.*\n)+)^    pub (\w+): (Counters|Gauges|Counter|Gauge|FloatGauge|Histogram)(?:<(\d+)>)?,", re.M)
    for words, name, kind, count in field.findall(struct):
        words = " ".join(line.strip().removeprefix("///") for line in words.splitlines())
        told = re.search(r"labels: ([^.]*)", words)
        # What stands in brackets are a label's values.
        labels = set(re.findall(r"\w+", re.sub(r"\([^)]*\)", "", told[1]))) if told else set()
        if len(labels) != int(count or 0):
            fault(METRICS, f"{name} has {count or 0} labels, and its comment names {len(labels)} after `labels:`")
        known[f"winterband_{name}"] = labels
        if kind == "Histogram":
            for suffix in ("_sum", "_count"):
                known[f"winterband_{name}{suffix}"] = labels
            known[f"winterband_{name}_bucket"] = labels | {"le"}
    if len(known) < 25:
        fault(METRICS, f"only {len(known)} metrics were found in it: is it still read rightly?")
    return known


def look_at(path, expression, known, recorded):
    """Whether all metrics of an expression exist, and those labels by which it chooses."""
    used = set(re.findall(r"\bwinterband_\w+\b", expression))
    for name in sorted(used - known.keys()):
        fault(path, f"there is no metric {name}: {METRICS} has all")
    for name in sorted(set(re.findall(r"\bwinterband:[\w:]+", expression)) - recorded):
        fault(path, f"nobody records {name}")
    for name, chosen in re.findall(r"\b(winterband_\w+)\{([^}]*)\}", expression):
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"(?:[^"\\]|\\.)*"', '""', chosen)):
            if label not in known.get(name, {label}) | OF_SCRAPE:
                fault(path, f"{name} has no label {label}")
    return used


def same(what, one, first, other, second):
    for name in sorted(first - second):
        fault(other, f"{name} of {one} has no {what}")
    for name in sorted(second - first):
        fault(one, f"there is no {name}, which {other} has a {what} of")


def look_at_alerts(known):
    text = uncommented(read(ALERTS))
    recorded = set(re.findall(r"record: (\S+)", text))
    alerts = set()
    for rule in re.split(r"^ +- (?=alert: )", text, flags=re.M)[1:]:
        name = rule.split("\n", 1)[0].removeprefix("alert: ").strip()
        alerts.add(name)
        for wanted in (
            r"^ +expr: ",
            r"^ +for: \d+[smh]$",
            r"^ +labels: \{ severity: (page|ticket) \}$",
            r'^ +summary: ".+"$',
            r'^ +description: ".*\b(First|Plan|Start)\b.+"$',
            rf'^ +runbook: "{RUNBOOKS}#{name.lower()}"$',
        ):
            if not re.search(wanted, rule, re.M):
                fault(ALERTS, f"{name} has no line like {wanted}")
    used = look_at(ALERTS, text, known, recorded)

    tests = read(TESTS)
    look_at(TESTS, uncommented(tests), known, recorded)
    tested = set(re.findall(r'alertname="(\w+)",alertstate="firing",severity', tests))
    same("test", ALERTS, alerts, TESTS, tested)
    quiet = tests[: tests.index("- name:", tests.index("- name:") + 1)]
    for name in sorted(used):
        if not re.search(rf"\b{name}\b", quiet):
            fault(TESTS, f"the good day has no {name}")

    runbooks = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", read(RUNBOOKS), re.M | re.S))
    same("runbook", ALERTS, alerts, RUNBOOKS, set(runbooks))
    for name, body in runbooks.items():
        lines = [line for line in body.splitlines() if line.strip()]
        heads = [match[1] if (match := re.match(r"- \*\*(\w+)\*\*: \S", line)) else None for line in lines]
        if heads != RUNBOOK_LINES:
            fault(RUNBOOKS, f"{name} has to have five lines: {', '.join(RUNBOOK_LINES)}")
    return len(alerts), len(used)


def panels(of):
    for panel in of.get("panels", []):
        yield panel
        yield from panels(panel)


def as_rules(board):
    """What the dashboard asks, with its variables filled in. JSON is YAML."""
    asked = [target["expr"] for panel in panels(board) for target in panel.get("targets", [])]
    asked += [note["expr"] for note in board["annotations"]["list"] if "expr" in note]
    fill = lambda expr: expr.replace("$__rate_interval", "5m").replace("$queue", ".*")
    rules = [{"record": f"dashboard:asks:{n}", "expr": fill(expr)} for n, expr in enumerate(asked)]
    return json.dumps({"groups": [{"name": "dashboard", "rules": rules}]})


def look_at_dashboard(known):
    board = json.loads(read(DASHBOARD))
    for key in ("id", "version", "iteration"):
        if board.get(key) is not None:
            fault(DASHBOARD, f"{key} is of one instance of Grafana: leave it out, or null")
    used, ids, shown = set(), set(), 0
    for panel in panels(board):
        title = panel.get("title", "")
        if panel["id"] in ids:
            fault(DASHBOARD, f"two panels have the id {panel['id']}")
        ids.add(panel["id"])
        if panel["type"] in WITHOUT_DATA:
            continue
        shown += 1
        if not panel.get("targets"):
            fault(DASHBOARD, f"{title} shows nothing")
        if not panel.get("description"):
            fault(DASHBOARD, f"{title} does not say what it means")
        for part in [panel, *panel.get("targets", [])]:
            if (part.get("datasource") or {}).get("uid") != "${datasource}":
                fault(DASHBOARD, f"{title} names a source of its own instead of the variable")
        for target in panel.get("targets", []):
            used |= look_at(DASHBOARD, target["expr"], known, set())
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            used |= look_at(DASHBOARD, json.dumps(variable["query"]), known, set())
    return shown, len(used)


def main():
    known = metrics()
    alerts, in_alerts = look_at_alerts(known)
    shown, in_board = look_at_dashboard(known)
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(as_rules(json.loads(read(DASHBOARD))))
    for words in faults:
        print(words)
    if faults:
        return 1
    print(f"{alerts} alerts by {in_alerts} metrics, each with a test and a runbook; {shown} panels of {in_board} metrics")
    return 0


if __name__ == "__main__":
    sys.exit(main())
