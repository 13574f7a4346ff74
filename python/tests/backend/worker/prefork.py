"""Tasks that end in every way: `celery -A prefork worker`."""

import os
import signal
import time

from celery import Celery

from promflow.backend.celery import instrument

app = Celery("prefork", broker=os.environ["REDIS_URL"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=1, worker_hijack_root_logger=False)
instrument(app, presets=("guide", "celery-exporter"))


@app.task(name="ok")
def ok():
    """Ends well."""


@app.task(name="hard", time_limit=1)
def hard():
    """Takes longer than it may; its child is killed."""
    time.sleep(60)


@app.task(name="soft", soft_time_limit=1)
def soft():
    """Takes longer than it should; an exception ends it."""
    time.sleep(60)


@app.task(name="die")
def die():
    """Takes its child with it, once the main process knows that it runs; before, it would be given to another child."""
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGKILL)


@app.task(name="slow")
def slow():
    """Is called off under way."""
    time.sleep(60)
