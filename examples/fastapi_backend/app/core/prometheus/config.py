"""How this backend is measured, from the environment: the variables of promflow, with defaults of its own."""

from promflow.backend import Settings

PROMETHEUS_PORT = 8001
"""Where the web application shows its page, unless told."""

METRICS_PORT = 8002
"""Where the Celery worker shows its page, unless told: each process reads `PROMETHEUS_PORT` for itself."""

settings = Settings.from_env({"PROMETHEUS_PORT": str(PROMETHEUS_PORT)})
worker_settings = Settings.from_env({"PROMETHEUS_PORT": str(METRICS_PORT)})
