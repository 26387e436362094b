"""What a call costs. Nothing here asserts a time."""

import itertools
import os
import time

import pytest
import torch

from lsr_utils import measure

MIB = 1024**2


def hold(mib):
    return torch.empty(mib * MIB, dtype=torch.uint8)


def test_the_peak_is_the_most_held_at_once_beyond_what_was_there():
    there = hold(8)

    def one_after_another():
        for mib in (1, 3, 2):
            hold(mib)  # each is gone before the next

    assert measure.peak_bytes(one_after_another) == 3 * MIB
    assert measure.peak_bytes(lambda: [hold(1), hold(3), hold(2)]) == 6 * MIB
    assert measure.peak_bytes(lambda: None) == 0
    assert 8 * MIB <= measure.peak_bytes(lambda: there.add(1)) < 8 * MIB + 100
    assert measure.peak_bytes(lambda: there.add_(1)) < MIB


def test_measuring_prints_nothing_and_leaves_no_file_open_but_stderr(capfd):
    def next_number():
        number = os.dup(2)
        os.close(number)
        return number

    before, turns = next_number(), iter([0, 1])
    with pytest.raises(ZeroDivisionError):  # while it is measured
        measure.peak_bytes(lambda: 1 / (1 - next(turns)))
    assert next_number() == before
    os.write(2, b"still here")
    assert capfd.readouterr() == ("", "still here")


def test_the_time_is_the_median_of_the_measured_calls(monkeypatch):
    calls = []
    clock = itertools.accumulate([5.0, 1.0, 30.0, 2.0, 4.0], initial=7.0)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    seconds = measure.median_seconds(lambda: calls.append(1), rounds=5, warm_up=2)
    assert len(calls) == 7 and seconds == pytest.approx(4.0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
def test_on_a_gpu_the_peak_is_that_of_its_allocator():
    there = torch.zeros(MIB, device="cuda", dtype=torch.uint8)
    assert measure.peak_bytes(lambda: there.add(there), "cuda") == MIB
    assert measure.median_seconds(lambda: there.add(1), "cuda", rounds=3) > 0


def test_the_clock_is_read_when_the_device_has_done_all(monkeypatch):
    waits = []
    monkeypatch.setattr(torch.accelerator, "synchronize", waits.append)
    assert measure.median_seconds(lambda: waits.append(0), "xpu:1", 2, 0) >= 0
    assert waits == ["xpu:1", 0, "xpu:1", 0, "xpu:1"]
