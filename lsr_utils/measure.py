"""Time and memory of a call, on the CPU and on CUDA."""

import contextlib
import os
import statistics
import time

import torch

from .targets import check_count


def median_seconds(call, device="cpu", rounds=20, warm_up=3):
    """Median duration of ``call()`` in seconds.

    device : where it works; on CUDA, CUDA events time the device itself
    rounds : measured calls, after ``warm_up`` others

    Taught in 02 section 9.
    """
    rounds = check_count(rounds, "rounds")
    for _ in range(warm_up):
        call()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(2 * rounds)]
        for start, end in zip(marks[::2], marks[1::2], strict=True):
            start.record()
            call()
            end.record()
        torch.cuda.synchronize(device)
        pairs = zip(marks[::2], marks[1::2], strict=True)
        return statistics.median(a.elapsed_time(b) / 1e3 for a, b in pairs)
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

    Taught in 02 section 9.
    """
    device = torch.device(device)
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        call()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    if device.type != "cpu":
        raise ValueError(f"device must be 'cpu' or 'cuda', got {device.type!r}.")
    with _silent_stderr(), torch.profiler.profile(profile_memory=True) as profile:
        call()
    held = peak = 0
    for event in profile.profiler.kineto_results.events():
        if event.name() == "[memory]":
            held += event.nbytes()
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
