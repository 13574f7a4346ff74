"""Runs prometheus_client's own test suite against promflow.

The suite is taken from the source distribution on PyPI. What fails is compared with the table in ``SUITE.md``: a
failure that is not in it, and a test in it that passes or does not exist, fail the run.

    python tests/suite/run.py [--sdist prometheus_client-0.26.0.tar.gz] [--known SUITE.md] [pytest options]
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import alias  # noqa: E402

VERSION = "0.26.0"
KNOWN = Path(__file__).parents[2] / "SUITE.md"

# The suite leaves out the tests of what is not installed, so these have to be.
NEEDED = ("aiohttp", "asgiref", "django", "twisted")

# Fewer means that a part of the suite was not found.
TESTS_MIN = 320

_ROW = re.compile(r"^\| `(?P<test>[^`]+)` \| (?P<reason>.*\S) \|$")


class Recorder:
    """Keeps the outcome of each test, by its name below the suite's directory."""

    def __init__(self) -> None:
        self.passed: set[str] = set()
        self.failed: set[str] = set()
        self.skipped: set[str] = set()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed.add(report.nodeid)
        elif report.skipped:
            self.skipped.add(report.nodeid)
        elif report.when == "call":
            self.passed.add(report.nodeid)


def known_failures(path: Path) -> dict[str, str]:
    """Reads the table: test and reason."""
    rows = (_ROW.match(line) for line in path.read_text(encoding="utf-8").splitlines())
    return {row["test"]: row["reason"] for row in rows if row}


def download(directory: Path) -> Path:
    """Fetches the source distribution."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
    wanted = ["--no-binary", ":all:", "--no-deps", "--dest", str(directory)]
    subprocess.run([*pip, *wanted, f"prometheus_client=={VERSION}"], check=True)
    return next(directory.glob("prometheus_client-*.tar.gz"))


def unpack(sdist: Path, directory: Path) -> Path:
    """Unpacks the suite alone, so that nothing of prometheus_client itself can be imported."""
    with tarfile.open(sdist) as archive:
        tests = [member for member in archive if "/tests/" in member.name]
        archive.extractall(directory, members=tests, filter="data")
    return next(directory.glob("prometheus_client-*/tests"))


def verdict(recorder: Recorder, known: dict[str, str]) -> list[str]:
    """Says what is not as ``SUITE.md`` has it."""
    problems = [f"fails, and is not listed: {test}" for test in sorted(recorder.failed - set(known))]
    problems += [f"is listed, and passes: {test}" for test in sorted(recorder.passed & set(known))]
    gone = set(known) - recorder.failed - recorder.passed
    problems += [f"is listed, and did not run: {test}" for test in sorted(gone)]
    ran = len(recorder.passed) + len(recorder.failed)
    if ran < TESTS_MIN:
        problems.append(f"only {ran} tests ran, where at least {TESTS_MIN} are expected")
    return problems


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sdist", type=Path, help="a source distribution, instead of downloading it")
    parser.add_argument("--known", type=Path, default=KNOWN, help="the list of known failures")
    arguments, options = parser.parse_known_args()

    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        print(f"not installed, so that tests would be left out: {', '.join(missing)}", file=sys.stderr)
        return 2

    with tempfile.TemporaryDirectory() as temporary:
        sdist = arguments.sdist or download(Path(temporary))
        tests = unpack(sdist, Path(temporary))
        alias.install()
        recorder = Recorder()
        # `tests` has a configuration of its own, so that none of a directory above it counts.
        (tests / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        pytest.main(["--quiet", "--tb=short", f"--rootdir={tests}", str(tests), *options], plugins=[recorder])

    known = known_failures(arguments.known)
    problems = verdict(recorder, known)
    print(
        f"prometheus_client {VERSION}: {len(recorder.passed)} passed, {len(recorder.failed)} failed "
        f"({len(known)} known), {len(recorder.skipped)} skipped"
    )
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
