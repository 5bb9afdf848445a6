"""What Twilio's own library makes of a call: a line of JSON in, a line of JSON out.

`build`: a tree of verbs by its builder, `read`: TwiML that somebody else wrote, both as [name, attributes, text, children]; `request`: what it would send to the API.
"""

import inspect
import json
import sys
import xml.etree.ElementTree as tree

from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client
from twilio.twiml.voice_response import VoiceResponse


class Sent(Exception):
    """A request, in place of its answer."""


class Recorder(TwilioHttpClient):
    """Sends nothing."""

    def request(self, method, url, params=None, data=None, headers=None, auth=None, timeout=None, allow_redirects=False):
        raise Sent({"method": method, "url": url, "params": pairs(params), "data": pairs(data), "auth": list(auth)})


def pairs(values):
    found = []
    for name, value in (values or {}).items():
        several = value if isinstance(value, list) else [value]
        found.extend([name, str(one)] for one in several)
    return sorted(found)


def described(element):
    children = [described(child) for child in element]
    return [element.tag, dict(sorted(element.attrib.items())), element.text or "", children]


def add(parent, verbs):
    for name, arguments, children in verbs:
        method = getattr(parent, name)
        unknown = set(arguments) - set(inspect.signature(method).parameters)
        if unknown:
            raise ValueError(f"the library has no {unknown} in {name}")
        add(method(**arguments), children)


def build(asked):
    response = VoiceResponse()
    add(response, asked["verbs"])
    return described(tree.fromstring(str(response)))


def request(asked):
    place = Client(asked["sid"], asked["token"], http_client=Recorder())
    for name, key in asked["resource"]:
        place = getattr(place, name)
        place = place(key) if key else place
    try:
        getattr(place, asked["does"])(**asked["with"])
    except Sent as sent:
        return sent.args[0]
    raise ValueError("nothing was sent")


DOES = {"build": build, "read": lambda asked: described(tree.fromstring(asked["xml"].encode())), "request": request}

for line in sys.stdin:
    asked = json.loads(line)
    print(json.dumps(DOES[asked.pop("do")](asked)), flush=True)
