"""The examination: every number of its model answers, recomputed.

Nothing here uses the package: the answers are held against numpy and scipy.
"""

import re

import numpy as np
from scipy import optimize, special, stats
from test_guide import TEACHING, TEXT, numbers, rows

QUESTIONS, PARTS = (
    re.split(r"(?m)^## \d+\. ", path.read_text(encoding="utf-8"))[1:]
    for path in (TEACHING / "examination" / f"{n}.md" for n in ("questions", "answers"))
)
K, EPS = 6, 0.1
ROW = np.array([1 - EPS + EPS / K, *[EPS / K] * (K - 1)])


def says(question, **pairs):
    """Each number, as it is written, stands in the answer and is the true one."""
    answer = PARTS[question - 1].replace("−", "-")
    for written, true in pairs.items():
        assert re.search(rf"(?<![\d.]){re.escape(written)}(?!\d|\.\d)", answer), written
        digits = len(written.partition(".")[2])
        assert abs(float(written) - true) <= 0.5 * 10**-digits + 1e-12, (written, true)


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


def test_2_floor_and_gap():
    def loss(g):
        return np.log(np.exp(g) + K - 1) - ROW[0] * g

    gap = optimize.brentq(lambda g: loss(g + 1e-5) - loss(g - 1e-5), 1, 9)
    says(2, **{"0.420956": stats.entropy(ROW), "0.916667": ROW[0], "4.0073": gap})


def test_3_forgotten_factor():
    t = np.eye(K)[0] + EPS / K
    lost = K * t[1] / t.sum()
    says(3, **{"1.1": t.sum(), "0.0909": lost, "4.1109": np.log(t[0] / t[1])})


def test_4_divergences():
    def penalised(g):
        p = special.softmax(g * np.eye(K)[0])
        return -np.log(p[0]) + 0.1 * (p * np.log(p)).sum()

    # The mean slope over two small steps: where it is 0 the penalised loss is least.
    gap = optimize.brentq(lambda g: penalised(g + 1e-4) - penalised(g - 1e-4), 5, 20)
    says(4, **{"10.002": gap, "1.7918": np.log(K)})


def test_5_noise():
    noise = np.full((K, K), 0.2 / 5) + np.eye(K) * (0.8 - 0.2 / 5)
    smooth = np.full((K, K), EPS / K) + np.eye(K) * (1 - EPS)
    kept = np.linalg.eigvalsh(noise).min()  # the share of a row that is kept
    both = np.linalg.eigvalsh(noise @ smooth).min()
    says(5, **{"0.24": 1 - kept, "0.76": kept, "0.684": both, "0.316": 1 - both})
    says(5, **{"-0.3158": np.linalg.inv(noise)[0, 1] * K})


def test_6_what_is_learned():
    p = [0.6, 0.4] @ np.stack([ROW, np.roll(ROW, 1)])
    power = np.log(1.5) / np.log(p[0] / p[1])
    says(6, **{"0.556667": p[0], "0.376667": p[1], "0.016667": p[2], "1.0380": power})
    says(6, **{"-6.13": -100 * EPS * (0.78 - 1 / K)})


def test_6_the_example_is_that_of_notebook_07():
    table = numbers("07", "nb07-s09-03", (0, 1, 5, 3))  # ε, accuracy, conf − acc, ECE
    hard, smoothed = (next(row for row in table if row[0] == eps) for eps in (0, EPS))
    points = {"5.9": hard[2], "12.6": hard[2] - smoothed[2], "6.7": -smoothed[2]}
    points["3.4"] = EPS * (hard[1] - 1 / K) / 2
    says(6, **{written: 100 * share for written, share in points.items()})
    assert "half the price 3.4, and the ECE went from 6.6 to 8.1 %" in TEXT
    assert (hard[3], smoothed[3]) == (0.066, 0.081)


def test_7_to_10():
    says(7, **{"3.3394": 5 / 6 * np.log(55)})
    right = np.arange(101)
    exact = (stats.binom.pmf(right, 100, 0.8) * abs(right / 100 - 0.8)).sum()
    says(8, **{"0.0319": np.sqrt(2 * 0.8 * 0.2 / (np.pi * 100)), "0.0318": exact})
    factor = np.sqrt((1 / 20 + 783 / 100) / (1 / 20))
    says(9, **{"2.093": stats.t.ppf(0.975, 19), "12.55": factor})
    moved = 8192 * 128256 * 4
    says(10, **{"4.20": moved / 1e9, "1.05": moved / 4e12 * 1e3})


def test_numbers_in_the_short_answers():
    table = "\n".join(" ".join(line) for line in rows(TEXT))
    for words, true in {
        "sums to 0.9833": 1 - EPS / K,
        "gap of 2.9": np.log(19),
        "and of 9.1": np.log(9001),
        "the target, 0.4210": stats.entropy(ROW),
        "equals the target: 4.0073": np.log(55),
        "0.9 · 0.76 = 0.316": 1 - 0.9 * 0.76,
        "= 6.1 points": 100 * EPS * (0.78 - 1 / K),
    }.items():
        assert words in table, words
        written = re.findall(r"\d+\.\d+", words)[-1]
        assert round(true, len(written.partition(".")[2])) == float(written)
