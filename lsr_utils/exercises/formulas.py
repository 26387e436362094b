"""Exercises to notebooks 00 and 01: what moves, and the formulas."""

import math

from ..targets import minimum_loss as lowest
from .engine import sign


class E00_1:
    """the label moves. The image and the weights are what they were (00.1).
    image: nothing happens to the image. The word in the call says *label*.
    noise: nothing is drawn at random. The label is the same in every step (00.2).
    weights: that would be weight decay. Label smoothing leaves the weights alone.
    """

    right, image, noise, weights = "dabc"


class E00_2:
    """only the right panel shows something that was trained (00.2).
    target: the left panel is the label: it is known before there is a network.
    loss: the middle panel is a formula, the loss of a gap. No network made it.
    all_three: only one needed training. The other two follow from the label.
    """

    right, target, loss, all_three = 3, 1, 2, 123


class E00_3:
    """these are the lectures that hold your answers (00.3).
    gains: (a) asks what to do, all things weighed. 04 only asks whether accuracy rises.
    clusters: (c) asks for the features of a class. 03 shows the loss and the logits.
    price: (b) asks how a confidence is measured. 08 comes later: what it costs.
    """

    right = [8, 6, 5, 4]
    gains = sign(lambda said: said[0] == 4)
    clusters = sign(lambda said: said[2] == 3)
    price = sign(lambda said: said[1] == 8)


class E01_row:
    """0.9167 for the deer, 0.0167 for each of the others (01.2).
    no_share: this adds up to more than 1. What the others get has to leave the deer.
    others_only: ε goes to all six classes, the deer included, not to five.
    literal_text: this sums to 0.9833. The deer also gets its own ε/K.
    """

    right = [55 / 60 if k == 2 else 1 / 60 for k in range(6)]
    tol = 1e-4
    no_share = sign(lambda row: 1.05 < sum(row) < 2)
    others_only = [0.9 if k == 2 else 0.02 for k in range(6)]
    literal_text = [0.9 if k == 2 else 1 / 60 for k in range(6)]


class E01_gap:
    """ln 55: the logarithm of the ratio 0.9167 / 0.0167 (01.5).
    ratio: 55 is the ratio of the two probabilities. The logits differ by its logarithm.
    difference: this is a difference. Logits differ by the logarithm of a ratio.
    """

    right, others, ratio, difference = math.log(55), math.log(45), 55.0, 0.9


class E01_1:
    """both conventions then give the same rows, at every K (01.3).
    unchanged: this passes ε on as it is. PyTorch gives ε/K back to the true class.
    inverse: this is the way back, from PyTorch's ε to the paper's.
    two_built_in: right at K = 2 only: the factor 2 is K/(K−1) there.
    literal_text: 1−ε and ε/K do not sum to 1. The paper spreads ε over K−1 others.
    """

    right = lambda eps, k: eps * k / (k - 1)
    cases = lambda: [(0.1, 6), (0.1, 2), (0.3, 10), (0.0, 4)]
    unchanged = lambda eps, k: eps
    inverse = lambda eps, k: eps * (k - 1) / k
    six_built_in = lambda eps, k: 1.2 * eps
    two_built_in = lambda eps, k: 2 * eps
    literal_text = lambda eps, k: eps / (1 - eps / k)


class E01_2_row:
    """the true class keeps 1−ε+ε/K, each other class gets ε/K (01.3).
    others_only: you spread ε over the K−1 others. PyTorch spreads it over all K.
    no_distribution: the row does not sum to 1: it is not a distribution.
    wrong_class: the true class is number 2, counted from 0: the third place (01.1).
    """

    right = [0.05, 0.05, 0.85, 0.05]
    others_only = [0.2 / 3, 0.2 / 3, 0.8, 0.2 / 3]
    no_distribution = sign(lambda row: abs(sum(row) - 1) > 2e-3)
    wrong_class = [0.05, 0.85, 0.05, 0.05]


class E01_2_floor:
    """the least loss is the entropy of the target (01.4).
    true_class_only: this is the term of the true class. The others have one each.
    nll: this is −ln 0.85, the loss of a one-hot label. The target has four terms.
    zero: no network gets that low with a smoothed label, only with one-hot.
    """

    right = -0.85 * math.log(0.85) - 3 * 0.05 * math.log(0.05)
    true_class_only, nll, zero = -0.85 * math.log(0.85), -math.log(0.85), 0.0
    others = -0.8 * math.log(0.8) - 0.2 * math.log(0.2 / 3)


class E01_2_gap:
    """ln(1 + K(1−ε)/ε) is ln 17 here: a finite gap (01.5).
    literal_text: this is ln 16. The true class also keeps its own share ε/K.
    ratio: this is the ratio of the two probabilities. Take its logarithm.
    difference: this is a difference. Logits differ by the logarithm of a ratio.
    infinite: a one-hot label asks for that. With ε above 0 the gap is finite.
    """

    right, literal_text, others = math.log(17), math.log(16), math.log(12)
    ratio, difference, infinite = 17.0, 0.8, math.inf


class E01_2_eps:
    """say the confidence first, and ε follows (01.6).
    one_minus: the true class also gets ε/K, so ε may be a little larger (01.2).
    other_way: K/(K−1) is upside down here. Put your ε in and see (01.6).
    confidence_of: this is the confidence that belongs to an ε: solve for ε (01.6).
    """

    right = lambda confidence, k: (1 - confidence) * k / (k - 1)
    cases = lambda: [(0.9, 6), (0.95, 2), (0.8, 100), (1.0, 5)]
    one_minus = lambda confidence, k: 1 - confidence
    other_way = lambda confidence, k: (1 - confidence) * (k - 1) / k
    confidence_of = lambda confidence, k: 1 - confidence + confidence / k


class E01_3_excess:
    """0.029 and 0.05: each loss minus its own floor (01.4).
    as_trained: these are the two losses. The floor comes off first.
    minus_eps: you took ε away. The floor is not ε, it is the entropy of the row.
    same_floor: you took one floor away from both. A one-hot label has the floor 0.
    """

    right = [0.45 - lowest(0.1, 6), 0.05]
    as_trained = [0.45, 0.05]
    minus_eps = [0.35, 0.05]
    same_floor = [right[0], 0.05 - lowest(0.1, 6)]


class E01_3_better:
    """less is left above its floor, although its number is nine times as large (01.4).
    lower_number: 0.05 is the lower number, and the two numbers have different floors.
    loss_itself: this is a loss. Answer with an ε, 0.1 or 0.
    """

    right, lower_number, loss_itself = 0.1, 0.0, 0.45


class E01_3_gaps:
    """one gap too small and one too large: the loss cannot tell them apart (01.5).
    one_side: both numbers are the same. The curve crosses 0.45 twice.
    one_hot: one of these solves −ln p = 0.45, the one-hot loss.
    lowest: ln 55 is where the loss is least, 0.421.
    """

    right = [3.2256, 5.0039]
    one_side = sign(lambda gaps: abs(gaps[0] - gaps[1]) < 0.05)
    one_hot = sign(lambda gaps: (abs(gaps - 2.1747) < 5e-3).any())
    lowest = sign(lambda gaps: (abs(gaps - math.log(55)) < 5e-3).any())
