"""Settings from the environment, in one place: the same variables as promflow's Rust library, with the same defaults.

A bad value is an error at start and never a silent default. What is printed shows no secrets.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeVar

T = TypeVar("T")
Lookup = Callable[[str], "str | None"]

SECRET = "<secret>"
"""What is printed in place of a secret."""

_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000, "y": 31_536_000_000}
# The units stand in this order, each at most once, as in Prometheus.
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?", re.ASCII)
_DURATION_MAX_MS = 2**63 // 1_000_000
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_PATH = re.compile(r"/[^\s?#{}*\x00-\x1f\x7f]*")


class SettingsError(ValueError):
    """Says which variable has a bad value, and what was expected."""

    def __init__(self, variable: str, value: str, expected: str) -> None:
        self.variable = variable
        self.value = without_userinfo(value)
        self.expected = expected
        quoted = json.dumps(self.value, ensure_ascii=False)
        super().__init__(f"invalid value {quoted} of {variable}: expected {expected}")


@dataclass(frozen=True)
class ServerSettings:
    """How the server listens that shows the page of a program without one, such as a Celery worker."""

    host: str = "0.0.0.0"
    """`PROMETHEUS_SERVER_HOST`: the address to listen on."""
    tls_cert_file: str | None = None
    """`PROMETHEUS_SERVER_TLS_CERT_FILE`: a PEM file; HTTPS with it and its key, HTTP without."""
    tls_key_file: str | None = None
    """`PROMETHEUS_SERVER_TLS_KEY_FILE`: a PEM file."""
    username: str | None = None
    """`PROMETHEUS_SERVER_USERNAME`: who may read the page; all, when unset."""
    password: str | None = field(default=None, repr=False)
    """`PROMETHEUS_SERVER_PASSWORD`: the password, or its bcrypt hash (which needs the package bcrypt)."""


@dataclass(frozen=True)
class Settings:
    """How a program is measured and where its page is.

    Its `str` is the environment that gives the same settings, one variable a line, but for secrets: a password, and
    what stands before the host of a URL, are printed as `<secret>`.
    """

    enabled: bool = True
    """`PROMETHEUS_ENABLED`: whether anything is measured and the page is served."""
    port: int = 8000
    """`PROMETHEUS_PORT`: the port on which the page is found."""
    metrics_path: str = "/metrics"
    """`PROMETHEUS_METRICS_PATH`: the path of the page."""
    service_url: str = "http://127.0.0.1:8000"
    """`PROMETHEUS_SERVICE_URL`: where Prometheus reaches the program."""
    scrape_interval_ms: int = 15_000
    """`PROMETHEUS_SCRAPE_INTERVAL`: how often the page is expected to be fetched, in milliseconds."""
    default_labels: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """`PROMETHEUS_DEFAULT_LABELS`: labels on every series of the page."""
    pushgateway_url: str | None = None
    """`PROMETHEUS_PUSHGATEWAY_URL`: where batch jobs push their page."""
    server: ServerSettings = field(default_factory=ServerSettings)
    """`PROMETHEUS_SERVER_*`: the server of a program that has none of its own."""

    @classmethod
    def from_env(cls, defaults: Mapping[str, str] | None = None) -> Settings:
        """Reads the settings from the environment of the process.

        `defaults` stand for variables that are unset, in the environment's own form: `{"PROMETHEUS_PORT": "8001"}`.

        Errors: `SettingsError` for the first variable with a bad value.
        """
        own = defaults or {}
        return cls.from_lookup(lambda name: os.environ.get(name) or own.get(name))

    @classmethod
    def from_lookup(cls, lookup: Lookup) -> Settings:
        """Reads the settings from anything that answers for a variable; an empty value counts as unset.

        Errors: `SettingsError` for the first variable with a bad value.
        """

        def get(name: str) -> _Variable:
            return _Variable(name, (lookup(name) or "").strip())

        enabled = get("PROMETHEUS_ENABLED").read(True, "true or false", _parse_bool)
        port = get("PROMETHEUS_PORT").read(8000, "a port from 1 to 65535", _parse_port)
        path_words = 'a path that starts with "/", without blanks, "?", "#" and braces'
        metrics_path = get("PROMETHEUS_METRICS_PATH").read("/metrics", path_words, _parse_path)
        url_words = "an http or https URL"
        service_url = get("PROMETHEUS_SERVICE_URL").read(f"http://127.0.0.1:{port}", url_words, _parse_url)
        interval_words = "a duration above zero such as 15s or 1m30s"
        interval_ms = get("PROMETHEUS_SCRAPE_INTERVAL").read(15_000, interval_words, _parse_interval)
        labels = get("PROMETHEUS_DEFAULT_LABELS").labels()
        pushgateway = get("PROMETHEUS_PUSHGATEWAY_URL")
        pushgateway_url = pushgateway.read(None, url_words, _parse_url) if pushgateway.value else None
        host = get("PROMETHEUS_SERVER_HOST").read("0.0.0.0", "an IP address to listen on", _parse_ip)
        cert, key = _pair(get("PROMETHEUS_SERVER_TLS_CERT_FILE"), get("PROMETHEUS_SERVER_TLS_KEY_FILE"))
        username, password = _pair(get("PROMETHEUS_SERVER_USERNAME"), get("PROMETHEUS_SERVER_PASSWORD"))
        return cls(
            enabled=enabled,
            port=port,
            metrics_path=metrics_path,
            service_url=service_url,
            scrape_interval_ms=interval_ms,
            default_labels=MappingProxyType(labels),
            pushgateway_url=pushgateway_url,
            server=ServerSettings(host, cert, key, username, password),
        )

    def __str__(self) -> str:
        server = self.server
        variables = {
            "PROMETHEUS_ENABLED": "true" if self.enabled else "false",
            "PROMETHEUS_PORT": str(self.port),
            "PROMETHEUS_METRICS_PATH": self.metrics_path,
            "PROMETHEUS_SERVICE_URL": without_userinfo(self.service_url),
            "PROMETHEUS_SCRAPE_INTERVAL": format_duration(self.scrape_interval_ms),
            "PROMETHEUS_DEFAULT_LABELS": ",".join(f"{name}={value}" for name, value in self.default_labels.items()),
            "PROMETHEUS_PUSHGATEWAY_URL": without_userinfo(self.pushgateway_url or ""),
            "PROMETHEUS_SERVER_HOST": server.host,
            "PROMETHEUS_SERVER_TLS_CERT_FILE": server.tls_cert_file or "",
            "PROMETHEUS_SERVER_TLS_KEY_FILE": server.tls_key_file or "",
            "PROMETHEUS_SERVER_USERNAME": server.username or "",
            "PROMETHEUS_SERVER_PASSWORD": SECRET if server.username else "",
        }
        return "".join(f"{name}={value}\n" for name, value in variables.items())

    def __repr__(self) -> str:
        return f"Settings(\n{self})"


class _Variable:
    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    def error(self, expected: str) -> SettingsError:
        return SettingsError(self.name, self.value, expected)

    def read(self, default: T, expected: str, parse: Callable[[str], T | None]) -> T:
        if not self.value:
            return default
        parsed = parse(self.value)
        if parsed is None:
            raise self.error(expected)
        return parsed

    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = {}
        for pair in filter(None, map(str.strip, self.value.split(","))):
            name, equals, value = pair.partition("=")
            if not equals:
                quoted = json.dumps(pair, ensure_ascii=False)
                raise self.error(f'name=value pairs separated by commas, but {quoted} has no "="')
            quoted = json.dumps(name, ensure_ascii=False)
            if not _LABEL_NAME.fullmatch(name) or name.startswith("__"):
                raise self.error(f"label names, but {quoted} is none")
            if name in labels:
                raise self.error(f"each label once, but {quoted} stands twice")
            labels[name] = value
        return labels


def _pair(first: _Variable, second: _Variable) -> tuple[str | None, str | None]:
    """Reads two variables that mean nothing without each other."""
    if not first.value and second.value:
        raise first.error(f"a value, as {second.name} is set")
    if first.value and not second.value:
        raise second.error(f"a value, as {first.name} is set")
    return first.value or None, second.value or None


def _parse_bool(value: str) -> bool | None:
    return {"true": True, "1": True, "false": False, "0": False}.get(value.lower())


def _parse_port(value: str) -> int | None:
    if not value.isascii() or not value.isdecimal():
        return None
    port = int(value[:10])
    return port if 0 < port <= 65535 else None


def _parse_path(value: str) -> str | None:
    return value if _PATH.fullmatch(value) else None


def _parse_url(value: str) -> str | None:
    scheme, found, rest = value.partition("://")
    if scheme not in ("http", "https") or not found or re.search(r"\s", rest):
        return None
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    usable = host[:1].isalnum() or host.startswith("[")
    return value.rstrip("/") if usable else None


def _parse_interval(value: str) -> int | None:
    interval_ms = parse_duration(value)
    return interval_ms or None


def _parse_ip(value: str) -> str | None:
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        return None


def parse_duration(text: str) -> int | None:
    """Reads a duration as Prometheus writes it (`500ms`, `15s`, `1m30s`), in milliseconds; `None` when it is none."""
    if text == "0":
        return 0
    found = _DURATION.fullmatch(text)
    if not text or found is None:
        return None
    units = ("y", "w", "d", "h", "m", "s", "ms")
    total = sum(int(count or 0) * _UNITS_MS[unit] for count, unit in zip(found.groups(), units, strict=True))
    return total if total <= _DURATION_MAX_MS else None


def format_duration(duration_ms: int) -> str:
    """Writes a duration as Prometheus does: in the largest units that divide it without a rest."""
    if duration_ms == 0:
        return "0s"
    parts = []
    # Years and weeks only stand where nothing smaller is left over.
    for unit in ("y", "w", "d", "h", "m", "s", "ms"):
        size = _UNITS_MS[unit]
        if unit in ("y", "w") and duration_ms % size:
            continue
        count, duration_ms = divmod(duration_ms, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def without_userinfo(url: str) -> str:
    """Writes a URL with what stands before its host (a name, a password) hidden."""
    scheme, found, rest = url.partition("://")
    if not found:
        return url
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    userinfo, at, _ = authority.rpartition("@")
    return f"{scheme}://{SECRET}{rest[len(userinfo):]}" if at else url
