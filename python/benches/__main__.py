"""Measures the wheel beside its peers: ``python benches [--json]``."""

import json
import sys

import asgi
import calls

if "--json" in sys.argv[1:]:
    print(json.dumps({"calls": list(calls.rows()), "asgi": asgi.figures()}))
else:
    calls.main()
    asgi.main()
