"""Celery tasks that count themselves."""

import os

from celery import Celery
from counting import answer

app = Celery("tasks", broker=os.environ["REDIS"], backend=os.environ["REDIS"])
app.conf.worker_prefetch_multiplier = 1


@app.task
def count():
    return answer("/").decode()


@app.task
def page():
    return answer("/metrics").decode()
