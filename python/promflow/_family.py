"""Which processes count together, and where their arena is.

A family is: processes forked from one another, ``multiprocessing`` children of one parent, or the workers of one
gunicorn, uvicorn or Celery master. All of them have one leader, the topmost of these ancestors, and the arena is named
by the leader's process id and start time, so that a later process with the same id finds another one. A program that
is started from a shell, or by ``subprocess``, is the leader of a family of its own.

``PROMETHEUS_MULTIPROC_DIR`` names a family outright, whatever its processes descend from; it is never removed.

The rejected model, a name in the environment, is inherited by programs that are no kin.
"""

from __future__ import annotations

import os
import re
import stat
import sys
import tempfile
import warnings
from typing import NamedTuple, Optional

if sys.platform != "win32":
    import fcntl

#: Command lines of the processes that ``multiprocessing`` and its fork ``billiard`` start by ``exec``.
_SPAWNED = re.compile(
    rb"--multiprocessing-fork|multiprocessing\.(spawn|forkserver) import|--billiard-fork|billiard\.(spawn|forkserver) import"
)
_ARENA = ".arena"
#: The arena in a directory that the environment names.
NAMED_FILE = "promflow" + _ARENA
_LIVENESS = ".lock"
_NAME = re.compile(r"\d+-[0-9a-f]+-\d+-\d+\.(arena|lock)")
#: Ancestors looked at; a longer chain than this is a loop of process ids that were reused meanwhile.
_GENERATIONS_MAX = 64

#: Descriptors whose shared locks say that this family lives, by the path of the lock; forked children inherit both.
_held: dict[str, int] = {}


class _Process(NamedTuple):
    """What /proc tells of a process."""

    pid: int
    parent: int
    #: Ticks from the start of the machine.
    start: int
    #: Addresses that ``exec`` draws at random and ``fork`` keeps; zeros where this user may not read them.
    image: tuple[int, int]
    command: bytes


def _process(pid: int) -> Optional[_Process]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name before the last parenthesis may hold anything.
            fields = file.read().rpartition(b")")[2].split()
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            command = file.read().rstrip(b"\0")
        return _Process(pid, int(fields[1]), int(fields[19]), (int(fields[23]), int(fields[25])), command)
    except (OSError, IndexError, ValueError):
        return None


def _is_forked(child: _Process, parent: _Process) -> bool:
    """Tells whether the child runs the very program image of its parent."""
    if all(child.image) and all(parent.image):
        return child.image == parent.image
    # The parent belongs to another user, as a gunicorn master does that takes the privileges from its workers.
    if child.command.startswith(b"gunicorn: worker"):
        return parent.command.startswith(b"gunicorn: master")
    return child.command == parent.command != b""


def leader() -> Optional[tuple[int, int]]:
    """Return process id and start time (ticks from the start of the machine) of this process's leader, where /proc tells."""
    process = _process(os.getpid())
    if process is None:
        return None
    for _ in range(_GENERATIONS_MAX):
        parent = _process(process.parent)
        if parent is None or parent.start > process.start:
            break
        if not (_is_forked(process, parent) or _SPAWNED.search(process.command)):
            break
        process = parent
    return process.pid, process.start


def open_path() -> Optional[str]:
    """Return the path of the arena of this process's family, and keep the family alive until its last process ends.

    ``None`` where there is no such place: without /proc, or when no directory can be written, which is warned about.
    """
    directory = os.environ.get("PROMETHEUS_MULTIPROC_DIR")
    if directory:
        return _named(directory)
    found = leader()
    namespace = _namespace()
    if found is None or namespace is None:
        return None
    try:
        directory = _directory()
        _remove_dead(directory, namespace)
        stem = os.path.join(directory, f"{namespace}-{found[0]}-{found[1]}")
        _hold(stem + _LIVENESS)
    except OSError as e:
        warnings.warn(f"promflow counts in this process alone: {e}", RuntimeWarning, stacklevel=2)
        return None
    return stem + _ARENA


def _named(directory: str) -> Optional[str]:
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as e:
        warnings.warn(f"promflow counts in this process alone: PROMETHEUS_MULTIPROC_DIR: {e}", RuntimeWarning, stacklevel=3)
        return None
    return os.path.join(directory, NAMED_FILE)


def _namespace() -> Optional[str]:
    """Return what process ids are unique in: their namespace, and this start of the machine."""
    try:
        space = re.sub(r"\D", "", os.readlink("/proc/self/ns/pid"))
        with open("/proc/sys/kernel/random/boot_id") as file:
            return f"{space}-{file.read().strip().replace('-', '')[:12]}"
    except OSError:
        return None


def _directory() -> str:
    """Return the directory of this user's arenas, made for this user alone."""
    shared_memory = "/dev/shm"
    base = shared_memory if os.access(shared_memory, os.W_OK | os.X_OK) else tempfile.gettempdir()
    directory = os.path.join(base, f"promflow-{os.geteuid()}")
    try:
        os.mkdir(directory, 0o700)
    except FileExistsError:
        status = os.lstat(directory)
        # Where everybody may write, somebody else may have been there first.
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
            raise PermissionError(f"{directory!r} is not a directory that belongs to this user alone") from None
    return directory


def _hold(path: str) -> None:
    """Take the shared lock that says that the family lives."""
    while path not in _held:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        # Whoever removed the family meanwhile had the lock before: then this is a file without a name.
        if _is_same(descriptor, path):
            _held[path] = descriptor
        else:
            os.close(descriptor)


def _is_same(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _remove_dead(directory: str, namespace: str) -> None:
    """Remove the arenas of families that ended: no process holds them, and their leader, who may hold none, is gone."""
    for stem in {name.rpartition(".")[0] for name in os.listdir(directory) if _NAME.fullmatch(name)}:
        where, pid, start = stem.rsplit("-", 2)
        if where != namespace or not _is_running(int(pid), int(start)):
            _remove_if_unheld(os.path.join(directory, stem))


def _is_running(pid: int, start: int) -> bool:
    process = _process(pid)
    return process is not None and process.start == start


def _remove_if_unheld(stem: str) -> None:
    lock = stem + _LIVENESS
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_same(descriptor, lock):
            for path in (stem + _ARENA, lock):
                try:
                    os.unlink(path)
                except FileNotFoundError:
                    pass
    except OSError:
        pass  # It lives, or is not ours to remove.
    finally:
        os.close(descriptor)
