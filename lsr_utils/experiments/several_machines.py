"""Functions run on several ranks of this machine. Taught in deep dive 02c."""

import inspect
import os
import pathlib
import re
import socket
import sys
import tempfile
import time
import traceback
from datetime import timedelta

import torch
import torch.distributed as dist
import torch.distributed.tensor as dt
import torch.multiprocessing as mp
import torch.nn.functional as F  # noqa: F401 (for what a notebook sends)
from torch.distributed.tensor.parallel import loss_parallel
from torch.utils._pytree import tree_leaves


def on_ranks(ranks, job, *given, helpers=(), seconds=180):
    """What ``job(*given)`` returns on each rank: a list. Taught in deep dive 02c.

    ranks   : processes of torch.distributed, each with one thread; on NCCL where there
              is a GPU for each, which is then the default device, else on gloo
    job     : a function of a module, or of a notebook, whose text is sent, and that of
              its helpers: there they see the names of this module
    raises  : RuntimeError with what a rank said, where one fails, dies or is too slow
    """
    page = not hasattr(sys.modules["__main__"], "__file__")
    written = [f for f in (*helpers, job) if page and f.__module__ == "__main__"]
    text = "\n".join(map(inspect.getsource, written))
    job = job.__name__ if job in written else job
    method = "forkserver" if "forkserver" in mp.get_all_start_methods() else "spawn"
    if method == "forkserver":  # it imports PyTorch once, and forks each rank off
        mp.get_context(method).set_forkserver_preload(
            [__name__, f"{dt.__name__}.debug"]
        )
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, str(rank)) for rank in range(ranks)]
        torch.save(given, pathlib.Path(folder, "given"))  # each tensor costs a handle
        how = ranks, folder, text, job, seconds
        started = mp.start_processes(_rank, how, ranks, False, start_method=method)
        codes, end = [None], time.monotonic() + seconds
        while None in codes and time.monotonic() < end:
            time.sleep(0.02)
            codes = [process.exitcode for process in started.processes]
            if any(codes):  # the others may have something to say about it
                end = min(end, time.monotonic() + 2)
        for process in started.processes:
            process.kill()
            process.join()
        if not any(code != 0 for code in codes):
            return [torch.load(f"{file}.pt", weights_only=False) for file in files]
        late = "was stopped" if any(codes) else f"did not end within {seconds} s"
        ends = [f"ended with exit code {code}" if code else late for code in codes]
        bad = [rank for rank in range(ranks) if codes[rank] != 0]
        said = [f"rank {rank} {ends[rank]}{_last_words(files[rank])}" for rank in bad]
        raise RuntimeError("; ".join(said))


def _rank(rank, ranks, folder, text, job, seconds):
    """One rank: join the others, run the job, leave what it returns in a file."""
    file = pathlib.Path(folder, str(rank))
    with open(file, "w", encoding="utf-8") as log:
        os.dup2(log.fileno(), 2)  # what libraries write, too
        for loopback in {"lo", "lo0"}.intersection(n for _, n in socket.if_nameindex()):
            os.environ["GLOO_SOCKET_IFNAME"] = loopback  # nothing leaves this machine
        torch.set_num_threads(1)
        gpus = torch.cuda.device_count() >= ranks
        if gpus:
            torch.set_default_device(f"cuda:{rank}")
        backend, store = "nccl" if gpus else "gloo", file.with_name("store").as_uri()
        wait = timedelta(seconds=seconds / 2)  # there is time left to say so
        dist.init_process_group(backend, store, wait, ranks, rank)
        try:
            exec(text, globals())
            job = globals()[job] if isinstance(job, str) else job
            given = torch.load(file.with_name("given"), weights_only=False)
            torch.save(job(*given), file.with_suffix(".pt"))
        except BaseException:  # SystemExit too
            traceback.print_exc()
            os._exit(1)
        if gpus:
            dist.destroy_process_group()
    os._exit(0)  # at once: there are versions whose gloo waits for a rank that ended


def _last_words(log):
    """The last line of a rank's log that speaks of an error, or nothing."""
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    told = [line for line in lines if "Error" in line or "what():" in line]
    return f": {told[-1].strip()}" if told else ""


def counted():
    """A CommDebugMode that also adds up, in ``bytes``, what collectives hand a rank."""
    from torch.distributed.tensor.debug import CommDebugMode  # it sets up a compiler

    class Counted(CommDebugMode):
        bytes = 0

        def __torch_dispatch__(self, op, types, args=(), kwargs=None):
            out = super().__torch_dispatch__(op, types, args, kwargs)
            if "c10d" in op.namespace and not re.search("wait|wrap", op.name()):
                results = (x for x in tree_leaves(out) if isinstance(x, torch.Tensor))
                self.bytes += sum(result.nbytes for result in results)
            return out

        def calls(self):
            return {str(call): n for call, n in self.get_comm_counts().items() if n}

    return Counted()


def judge(ways, z, y):
    """What each way to write the loss does, on a rank. Taught in deep dive 02c.

    ways    : names of functions (z, y) of a DTensor whose classes are split, y whole
    returns : dictionaries: the loss, all of its gradient, the collectives of forward
              and backward pass, their bytes; or the error's text
    """
    mesh = dt.init_device_mesh(
        torch.get_default_device().type, (dist.get_world_size(),)
    )
    y = dt.distribute_tensor(y, mesh, [dt.Replicate()])
    found = []
    for way in ways:
        leaf = dt.distribute_tensor(z, mesh, [dt.Shard(1)]).requires_grad_()
        try:
            with loss_parallel(), counted() as forward:
                loss = globals()[way](leaf, y)
            with loss_parallel(), counted() as backward:
                (slope,) = torch.autograd.grad(loss, leaf)
        except RuntimeError as problem:
            found.append(str(problem))
            continue
        loss = loss.full_tensor() if isinstance(loss, dt.DTensor) else loss
        said = {"loss": loss.detach().cpu(), "gradient": slope.full_tensor().cpu()}
        said |= {"forward": forward.calls(), "backward": backward.calls()}
        found.append({**said, "bytes": forward.bytes + backward.bytes})
    return found
