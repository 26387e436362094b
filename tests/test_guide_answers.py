"""The examination: every number of its model answers, recomputed.

Nothing here uses the package: the answers are held against numpy, scipy and autograd.
"""

import re

import numpy as np
import pytest
import torch
from scipy import optimize, special, stats
from test_guide import TEACHING, TEXT, numbers, rows

FOLDER = TEACHING / "examination"
QUESTIONS, PARTS = (
    re.split(r"(?m)^## \d+\. ", (FOLDER / name).read_text(encoding="utf-8"))[1:]
    for name in ("questions.md", "answers.md")
)
K, EPS = 6, 0.1
# ε, accuracy, conf − acc, ECE: of the five values of ε the first five rows.
BAG = numbers("07", "nb07-s09-03", (0, 1, 5, 3))[:5]


def says(question, *pairs):
    """Each number, as it is written, stands in the answer and is the true one."""
    for written, true in pairs:
        answer = PARTS[question - 1].replace("−", "-")
        assert re.search(rf"(?<![\d.]){re.escape(written)}(?![\d]|\.\d)", answer), (
            written
        )
        digits = len(written.partition(".")[2])
        assert abs(float(written) - true) <= 0.5 * 10**-digits + 1e-12, (written, true)


def row(eps, k=K):
    return np.array([1 - eps + eps / k, *[eps / k] * (k - 1)])


def loss(target, z):
    return -(torch.as_tensor(target) * z.log_softmax(-1)).sum(-1)


def test_ten_questions_with_answers_that_name_cells():
    assert len(QUESTIONS) == len(PARTS) == 10
    for question, answer in zip(QUESTIONS, PARTS, strict=True):
        assert question.splitlines()[0] == answer.splitlines()[0]
        assert "?" in question or "Show" in question
        assert len(answer) > 300 and re.search(r"§\d+\].*\d\d-\d+", answer)


def test_1_three_rows():
    text = np.array([0.9, *[EPS / K] * 5])
    normal = text / text.sum()
    says(1, ("0.98333", text.sum()), ("0.12", 0.02 * K), ("0.101695", normal[1] * K))
    z = torch.randn(50, K, dtype=torch.float64)
    in_disguise = text.sum() * loss(row(0.1 / (1 - 0.1 / K)), z)
    torch.testing.assert_close(loss(text, z), in_disguise)


def test_2_floor_and_gap():
    q = row(EPS)
    says(2, ("0.420956", -(q * np.log(q)).sum()), ("0.916667", q[0]))

    def along(g):
        return np.log(np.exp(g) + K - 1) - q[0] * g

    best = optimize.minimize_scalar(along, bounds=(0, 20), method="bounded")
    assert best.fun == pytest.approx(0.420956, abs=1e-6)
    says(
        2,
        ("4.0073", optimize.brentq(lambda g: along(g + 1e-5) - along(g - 1e-5), 1, 9)),
    )
    p = np.random.default_rng(0).dirichlet(np.ones(K), 1000)
    assert ((q * np.log(q / p)).sum(1) >= 0).all()
    for eps in (0.05, 0.3):
        a = 1 - eps + eps / K
        assert a * (K - 1) / (1 - a) == pytest.approx(1 + K * (1 - eps) / eps)


def test_3_gradient_and_forgotten_factor():
    z = torch.randn(20, K, dtype=torch.float64, requires_grad=True)
    q = torch.as_tensor(row(EPS))
    loss(q, z).sum().backward()
    torch.testing.assert_close(z.grad, z.detach().softmax(1) - q)
    ce = -z.log_softmax(1)[:, 0]
    torch.testing.assert_close(loss(q, z), ce + EPS * (z[:, 0] - z.mean(1)))
    t = np.array([1, 0, 0, 0, 0, 0]) + EPS / K
    assert t[0] / t[1] == pytest.approx(61)
    pairs = [("1.1", t.sum()), ("0.0909", K * t[1] / t.sum())]
    says(3, *pairs, ("4.1109", np.log(t[0] / t[1])))


def test_4_divergences():
    gaps = np.linspace(0.1, 60, 600)
    z = np.zeros((600, K))
    z[:, 0] = gaps
    log_p = special.log_softmax(z, 1)
    up = -np.log(K) - log_p.mean(1)
    pu = (np.exp(log_p) * log_p).sum(1) + np.log(K)
    assert (pu <= np.log(K) + 1e-12).all()
    assert (up >= gaps * (K - 1) / K - np.log(K)).all()

    def penalised(g, beta=0.1):
        p = special.softmax([g, *[0] * (K - 1)])
        return -np.log(p[0]) + beta * (p * np.log(p)).sum()

    best = optimize.minimize_scalar(penalised, bounds=(2, 30), method="bounded")
    assert best.x == pytest.approx(10.002, abs=0.01)
    rule = optimize.brentq(
        lambda g: 0.1 * g * special.expit(g - np.log(K - 1)) - 1, 2, 30
    )
    says(4, ("10.002", rule), ("1.7918", np.log(K)))
    for g in (1.0, 4.0, 12.0):  # the slope that the answer gives
        p = special.expit(g - np.log(K - 1))
        slope = (penalised(g + 1e-5) - penalised(g - 1e-5)) / 2e-5
        assert slope == pytest.approx((1 - p) * (0.1 * p * g - 1), abs=1e-7)


def test_5_noise():
    noise = np.full((K, K), 0.2 / 5) + np.eye(K) * (0.8 - 0.2 / 5)
    kept = np.linalg.eigvalsh(noise).min()  # the share of a row that is kept
    smooth = np.full((K, K), EPS / K) + np.eye(K) * (1 - EPS)
    both = np.linalg.eigvalsh(noise @ smooth).min()
    inverse = np.linalg.inv(noise)
    pairs = [("0.24", 1 - kept), ("0.684", both), ("0.316", 1 - both)]
    says(5, *pairs, ("-0.3158", inverse[0, 1] * K), ("0.76", kept))
    assert inverse[0, 1] < 0


def test_6_what_is_learned():
    pi = np.array([0.6, 0.4, 0, 0, 0, 0])
    p = pi @ np.stack([np.roll(row(EPS), k) for k in range(K)])
    power = np.log(1.5) / np.log(p[0] / p[1])
    says(
        6, ("0.556667", p[0]), ("0.376667", p[1]), ("0.016667", p[2]), ("1.0380", power)
    )
    np.testing.assert_allclose((p - EPS / K) / (1 - EPS), pi, atol=1e-12)
    says(6, ("-6.13", -100 * EPS * (0.78 - 1 / K)))
    for d in np.linspace(0.01, 0.2, 20):
        for fall in np.linspace(0.01, 0.3, 30):
            if abs(fall - 2 * d) > 1e-9:
                assert (abs(d - fall) < d) == (fall < 2 * d)


def test_6_the_example_is_that_of_notebook_07():
    hard, smoothed = (next(row for row in BAG if row[0] == eps) for eps in (0, 0.1))
    half = EPS * (hard[1] - 1 / K) / 2
    pairs = [("5.9", hard[2]), ("3.4", half), ("12.6", hard[2] - smoothed[2])]
    says(6, *((n, 100 * share) for n, share in [*pairs, ("6.7", -smoothed[2])]))
    words = "half the price 3.4, and the ECE went from 6.6 to 8.1 %"
    assert words in TEXT and (hard[3], smoothed[3]) == (0.066, 0.081)


def test_7_lengths():
    rng = np.random.default_rng(1)
    w, b, h = rng.normal(size=(K, 9)), rng.normal(size=K), rng.normal(size=(K, 40, 9))
    z = h @ w.T + b
    own = z[range(K), :, range(K)]
    gap = (own - (z.sum(2) - own) / (K - 1)).mean()
    mu = h.mean(1)
    w0, mu0 = w - w.mean(0), mu - mu.mean(0)
    assert gap == pytest.approx(K / (K - 1) * (w0 * mu0).sum(1).mean())
    lengths = np.sqrt((w0**2).sum(1).mean() * (mu0**2).sum(1).mean())
    assert gap <= K / (K - 1) * lengths
    equal = (w0 * 3 * w0).sum(1).mean()
    assert equal == pytest.approx(3 * (w0**2).sum(1).mean())
    says(7, ("3.3394", 5 / 6 * np.log(55)))


def test_8_ece_floor():
    n, c = 100, 0.8
    right = np.arange(n + 1)
    exact = (stats.binom.pmf(right, n, c) * abs(right / n - c)).sum()
    says(8, ("0.0319", np.sqrt(2 * c * (1 - c) / (np.pi * n))), ("0.0318", exact))
    more = np.arange(100 * n + 1)
    tenth = (stats.binom.pmf(more, 100 * n, c) * abs(more / (100 * n) - c)).sum()
    assert exact / tenth == pytest.approx(10, rel=0.01)
    far = (stats.binom.pmf(right, n, 0.6) * abs(right / n - c)).sum()
    assert far == pytest.approx(0.2, abs=1e-4)  # a real gap, and nothing added to it


def test_9_intervals():
    says(9, ("2.093", stats.t.ppf(0.975, 19)), ("12.55", np.sqrt(1 + 20 * 7.83)))
    factor = np.sqrt((1 / 20 + 783 / 100) / (1 / 20))
    assert factor == pytest.approx(12.55, abs=0.005)


def test_10_one_pass():
    z = np.random.default_rng(2).normal(size=50) * 4
    y, eps, k = 7, 0.1, 50
    m, s, t, n = -np.inf, 0.0, 0.0, 0
    for start in range(0, k, 8):
        new = z[start : start + 8]
        larger = max(m, new.max())
        s = (s * np.exp(m - larger) if n else 0.0) + np.exp(new - larger).sum()
        t = (t + n * (m - larger) if n else 0.0) + (new - larger).sum()
        m, n = larger, n + len(new)
    ours = np.log(s) - (1 - eps) * (z[y] - m) - eps * t / k
    q = np.full(k, eps / k)
    q[y] += 1 - eps
    assert ours == pytest.approx(-(q * special.log_softmax(z)).sum(), abs=1e-12)
    moved = 8192 * 128256 * 4
    says(10, ("4.20", moved / 1e9), ("1.05", moved / 4e12 * 1e3))


def test_numbers_in_the_short_answers():
    table = "\n".join(" ".join(line) for line in rows(TEXT))
    for words, true in {
        "sums to 0.9833": 1 - EPS / K,
        "gap of 2.9": np.log(19),
        "and of 9.1": np.log(9001),
        "the target, 0.4210": -(row(EPS) * np.log(row(EPS))).sum(),
        "equals the target: 4.0073": np.log(55),
        "0.9 · 0.76 = 0.316": 1 - 0.9 * 0.76,
        "= 6.1 points": 100 * EPS * (0.78 - 1 / K),
    }.items():
        assert words in table, words
        written = re.findall(r"\d+\.\d+", words)[-1]
        assert round(true, len(written.partition(".")[2])) == float(written)
