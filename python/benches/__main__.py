"""Measures the wheel beside its peers: ``python benches [--json]``."""

import sys

import asgi
import calls

for part in (calls, asgi):
    part.main()
sys.exit(0)
