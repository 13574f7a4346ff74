"""Measures calls and pages of promflow beside prometheus_client, each in a process of its own.

    python benches/calls.py [--batches 15] [--json]

Units: nanoseconds for one call, without the loop around it; milliseconds for a page. The figure is the median of
batches that were run in turn in one process; both libraries are run one after the other, as often as ``--rounds``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import timeit

SERIES = 10_000
PROCESSES = 8

AIMS = {
    ("single", "Counter.inc()"): 15,
    ("single", "labels(m, p).inc()"): 12,
    ("single", "Histogram.observe()"): 15,
    ("multi", "Counter.inc()"): 28,
    ("multi", "labels(m, p).inc()"): 18,
    ("multi", "Histogram.observe()"): 40,
}
ROUNDS, BATCHES = 3, 15
PAGE_AIM_MS = 10
"""A page of 10,000 series from eight processes."""

CALLS = {
    "Counter.inc()": "counter.inc()",
    "labels(m, p).inc()": "labelled.labels('GET', '/users').inc()",
    "labels(m, new p).inc()": "labelled.labels('GET', slash + 'users').inc()",
    "labels(method=, path=).inc()": "labelled.labels(method='GET', path='/users').inc()",
    "Gauge.set()": "gauge.set(3.5)",
    "Summary.observe()": "summary.observe(0.3)",
    "Histogram.observe()": "histogram.observe(0.3)",
    "labels(m, p).observe()": "histograms.labels('GET', '/users').observe(0.3)",
    "with histogram.time()": "with histogram.time(): pass",
}


def _namespace(library):
    module = __import__(library)
    registry = module.REGISTRY
    names = {
        "slash": "/",
        "counter": module.Counter("bench_counter", "A counter."),
        "labelled": module.Counter("bench_labelled", "A counter.", ["method", "path"]),
        "gauge": module.Gauge("bench_gauge", "A gauge."),
        "summary": module.Summary("bench_summary", "A summary."),
        "histogram": module.Histogram("bench_histogram", "A histogram."),
        "histograms": module.Histogram("bench_histograms", "A histogram.", ["method", "path"]),
    }
    # As many children as an application has.
    for i in range(64):
        names["labelled"].labels("GET", f"/{i}")
        names["histograms"].labels("GET", f"/{i}")
    return module, registry, names


def _call_ns(statement, names, batches):
    timer = timeit.Timer(statement, globals=names)
    loops, _ = timer.autorange()
    loops = max(loops // 20, 1)
    empty = min(timeit.Timer("pass", globals=names).repeat(5, loops)) / loops
    samples = [seconds / loops for seconds in timer.repeat(batches, loops)]
    return max(statistics.median(samples) - empty, 0) * 1e9


def _page_ms(write, batches):
    samples = []
    for _ in range(max(batches // 3, 3)):
        begin = time.perf_counter()
        page = write()
        samples.append(time.perf_counter() - begin)
    return statistics.median(samples) * 1e3, len(page)



def _page_of_processes(library, batches):
    """Has eight processes count in the same series, and writes the page of all."""
    module = __import__(library)
    counter = module.Counter("page_series", "A counter.", ["number"])
    for process in range(PROCESSES):
        pid = os.fork()
        if pid == 0:
            for i in range(SERIES):
                counter.labels(str(i)).inc(process + 1)
            os._exit(0)
        os.waitpid(pid, 0)
    multiprocess = __import__(f"{library}.multiprocess", fromlist=["MultiProcessCollector"])
    registry = module.CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    figure, size = _page_ms(lambda: module.generate_latest(registry), batches)
    page = module.generate_latest(registry).decode()
    total = sum(float(line.rpartition(" ")[2]) for line in page.splitlines() if line.startswith("page_series_total"))
    expected = SERIES * sum(range(1, PROCESSES + 1))
    assert total == expected, f"{library} counted {total} of {expected}"
    return figure, size


def _run(library, mode, batches):
    figures = {}
    module, registry, names = _namespace(library)
    for name, statement in CALLS.items():
        figures[name] = _call_ns(statement, names, batches)
    if mode == "single":
        private = module.CollectorRegistry()
        counter = module.Counter("page_series", "A counter.", ["number"], registry=private)
        for i in range(SERIES):
            counter.labels(str(i)).inc(i)
        openmetrics = __import__(f"{library}.openmetrics.exposition", fromlist=["generate_latest"])
        figures["page, text (ms)"] = _page_ms(lambda: module.generate_latest(private), batches)[0]
        figures["page, OpenMetrics (ms)"] = _page_ms(lambda: openmetrics.generate_latest(private), batches)[0]
    else:
        figures["page of 8 processes (ms)"] = _page_of_processes(library, batches)[0]
    json.dump(figures, sys.stdout)


def _measure(library, mode, batches):
    with tempfile.TemporaryDirectory() as directory:
        environment = {name: value for name, value in os.environ.items() if name != "PROMETHEUS_MULTIPROC_DIR"}
        if mode == "multi":
            environment["PROMETHEUS_MULTIPROC_DIR"] = directory
        command = [sys.executable, __file__, "--run", library, mode, "--batches", str(batches)]
        return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True).stdout)


def rows(rounds=ROUNDS, batches=BATCHES):
    for mode in ("single", "multi"):
        runs = {"promflow": [], "prometheus_client": []}
        for _ in range(rounds):
            for library, figures in runs.items():
                figures.append(_measure(library, mode, batches))
        for name in runs["promflow"][0]:
            ours, theirs = (statistics.median(run[name] for run in figures) for figures in runs.values())
            yield {"mode": mode, "name": name, "ours": ours, "theirs": theirs, "aim": AIMS.get((mode, name))}


def _print(row):
    ratio = row["theirs"] / max(row["ours"], 1e-9)
    if row["name"] == "page of 8 processes (ms)":
        verdict = f"under {PAGE_AIM_MS} ms: {'met' if row['ours'] < PAGE_AIM_MS else 'NOT MET'}"
    elif row["aim"] is not None:
        verdict = f"{row['aim']}x: {'met' if ratio >= row['aim'] else 'NOT MET'}"
    else:
        verdict = ""
    print(
        f"{row['mode']:7}{row['name']:32}{row['ours']:10.1f}{row['theirs']:12.1f}{ratio:8.1f}x  {verdict}", flush=True
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=BATCHES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument("--run", nargs=2, metavar=("LIBRARY", "MODE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        _run(*options.run, options.batches)
    elif options.json:
        json.dump(list(rows(options.rounds, options.batches)), sys.stdout, indent=1)
    else:
        print(f"{'':39}{'promflow':>10}{'peer':>12}{'ratio':>9}  aim")
        for row in rows(options.rounds, options.batches):
            _print(row)


if __name__ == "__main__":
    main()
