"""The page: labels on every series, other registries, compression, and a server of its own."""

import base64
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request

import pytest

from promflow import Counter, Gauge
from promflow.backend import Page, ServerSettings, Settings, server
from promflow.backend.page import allows_gzip, with_labels
from promflow.parser import text_string_to_metric_families


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("gzip;q=0", False),
        ("*", True),
        ("*;q=0.1, gzip;q=0", False),
        ("identity", False),
        ("br, zstd", False),
        ("gzip;q=x", False),
    ],
)
def test_gzip_is_used_when_it_is_allowed(accept_encoding, expected):
    assert allows_gzip(accept_encoding) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a 1", 'a{env="x"} 1'),
        ('a{b="c"} 1', 'a{env="x",b="c"} 1'),
        ("a{} 1", 'a{env="x"} 1'),
        ('{"a.b"} 1', '{"a.b",env="x"} 1'),
        ('{"a.b",c="d"} 1', '{"a.b",env="x",c="d"} 1'),
        ('a{env="own"} 1', 'a{env="own"} 1'),
        ('a{b="},env=\\"",env="own"} 1 # {t="1"} 1', 'a{b="},env=\\"",env="own"} 1 # {t="1"} 1'),
        ('a{b="env=\\"x"} 1 # {env="t"} 1', 'a{env="x",b="env=\\"x"} 1 # {env="t"} 1'),
        ("# HELP a b c", "# HELP a b c"),
    ],
)
def test_labels_are_added_to_every_series_that_lacks_them(line, expected):
    assert with_labels(f"{line}\n".encode(), {"env": "x"}).decode() == f"{expected}\n"


def test_a_page_with_labels_reads_back(registry):
    Counter("a_total", "A.", ["b"], registry=registry).labels("c\n}\\ \"").inc()
    Gauge("d", "D.", registry=registry).set(1)
    page = with_labels(Page(registry).answer()[1], {"env": 'x"\\\n', "region": "eu"}).decode()
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            assert (sample.labels["env"], sample.labels["region"]) == ('x"\\\n', "eu")


def run(code, tmp_path, **environment):
    """Runs code in an interpreter of its own, where the registry of the process is new."""
    script = tmp_path / "app.py"
    script.write_text(textwrap.dedent(code))
    search = [path for path in sys.path if path]
    environment = {"PYTHONPATH": ":".join(search), "PATH": "/usr/bin:/bin", **environment}
    child = subprocess.run(
        [sys.executable, "-W", "ignore", script], env=environment, capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


GUIDE = """
    from fastapi import FastAPI
    from fastapi.testclient import TestClient
    from promflow.backend import PrometheusMiddleware

    # The guide's own words.
    from prometheus_client import Counter
    NEW_FEATURE_COUNT = Counter('new_feature_total', 'Description', ['label1'])
    value = "value"
    NEW_FEATURE_COUNT.labels(label1=value).inc()

    app = FastAPI()
    app.add_middleware(PrometheusMiddleware)
    client = TestClient(app)
    for accept in ("*/*", "application/openmetrics-text;version=1.0.0"):
        print(client.get("/metrics", headers={"Accept": accept}).text, end="")
        print("--")
"""


def test_the_snippet_of_the_guide_runs_unchanged(tmp_path):
    text, openmetrics, _ = run(GUIDE, tmp_path).split("--\n")
    assert 'new_feature_total{label1="value"} 1.0\n' in text
    assert 'new_feature_total{label1="value"} 1.0' in openmetrics
    assert "http_requests_in_progress" in text
    assert openmetrics.endswith("# EOF\n") and openmetrics.count("# EOF") == 1
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names)), "a family of both registries stands on the page once"
    assert "process_resident_memory_bytes" in names


def test_the_snippet_runs_with_the_files_of_prometheus_client(tmp_path):
    multiproc = tmp_path / "multiproc"
    multiproc.mkdir()
    text = run(GUIDE, tmp_path, PROMETHEUS_MULTIPROC_DIR=str(multiproc)).split("--\n")[0]
    assert 'new_feature_total{label1="value"} 1.0\n' in text


def test_another_registry_is_left_out_of_a_page_of_ones_own(registry):
    Gauge("own", "Own.", registry=registry).set(1)
    assert Page(registry).answer()[1].decode().count("# TYPE") == 1


def test_only_the_names_that_are_asked_for_are_shown(registry):
    for name in ("a", "b"):
        Gauge(name, "G.", registry=registry).set(1)
    page = Page(registry).answer(names=["b"])[1].decode()
    assert "b 1.0" in page and "a 1.0" not in page


def test_the_page_is_a_wsgi_application(registry):
    Gauge("own", "Own.", registry=registry).set(1)
    answers = []
    page = Page(registry)
    body = b"".join(page.wsgi({"REQUEST_METHOD": "GET"}, lambda *head: answers.append(head)))
    assert answers[0][0] == "200 OK" and b"own 1.0" in body
    assert page.wsgi({"REQUEST_METHOD": "POST"}, lambda *head: answers.append(head)) == [b""]
    assert answers[1][0] == "405 Method Not Allowed"


def fetch(url, **headers):
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as response:
        return response.read().decode()


def test_a_program_without_http_shows_its_page(registry):
    Gauge("own", "Own.", registry=registry).set(1)
    settings = Settings(default_labels={"env": "x"}, server=ServerSettings(host="127.0.0.1"))
    shown = server.start(settings, registry, port=0)
    try:
        assert 'own{env="x"} 1.0' in fetch(shown.url)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            fetch(shown.url + "/none")
    finally:
        shown.stop()


def test_a_server_asks_for_its_name_and_password(registry):
    settings = Settings(server=ServerSettings(host="::1", username="ann", password="s3cret"))
    shown = server.start(settings, registry, port=0)
    try:
        for given in (None, "ann:wrong", "bob:s3cret", "ann"):
            headers = {"Authorization": "Basic " + base64.b64encode(given.encode()).decode()} if given else {}
            with pytest.raises(urllib.error.HTTPError, match="401"):
                fetch(shown.url, **headers)
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(shown.url, Authorization="Basic \xe9")
        assert fetch(shown.url, Authorization="Basic " + base64.b64encode(b"ann:s3cret").decode()) is not None
    finally:
        shown.stop()


def test_a_server_speaks_https_with_a_certificate(registry, tmp_path):
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert]
    subprocess.run([*made, *subject], check=True, capture_output=True)
    settings = Settings(server=ServerSettings(host="127.0.0.1", tls_cert_file=cert, tls_key_file=key))
    Gauge("own", "Own.", registry=registry).set(1)
    shown = server.start(settings, registry, port=0)
    try:
        import ssl

        context = ssl.create_default_context(cafile=cert)
        with urllib.request.urlopen(shown.url, timeout=10, context=context) as response:
            assert b"own 1.0" in response.read()
    finally:
        shown.stop()


def test_a_disabled_program_shows_nothing(registry):
    assert server.start(Settings(enabled=False), registry, port=0) is None
