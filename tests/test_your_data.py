"""The lab's four panels: any K, any kind of array, and advice that is computed."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from lsr_utils import calibration
from lsr_utils.experiments import your_data


def rows(n, k, sharp, dtype="int64"):
    """Logits (n, k) that are too large by the factor ``sharp``, and labels."""
    rng = np.random.default_rng(k)
    z = rng.normal(0, 2, (n, k))
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    y = [rng.choice(k, p=row) for row in p]
    return sharp * z, np.array(y, dtype)


@pytest.mark.parametrize(("k", "n"), [(2, 60), (3, 500), (6, 2000), (100, 400)])
def test_panels_take_any_number_of_classes_and_any_kind_of_array(k, n):
    z, y = rows(n, k, 1.5, "uint8")
    said = your_data.advice(your_data.measured(z, y))
    again = your_data.measured(torch.tensor(z), y.tolist())
    assert your_data.advice(again) == said
    figure = your_data.panels(z.astype("float32"), y, z / 2)
    words = figure.axes[3].texts[0].get_text().replace("\n", " ")
    assert f"{n} rows" in words and "second less first" in words
    asked = np.log(1 + k * 0.9 / 0.1)
    assert figure.axes[0].lines[1].get_xdata()[0] == pytest.approx(asked)
    plt.close(figure)


@pytest.mark.parametrize("k", [2, 6, 100])
def test_the_numbers_are_those_of_the_package_and_of_the_formula(k):
    z, y = rows(800, k, 2)
    m, p = your_data.measured(z, y), torch.tensor(z).softmax(1)
    right = (p.argmax(1).numpy() == y).mean()
    assert m["price"][0.1] == pytest.approx(100 * 0.1 * (right - 1 / k))
    assert m["over"] == pytest.approx(100 * (p.amax(1).mean().item() - right))
    assert m["T"] == pytest.approx(2, rel=0.15)
    drawn = torch.rand(2000, 800, generator=torch.Generator().manual_seed(0))
    by_chance = (drawn < p.amax(1)).double().mean(1) - p.amax(1).mean()
    assert m["half"] == pytest.approx(196 * by_chance.std().item(), rel=0.1)
    assert m["nll"].mean().item() == pytest.approx(calibration.nll(p, y).item())


def test_the_advice_follows_the_numbers():
    def found(over, price, half=1.0):
        m = {"over": over, "half": half, "T": 1.0, "y": range(50)}
        return your_data.advice({**m, "price": {0.05: price, 0.1: 2 * price}})[1]

    assert "within chance, ±1.0 points: ε = 0" in found(0.9, 0.1)
    assert "within chance" in found(-0.9, 3)
    assert "Too modest" in found(-1.1, 3) and "Too modest" in found(1.4, 3)
    assert "try ε = 0 and 0.05, in" in found(1.6, 3)
    assert "try ε = 0, 0.05 and 0.1, in" in found(3.1, 3)
