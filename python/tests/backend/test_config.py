"""Settings: the same defaults, errors and prints as the Rust library's."""

import pytest

from promflow.backend.config import Settings, SettingsError, format_duration, parse_duration


def settings(**environment: str) -> Settings:
    return Settings.from_lookup(environment.get)


def test_unset_and_empty_variables_have_their_defaults():
    assert settings(PROMETHEUS_PORT="", PROMETHEUS_DEFAULT_LABELS=" ") == Settings()
    assert Settings().metrics_path == "/metrics"
    assert Settings().scrape_interval_ms == 15_000


def test_what_is_printed_reads_back():
    read = settings(
        PROMETHEUS_ENABLED="0",
        PROMETHEUS_PORT="8001",
        PROMETHEUS_METRICS_PATH="/internal/metrics",
        PROMETHEUS_SERVICE_URL="https://api.example.com/",
        PROMETHEUS_SCRAPE_INTERVAL="1m30s",
        PROMETHEUS_DEFAULT_LABELS="env=prod, region=eu=1",
        PROMETHEUS_PUSHGATEWAY_URL="http://push.example.com:9091",
        PROMETHEUS_SERVER_HOST="::1",
        PROMETHEUS_SERVER_TLS_CERT_FILE="tls/cert.pem",
        PROMETHEUS_SERVER_TLS_KEY_FILE="tls/key.pem",
    )
    assert read.default_labels == {"env": "prod", "region": "eu=1"}
    assert read.scrape_interval_ms == 90_000
    assert read.service_url == "https://api.example.com"
    assert settings(**dict(line.split("=", 1) for line in str(read).splitlines())) == read


def test_the_service_is_found_on_its_port_unless_told():
    assert settings(PROMETHEUS_PORT="8001").service_url == "http://127.0.0.1:8001"


def test_defaults_of_a_program_stand_behind_its_environment(monkeypatch):
    monkeypatch.setenv("PROMETHEUS_METRICS_PATH", "/m")
    monkeypatch.delenv("PROMETHEUS_PORT", raising=False)
    read = Settings.from_env({"PROMETHEUS_PORT": "8002", "PROMETHEUS_METRICS_PATH": "/other"})
    assert (read.port, read.metrics_path) == (8002, "/m")


def test_secrets_are_never_printed():
    read = settings(
        PROMETHEUS_SERVICE_URL="https://ann:s3cret@api.example.com/a@b",
        PROMETHEUS_PUSHGATEWAY_URL="http://job:s3cret@[::1]:9091",
        PROMETHEUS_SERVER_USERNAME="scraper",
        PROMETHEUS_SERVER_PASSWORD="s3cret",
    )
    assert read.service_url == "https://ann:s3cret@api.example.com/a@b"
    for printed in (str(read), repr(read) + repr(read.server)):
        assert "s3cret" not in printed and "ann" not in printed
        assert "https://<secret>@api.example.com/a@b" in printed
        assert "http://<secret>@[::1]:9091" in printed
    with pytest.raises(SettingsError) as error:
        settings(PROMETHEUS_SERVICE_URL="ftp://ann:s3cret@host")
    assert "s3cret" not in str(error.value) + error.value.value


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("PROMETHEUS_ENABLED", "maybe", "true or false"),
        ("PROMETHEUS_PORT", "80000", "a port from 1 to 65535"),
        ("PROMETHEUS_PORT", "0", "a port from 1 to 65535"),
        ("PROMETHEUS_PORT", "٣", "a port from 1 to 65535"),
        (
            "PROMETHEUS_METRICS_PATH",
            "metrics",
            'a path that starts with "/", without blanks, "?", "#" and braces',
        ),
        ("PROMETHEUS_SERVICE_URL", "api.example.com", "an http or https URL"),
        ("PROMETHEUS_SERVICE_URL", "http://", "an http or https URL"),
        ("PROMETHEUS_PUSHGATEWAY_URL", "push:9091", "an http or https URL"),
        ("PROMETHEUS_SERVER_HOST", "localhost", "an IP address to listen on"),
        ("PROMETHEUS_SCRAPE_INTERVAL", "15", "a duration above zero such as 15s or 1m30s"),
        ("PROMETHEUS_SCRAPE_INTERVAL", "0s", "a duration above zero such as 15s or 1m30s"),
        (
            "PROMETHEUS_DEFAULT_LABELS",
            "env",
            'name=value pairs separated by commas, but "env" has no "="',
        ),
        ("PROMETHEUS_DEFAULT_LABELS", "a-b=1", 'label names, but "a-b" is none'),
        ("PROMETHEUS_DEFAULT_LABELS", "a=1,a=2", 'each label once, but "a" stands twice'),
    ],
)
def test_a_bad_value_names_its_variable(variable, value, expected):
    with pytest.raises(SettingsError) as error:
        settings(**{variable: value})
    assert str(error.value) == f'invalid value "{value}" of {variable}: expected {expected}'
    assert (error.value.variable, error.value.value) == (variable, value)


def test_what_belongs_together_is_not_set_alone():
    with pytest.raises(SettingsError) as error:
        settings(PROMETHEUS_SERVER_PASSWORD="s3cret")
    assert str(error.value) == (
        'invalid value "" of PROMETHEUS_SERVER_USERNAME: expected a value, as PROMETHEUS_SERVER_PASSWORD is set'
    )
    with pytest.raises(SettingsError, match="as PROMETHEUS_SERVER_TLS_CERT_FILE is set"):
        settings(PROMETHEUS_SERVER_TLS_CERT_FILE="cert.pem")


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [("500ms", 500), ("15s", 15_000), ("1m30s", 90_000), ("1h", 3_600_000), ("2d", 172_800_000), ("1w", 604_800_000)],
)
def test_durations_are_prometheus_s(text, duration_ms):
    assert parse_duration(text) == duration_ms
    assert format_duration(duration_ms) == text


@pytest.mark.parametrize("text", ["", "15", "s", "1s1m", "1.5s", "-1s", "1 s", "99999999y"])
def test_what_is_no_duration_is_refused(text):
    assert parse_duration(text) is None
