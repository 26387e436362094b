"""The examination: every number of its model answers, recomputed.

Nothing here uses the package: the answers are held against numpy, scipy and autograd.
"""

import re

import numpy as np
import pytest
import torch
from scipy import optimize, special, stats
from test_guide import TEACHING, TEXT, numbers, rows

QUESTIONS, PARTS = (
    re.split(r"(?m)^## \d+\. ", path.read_text(encoding="utf-8"))[1:]
    for path in (TEACHING / "examination" / f"{n}.md" for n in ("questions", "answers"))
)
K, EPS = 6, 0.1


def says(question, **pairs):
    """Each number, as it is written, stands in the answer and is the true one."""
    answer = PARTS[question - 1].replace("−", "-")
    for written, true in pairs.items():
        assert re.search(rf"(?<![\d.]){re.escape(written)}(?!\d|\.\d)", answer), written
        digits = len(written.partition(".")[2])
        assert abs(float(written) - true) <= 0.5 * 10**-digits + 1e-12, (written, true)


def row(eps, k=K):
    return np.array([1 - eps + eps / k, *[eps / k] * (k - 1)])


def loss(target, z):
    return -(torch.as_tensor(target) * z.log_softmax(-1)).sum(-1)


def slope(function, at):
    return (function(at + 1e-5) - function(at - 1e-5)) / 2e-5


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def test_ten_questions_with_answers_that_name_cells():
    assert len(QUESTIONS) == len(PARTS) == 10
    for question, answer in zip(QUESTIONS, PARTS, strict=True):
        assert question.splitlines()[0] == answer.splitlines()[0]
        assert "?" in question or "Show" in question
        assert len(answer) > 300 and re.search(r"§\d+\].*\d\d-\d+", answer)


def test_1_three_rows():
    text = np.array([0.9, *[EPS / K] * 5])
    share = (text / text.sum())[1]
    says(1, **{"0.98333": text.sum(), "0.12": 0.02 * K, "0.101695": share * K})
    z = torch.as_tensor(normal(1, 50, K))
    in_disguise = text.sum() * loss(row(0.1 / (1 - 0.1 / K)), z)
    torch.testing.assert_close(loss(text, z), in_disguise)


def test_2_floor_and_gap():
    q = row(EPS)

    def along(g):
        return np.log(np.exp(g) + K - 1) - q[0] * g

    best = optimize.minimize_scalar(along, bounds=(0, 20), method="bounded").fun
    assert best == pytest.approx(stats.entropy(q), abs=1e-6)
    gap = optimize.brentq(lambda g: slope(along, g), 1, 9)
    says(2, **{"0.420956": stats.entropy(q), "0.916667": q[0], "4.0073": gap})
    p = np.random.default_rng(0).dirichlet(np.ones(K), 1000)
    assert ((q * np.log(q / p)).sum(1) >= 0).all()
    for eps in (0.05, 0.3):
        a = 1 - eps + eps / K
        assert a * (K - 1) / (1 - a) == pytest.approx(1 + K * (1 - eps) / eps)


def test_3_gradient_and_forgotten_factor():
    z = torch.as_tensor(normal(3, 20, K)).requires_grad_()
    q = torch.as_tensor(row(EPS))
    loss(q, z).sum().backward()
    torch.testing.assert_close(z.grad, z.detach().softmax(1) - q)
    ce = -z.log_softmax(1)[:, 0]
    torch.testing.assert_close(loss(q, z), ce + EPS * (z[:, 0] - z.mean(1)))
    t = np.eye(K)[0] + EPS / K
    assert t[0] / t[1] == pytest.approx(61)
    lost = K * t[1] / t.sum()
    says(3, **{"1.1": t.sum(), "0.0909": lost, "4.1109": np.log(t[0] / t[1])})


def test_4_divergences():
    gaps = np.linspace(0.1, 60, 600)
    log_p = special.log_softmax(gaps[:, None] * np.eye(K)[0], 1)
    up = -np.log(K) - log_p.mean(1)
    pu = (np.exp(log_p) * log_p).sum(1) + np.log(K)
    assert (pu <= np.log(K) + 1e-12).all()
    assert (up >= gaps * (K - 1) / K - np.log(K)).all()

    def penalised(g, beta=0.1):
        p = special.softmax(g * np.eye(K)[0])
        return -np.log(p[0]) + beta * (p * np.log(p)).sum()

    def rule(g):
        return 0.1 * g * special.expit(g - np.log(K - 1)) - 1

    best = optimize.minimize_scalar(penalised, bounds=(2, 30), method="bounded").x
    gap = optimize.brentq(rule, 2, 30)
    assert best == pytest.approx(gap, abs=0.01)
    says(4, **{"10.002": gap, "1.7918": np.log(K)})
    for g in (1.0, 4.0, 12.0):  # the slope that the answer gives
        of_answer = special.expit(np.log(K - 1) - g) * rule(g)
        assert slope(penalised, g) == pytest.approx(of_answer, abs=1e-7)


def test_5_noise():
    noise = np.full((K, K), 0.2 / 5) + np.eye(K) * (0.8 - 0.2 / 5)
    smooth = np.full((K, K), EPS / K) + np.eye(K) * (1 - EPS)
    kept = np.linalg.eigvalsh(noise).min()  # the share of a row that is kept
    both = np.linalg.eigvalsh(noise @ smooth).min()
    says(5, **{"0.24": 1 - kept, "0.76": kept, "0.684": both, "0.316": 1 - both})
    says(5, **{"-0.3158": np.linalg.inv(noise)[0, 1] * K})


def test_6_what_is_learned():
    pi = np.array([0.6, 0.4, 0, 0, 0, 0])
    p = pi @ np.stack([np.roll(row(EPS), k) for k in range(K)])
    np.testing.assert_allclose((p - EPS / K) / (1 - EPS), pi, atol=1e-12)
    power = np.log(1.5) / np.log(p[0] / p[1])
    says(6, **{"0.556667": p[0], "0.376667": p[1], "0.016667": p[2], "1.0380": power})
    says(6, **{"-6.13": -100 * EPS * (0.78 - 1 / K)})
    d, fall = np.meshgrid(np.linspace(0.01, 0.2, 20), np.linspace(0.011, 0.3, 30))
    np.testing.assert_array_equal(abs(d - fall) < d, fall < 2 * d)
    # The example is that of notebook 07: ε, accuracy, conf − acc, ECE.
    hard, smoothed = (
        next(row for row in numbers("07", "nb07-s09-03", (0, 1, 5, 3)) if row[0] == eps)
        for eps in (0, 0.1)
    )
    points = {"5.9": hard[2], "12.6": hard[2] - smoothed[2], "6.7": -smoothed[2]}
    points["3.4"] = EPS * (hard[1] - 1 / K) / 2
    says(6, **{written: 100 * share for written, share in points.items()})
    assert "half the price 3.4, and the ECE went from 6.6 to 8.1 %" in TEXT
    assert (hard[3], smoothed[3]) == (0.066, 0.081)


def test_7_lengths():
    w, b, h = normal(1, K, 9), normal(2, K), normal(3, K, 40, 9)
    z = h @ w.T + b
    own = z[range(K), :, range(K)]
    gap = (own - (z.sum(2) - own) / (K - 1)).mean()
    mu = h.mean(1)
    w0, mu0 = w - w.mean(0), mu - mu.mean(0)
    assert gap == pytest.approx(K / (K - 1) * (w0 * mu0).sum(1).mean())
    lengths = np.sqrt((w0**2).sum(1).mean() * (mu0**2).sum(1).mean())
    assert gap <= K / (K - 1) * lengths
    says(7, **{"3.3394": 5 / 6 * np.log(55)})


def test_8_ece_floor():
    def mean_gap(n, p, c=0.8):
        right = np.arange(n + 1)
        return (stats.binom.pmf(right, n, p) * abs(right / n - c)).sum()

    exact = mean_gap(100, 0.8)
    says(8, **{"0.0319": np.sqrt(2 * 0.8 * 0.2 / (np.pi * 100)), "0.0318": exact})
    assert exact / mean_gap(10_000, 0.8) == pytest.approx(10, rel=0.01)
    # A real gap, and nothing added to it.
    assert mean_gap(100, 0.6) == pytest.approx(0.2, abs=1e-4)


def test_9_intervals():
    factor = np.sqrt((1 / 20 + 783 / 100) / (1 / 20))
    says(9, **{"2.093": stats.t.ppf(0.975, 19), "12.55": factor})


def test_10_one_pass():
    z, y, eps, k = normal(2, 50) * 4, 7, 0.1, 50
    m, s, t, n = -np.inf, 0.0, 0.0, 0
    for start in range(0, k, 8):
        new = z[start : start + 8]
        larger = max(m, new.max())
        s = (s * np.exp(m - larger) if n else 0.0) + np.exp(new - larger).sum()
        t = (t + n * (m - larger) if n else 0.0) + (new - larger).sum()
        m, n = larger, n + len(new)
    ours = np.log(s) - (1 - eps) * (z[y] - m) - eps * t / k
    q = np.full(k, eps / k) + (1 - eps) * np.eye(k)[y]
    assert ours == pytest.approx(-(q * special.log_softmax(z)).sum(), abs=1e-12)
    moved = 8192 * 128256 * 4
    says(10, **{"4.20": moved / 1e9, "1.05": moved / 4e12 * 1e3})


def test_numbers_in_the_short_answers():
    table = "\n".join(" ".join(line) for line in rows(TEXT))
    for words, true in {
        "sums to 0.9833": 1 - EPS / K,
        "gap of 2.9": np.log(19),
        "and of 9.1": np.log(9001),
        "the target, 0.4210": stats.entropy(row(EPS)),
        "equals the target: 4.0073": np.log(55),
        "0.9 · 0.76 = 0.316": 1 - 0.9 * 0.76,
        "= 6.1 points": 100 * EPS * (0.78 - 1 / K),
    }.items():
        assert words in table, words
        written = re.findall(r"\d+\.\d+", words)[-1]
        assert round(true, len(written.partition(".")[2])) == float(written)
