"""Time and memory of a call, on the CPU and on CUDA."""

import itertools
import json
import os
import pathlib
import statistics
import tempfile
import time

import torch

from . import check


def median_seconds(call, device="cpu", rounds=20, warm_up=3):
    """Median duration of ``call()`` in seconds.

    device : where it works; on CUDA, events time the device itself
    rounds : measured calls, after ``warm_up`` others. Taught in deep dive 02b.
    """
    for _ in range(warm_up):
        call()
    on_cuda = torch.device(device).type == "cuda"
    with torch.cuda.device(device if on_cuda else -1):  # events are of the current one
        marks = [_mark(device)]
        for _ in range(rounds):
            call()
            marks.append(_mark(device))
        if on_cuda:
            torch.cuda.synchronize()
    pairs = itertools.pairwise(marks)
    spans = (a.elapsed_time(b) / 1e3 if on_cuda else b - a for a, b in pairs)
    return statistics.median(spans)


def _mark(device):
    """This moment: of the device, where it is CUDA, or of the clock."""
    kind = torch.device(device).type
    if kind != "cuda":
        if kind != "cpu":
            torch.accelerator.synchronize(device)
        return time.perf_counter()
    event = torch.cuda.Event(enable_timing=True)
    event.record()
    return event


def peak_bytes(call, device="cpu"):
    """Most memory, in bytes, that ``call()`` held at once beyond what was there.

    It calls once to warm up and once to measure. Taught in notebook 02.
    """
    kind = check.one_of(torch.device(device).type, "device", ("cpu", "cuda"))
    call()
    if kind == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # no notes of its own to stderr
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "trace.json")
        with torch.profiler.profile(profile_memory=True) as profile:
            call()
        profile.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    events = [event for event in events if event["name"] == "[memory]"]
    events.sort(key=lambda event: event["ts"])
    return max(itertools.accumulate((e["args"]["Bytes"] for e in events), initial=0))
