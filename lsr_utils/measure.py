"""Time and memory of a call, on the CPU and on CUDA."""

import contextlib
import json
import os
import statistics
import tempfile
import time

import torch

from . import check


def median_seconds(call, device="cpu", rounds=20, warm_up=3):
    """Median duration of ``call()`` in seconds.

    device : where it works; on CUDA, CUDA events time the device itself
    rounds : measured calls, after ``warm_up`` others

    Taught in notebook 02.
    """
    rounds = check.whole(rounds, "rounds", least=1)
    for _ in range(warm_up):
        call()
    if torch.device(device).type == "cuda":
        with torch.cuda.device(device):  # events belong to the current device
            marks = [
                [torch.cuda.Event(enable_timing=True) for _ in range(2)]
                for _ in range(rounds)
            ]
            torch.cuda.synchronize()
            for start, end in marks:
                start.record()
                call()
                end.record()
            torch.cuda.synchronize()
        return statistics.median(a.elapsed_time(b) / 1e3 for a, b in marks)
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def peak_bytes(call, device="cpu"):
    """Most memory, in bytes, that ``call()`` held at once beyond what was there.

    It runs the call twice: once to warm up, once to measure.
    raises : ValueError on a device whose allocator cannot be asked

    Taught in notebook 02.
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
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trace.json")
        with _silent_stderr(), torch.profiler.profile(profile_memory=True) as profile:
            call()
        profile.export_chrome_trace(path)
        with open(path, encoding="utf-8") as file:
            events = json.load(file)["traceEvents"]
    changes = [event for event in events if event["name"] == "[memory]"]
    held = peak = 0
    for change in sorted(changes, key=lambda event: event["ts"]):
        held += change["args"]["Bytes"]
        peak = max(peak, held)
    return peak


@contextlib.contextmanager
def _silent_stderr():
    # The profiler writes notes of its own to the process's stderr, not Python's.
    keep = os.dup(2)
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(keep, 2)
        os.close(keep)
