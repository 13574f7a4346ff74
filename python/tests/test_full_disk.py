"""Where the arena cannot be written, a process counts for itself, and says so once."""

import os
import subprocess
import sys
import textwrap

import pytest

PROGRAM = """
import os, resource, sys, warnings
limit = int(sys.argv[1])
if limit:
    import signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
warnings.simplefilter("always")
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    import promflow
    from promflow import Counter, Gauge, Histogram, Info
    counter = Counter("c", "Help.", ["x"])
    histogram = Histogram("h", "Help.", ["x"])
    gauge = Gauge("g", "Help.", ["x"], multiprocess_mode="livesum")
    info = Info("i", "Help.")
    late = None
    for i in range(3000):
        counter.labels(str(i)).inc(2, exemplar={"trace_id": "abc"})
        histogram.labels(str(i % 500)).observe(0.1)
        gauge.labels(str(i % 500)).set(i)
    info.info({"version": "1" * 1000})
    late = Counter("late", "Help.")
    late.inc()
    for _ in range(2):
        page = promflow.generate_latest().decode()
    for i in range(3000):
        assert f'c_total{{x="{i}"}} 2.0\\n' in page, i
    assert page.count("h_count{") == 500 and page.count("\\ng{") == 500
    assert 'version="1111' in page and "late_total 1.0" in page
    counter.remove("7")
    counter.remove("2999")
    page = promflow.generate_latest().decode()
    assert page.count("c_total{") == 2998
    counter.labels("2999").inc()
    assert 'c_total{x="2999"} 1.0\\n' in promflow.generate_latest().decode()
print(*(f"{w.category.__name__}: {w.message}" for w in told if w.category is not UserWarning), sep="\\n")
"""


def _run(directory, limit=0, user=None):
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(limit)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, user=user, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().splitlines()


def test_a_directory_with_room_is_no_matter_of_warnings(tmp_path):
    assert _run(tmp_path) == []


@pytest.mark.parametrize("limit", [1000, 70_000, 150_000, 500_000])
def test_a_file_that_may_not_grow_leaves_the_rest_in_memory(tmp_path, limit):
    told = _run(tmp_path, limit)
    assert len(told) == 1
    assert told[0].startswith("RuntimeWarning: ")
    assert told[0].endswith("; this process counts for itself from now on")


def test_a_full_disk_leaves_the_rest_in_memory(tmp_path):
    """A file system of one megabyte, where it may be mounted; the limit of a file's size above is the same to us."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"left out, as nothing may be mounted here: {mounted.stderr.decode().strip()}")
    try:
        (told,) = _run(tmp_path)
        assert "the disk is full" in told
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_directory_that_cannot_be_written_leaves_all_in_memory(tmp_path):
    tmp_path.chmod(0o555)
    try:
        if os.geteuid() == 0:
            # Root may write everywhere but below what is no directory.
            file = tmp_path / "file"
            file.write_text("")
            (told,) = _run(file)
        else:
            (told,) = _run(tmp_path)
        assert told.startswith("RuntimeWarning: ")
    finally:
        tmp_path.chmod(0o755)


def test_a_read_only_file_system_leaves_all_in_memory(tmp_path):
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip(f"left out, as nothing may be mounted here: {mounted.stderr.decode().strip()}")
    try:
        (told,) = _run(tmp_path)
        assert told.startswith("RuntimeWarning: ")
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_a_file_that_is_something_else_is_left_alone(tmp_path):
    arena = tmp_path / "promflow.arena"
    arena.write_bytes(b"something else" * 1000)
    (told,) = _run(tmp_path)
    assert told.startswith("RuntimeWarning: ")
    assert arena.read_bytes() == b"something else" * 1000
