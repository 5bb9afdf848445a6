"""Signs forms as Twilio does, with its own library: a line of JSON in, a signature out."""

import json
import sys

from twilio.request_validator import RequestValidator

for line in sys.stdin:
    asked = json.loads(line)
    form = {}
    for name, value in asked["form"]:
        form.setdefault(name, []).append(value)
    # The library takes a list only where there are several.
    form = {name: values if len(values) > 1 else values[0] for name, values in form.items()}
    print(RequestValidator(asked["token"]).compute_signature(asked["address"], form), flush=True)
