"""Which processes are a family."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from promflow import _family


@pytest.fixture(autouse=True)
def _unnamed(monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)


def _in_fork(function):
    """Run a function in a forked child and return the text it returns."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, str(function()).encode())
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    with os.fdopen(read) as file:
        return file.read()


def _run(program, *arguments, **options):
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments], check=True, capture_output=True, text=True, **options
    ).stdout.strip()


SHOW = "from promflow import _family; print(_family.open_path())"


def test_a_fork_and_the_fork_of_a_fork_have_the_leader_of_their_parent():
    own = str(_family.leader())
    assert _in_fork(_family.leader) == own
    assert _in_fork(lambda: _in_fork(_family.leader)) == own


@pytest.mark.parametrize("method", ["spawn", "forkserver", "fork"])
def test_children_of_multiprocessing_have_the_leader_of_their_parent(method):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        assert pool.submit(_family.leader).result() == _family.leader()


def test_a_program_that_is_started_leads_a_family_of_its_own():
    assert _run(SHOW) != _family.open_path()


def test_two_programs_of_one_shell_do_not_share(tmp_path):
    # A file for each: in one pipe their lines could run together.
    shell = f"{sys.executable} -c '{SHOW}' > first & {sys.executable} -c '{SHOW}' > second; wait"
    subprocess.run(["sh", "-c", shell], check=True, cwd=tmp_path)
    first, second = ((tmp_path / name).read_text().strip() for name in ("first", "second"))
    assert first and second and first != second


def test_a_program_that_starts_itself_again_with_the_same_command_does_not_share():
    again = """
        import os, subprocess, sys
        from promflow import _family
        print(_family.open_path(), flush=True)
        if "AGAIN" not in os.environ:
            subprocess.run([sys.executable] + sys.orig_argv[1:], env={**os.environ, "AGAIN": "1"}, check=True)
    """
    first, second = _run(again).split()
    assert first != second


def test_the_arena_of_a_dead_family_is_removed_at_the_next_start():
    dead = _run(SHOW)
    open(dead, "ab").close()
    alive = _family.open_path()
    open(alive, "ab").close()
    _run(SHOW)
    assert not os.path.exists(dead)
    assert os.path.exists(alive), "the family of this process lives"


def test_a_family_lives_as_long_as_a_fork_of_it_does():
    program = """
        import os, sys, time
        from promflow import _family
        path = _family.open_path()
        open(path, "ab").close()
        child = os.fork()
        if child == 0:
            os.closerange(0, 3)  # So that nobody waits for what this one may still print.
            time.sleep(60)
            os._exit(0)
        print(path, child, flush=True)
    """
    path, child = _run(program).split()
    try:
        _run(SHOW)
        assert os.path.exists(path), "its leader is dead, and a fork goes on"
    finally:
        os.kill(int(child), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while os.path.exists(path) and time.monotonic() < deadline:
        _run(SHOW)
    assert not os.path.exists(path)


def test_a_leader_without_workers_keeps_its_arena():
    program = """
        import multiprocessing
        import sys
        from promflow import _family

        if __name__ == "__main__":
            # Takes no part itself, as a uvicorn master does that never imports the application.
            from concurrent.futures import ProcessPoolExecutor
            for _ in range(2):
                with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                    path = pool.submit(_family.open_path).result()
                open(path, "ab").close()
                print(path, flush=True)
    """
    first, second = _run(program).split()
    assert first == second


def test_a_named_directory_is_the_family(monkeypatch, tmp_path):
    named = tmp_path / "made" / "on demand"
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(named))
    assert _family.open_path() == str(named / "promflow.arena")
    assert _run(SHOW) == str(named / "promflow.arena")


def test_a_directory_that_others_may_write_is_refused_with_a_warning(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(_family.tempfile, "gettempdir", lambda: str(tmp_path))
    theirs = tmp_path / f"promflow-{os.geteuid()}"
    theirs.mkdir()
    theirs.chmod(0o777)
    with pytest.warns(RuntimeWarning, match="counts in this process alone: .* belongs to this user alone"):
        assert _family.open_path() is None


def test_a_process_id_that_is_used_again_is_another_leader():
    pid, start = _family.leader()
    assert _family._is_running(pid, start)
    assert not _family._is_running(pid, start + 1)
