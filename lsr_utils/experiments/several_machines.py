"""Functions run on several ranks of this machine. Taught in deep dive 02c."""

import inspect
import os
import pathlib
import socket
import sys
import tempfile
import time
import traceback
import types
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


def on_ranks(ranks, job, *given, seconds=120):
    """What ``job(*given)`` returns on each rank: a list. Taught in deep dive 02c.

    ranks   : processes of torch.distributed, each with one thread; on NCCL where there
              is a GPU for each (torch.cuda.current_device() is the rank's), else gloo
    job     : a function of a module; of a notebook its text is sent, so that it sees
              what it imports and what it is given, and nothing else
    raises  : RuntimeError with what a rank said, where one fails, dies or is too slow
    """
    text = inspect.getsource(job) if job.__module__ == "__main__" else None
    how = text or job, job.__name__, given
    with tempfile.TemporaryDirectory() as folder:
        context = mp.spawn(_rank, (ranks, folder, how, seconds), ranks, join=False)
        codes = _until(lambda codes: None not in codes or any(codes), context, seconds)
        if any(codes):  # the others may have something to say about it
            codes = _until(lambda codes: None not in codes, context, 2)
        for process in context.processes:
            process.kill()
            process.join()
        if any(code != 0 for code in codes):
            said = [_last_words(pathlib.Path(folder, f"{r}.txt")) for r in range(ranks)]
            raise RuntimeError(_what_happened(codes, said, seconds))
        return [torch.load(pathlib.Path(folder, f"{r}.pt")) for r in range(ranks)]


def _until(done, context, seconds):
    """Exit codes of the processes as soon as ``done(codes)``, None of one that runs."""
    end, codes = time.monotonic() + seconds, [None]
    while not done(codes) and time.monotonic() < end:
        time.sleep(0.02)
        codes = [process.exitcode for process in context.processes]
    return codes


def _rank(rank, ranks, folder, how, seconds):
    """One rank: join the others, run the job, leave what it returns in a file."""
    log = os.open(os.path.join(folder, f"{rank}.txt"), os.O_CREAT | os.O_WRONLY)
    os.dup2(log, 2)  # what libraries write, too
    sys.stderr = os.fdopen(2, "w", buffering=1)
    for loopback in {"lo", "lo0"}.intersection(n for _, n in socket.if_nameindex()):
        os.environ["GLOO_SOCKET_IFNAME"] = loopback  # nothing leaves this machine
    torch.set_num_threads(1)
    gpus = torch.cuda.device_count() >= ranks
    if gpus:
        torch.cuda.set_device(rank)
    dist.init_process_group(
        "nccl" if gpus else "gloo", rank=rank, world_size=ranks,
        init_method=pathlib.Path(folder, "store").as_uri(),
        timeout=timedelta(seconds=seconds),
    )  # fmt: skip
    job, name, given = how
    if isinstance(job, str):
        module = types.ModuleType("job")
        exec(compile(job, name, "exec"), vars(module))
        job = getattr(module, name)
    try:
        torch.save(job(*given), os.path.join(folder, f"{rank}.pt"))
    except Exception:
        traceback.print_exc()
        raise
    dist.destroy_process_group()


def _last_words(path):
    """The last line that speaks of an error."""
    lines = path.read_text("utf-8", "replace").splitlines() if path.exists() else []
    lines = [line.strip() for line in lines if line.strip()]
    errors = [line for line in lines if "Error" in line or "what():" in line]
    return (errors or lines or [""])[-1]


def _what_happened(codes, said, seconds):
    """A sentence about each rank that did not end well."""
    late = "was stopped" if any(codes) else f"did not end within {seconds} s"
    return "; ".join(
        f"rank {rank} {f'ended with exit code {code}' if code else late}: {words}"
        for rank, (code, words) in enumerate(zip(codes, said, strict=True))
        if code != 0
    )
