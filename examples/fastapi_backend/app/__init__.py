"""An example backend as many teams have one, in FastAPI with a Celery worker, measured by promflow.

Accounts hold credits of several types; messages, calls and exports use them up; Stripe sells new ones and VAPI makes
the calls, both played by a stand-in over real HTTP. Exports and purchases run as Celery tasks, and everything that
happens is published on a topic whose consumer retries and, at last, gives messages up to a dead letter queue. It is the
twin of `examples/backend`, with the same routes and the same faults; accounts and faults stand in Redis, as the worker
shares them.
"""
