"""What a Python backend adds: settings, the usual metrics under fixed names, a middleware that measures every route.

    from promflow.backend import PrometheusMiddleware

    app = FastAPI()
    app.add_middleware(PrometheusMiddleware)

| module | metrics | needs |
|---|---|---|
| `config` | settings from the environment | |
| `metrics` | the definitions | |
| `middleware`, `presets` | `http_*` and the page | an ASGI application |
| `credits` | `credits_*` | |
| `celery`, `tasks` | `celery_*` | `celery` needs Celery |
| `paid_api` | `stripe_*`, `vapi_*`, any other | httpx or requests, if calls are to be measured whole |
| `pulsar`, `redis` | clients of a broker and a cache | `redis.instrument` takes a client of redis-py |
| `system` | the machine | |
| `page`, `server` | what is shown to a scraper; the page of a program without HTTP | |
"""

from .config import ServerSettings, Settings, SettingsError
from .credits import CreditsUsed, CreditType
from .metrics import build_info
from .middleware import PrometheusMiddleware
from .page import Page

__all__ = [
    "CreditType",
    "CreditsUsed",
    "Page",
    "PrometheusMiddleware",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "build_info",
]
