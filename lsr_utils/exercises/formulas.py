"""Exercises to notebooks 00 and 01: what moves, and the formulas."""

import math

from ..targets import minimum_loss as lowest
from .engine import sign


class E00_1:
    """the label moves. The image and the weights are what they were.

    image: nothing happens to the image. Blurring or cropping it would be data
        augmentation; the word in the call says *label* (00 section 1).
    noise: nothing is drawn at random. The label is the same in every step, with a
        little of it on every class (00 section 2).
    weights: that would be weight decay. Label smoothing leaves the weights alone, and
        changes what they are trained towards (00 section 1).
    """

    right = "d"
    image = "a"
    noise = "b"
    weights = "c"


class E00_2:
    """only the right panel shows something that was trained.

    target: the left panel is the label: it is known before there is a network
        (00 section 2).
    loss: the middle panel is a formula: the loss that a gap would have. No network was
        trained for it (00 section 2).
    all_three: only one of them needed training. The other two follow from the label
        alone (00 section 2).
    """

    right = 3
    target = 1
    loss = 2
    all_three = 123


class E00_3:
    """these are the lectures that hold your answers.

    order: the right lectures, in another order. Keep the order of the questions
        (00 section 3).
    gains: (a) asks what to do, all things weighed. 04 only asks whether accuracy rises
        (00 section 3).
    clusters: (c) asks what happens inside the network, to the features of a class. 03
        shows the loss and the logits (00 section 3).
    price: (b) asks how a confidence is measured. What smoothing costs in it comes
        later, in 08 (00 section 3).
    """

    right = [8, 6, 5, 4]
    order = sign(lambda said: sorted(said.tolist()) == [4, 5, 6, 8])
    gains = sign(lambda said: said[0] == 4)
    clusters = sign(lambda said: said[2] == 3)
    price = sign(lambda said: said[1] == 8)


class E01_row:
    """0.9167 for the deer, 0.0167 for each of the others.

    no_share: this adds up to 1.1. What the others get has to leave the deer: the
        one-hot row keeps only the share 1−ε (01 section 2).
    others_only: you spread ε over the five others. It goes to all six, the deer
        included (01 section 2).
    literal_text: this sums to 0.9833. The deer also gets its own ε/K (01 section 2).
    """

    right = [55 / 60 if k == 2 else 1 / 60 for k in range(6)]
    tol = 1e-4
    no_share = [61 / 60 if k == 2 else 1 / 60 for k in range(6)]
    others_only = [0.9 if k == 2 else 0.02 for k in range(6)]
    literal_text = [0.9 if k == 2 else 1 / 60 for k in range(6)]


class E01_gap:
    """ln 55: the logarithm of the ratio 0.9167 / 0.0167.

    ratio: 55 is the ratio of the two probabilities. The logits differ by its logarithm
        (01 section 5).
    difference: this is the difference of the two probabilities. The logits differ by
        the logarithm of their ratio (01 section 5).
    minus: the size is right, the sign is not: the deer lies above the others
        (01 section 5).
    log10: this is a logarithm to base 10. The softmax uses e (01 section 5).
    """

    right = math.log(55)
    ratio = 55.0
    difference = 0.9
    minus = -math.log(55)
    log10 = math.log10(55)


class E01_1:
    """both conventions then give the same rows, at every K.

    unchanged: this passes ε on as it is. PyTorch gives ε/K of it back to the true
        class, so the same ε means other rows there (01 section 3).
    inverse: this is the way back, from PyTorch's ε to the paper's. Compare the mass of
        one other class in both conventions (01 section 3).
    six_built_in: right at K = 6 only: the factor 1.2 is K/(K−1) there, and another
        number at every other K (01 section 3).
    two_built_in: right at K = 2 only: the factor 2 is K/(K−1) there, and another number
        at every other K (01 section 3).
    literal_text: this converts the row 1−ε and ε/K, which does not sum to 1. The paper
        of the exercise spreads ε over the K−1 others (01 section 3).
    """

    right = lambda eps, k: eps * k / (k - 1)
    cases = lambda: [(0.1, 6), (0.1, 2), (0.3, 10), (0.0, 4)]
    unchanged = lambda eps, k: eps
    inverse = lambda eps, k: eps * (k - 1) / k
    six_built_in = lambda eps, k: 1.2 * eps
    two_built_in = lambda eps, k: 2 * eps
    literal_text = lambda eps, k: eps / (1 - eps / k)


class E01_2_row:
    """the true class keeps 1−ε+ε/K, each other class gets ε/K.

    others_only: you spread ε over the K−1 others. PyTorch spreads it over all K, the
        true class included (01 section 3).
    no_distribution: the row does not sum to 1: it is not a distribution. What leaves
        the true class has to arrive somewhere (01 section 3).
    wrong_class: the right numbers, but the true class is number 2, counted from 0: the
        third place (01 section 1).
    """

    right = [0.05, 0.05, 0.85, 0.05]
    others_only = [0.2 / 3, 0.2 / 3, 0.8, 0.2 / 3]
    no_distribution = sign(lambda row: abs(sum(row) - 1) > 2e-3)
    wrong_class = [0.05, 0.85, 0.05, 0.05]


class E01_2_floor:
    """the least loss is the entropy of the target.

    true_class_only: this is −0.85 ln 0.85, the term of the true class. The three other
        classes have a term each (01 section 4).
    nll: this is −ln 0.85: the loss of a one-hot label. The target here has four terms,
        each with its own weight (01 section 4).
    bits: this is in bits. The course and PyTorch use nats (01 section 4).
    others: this is the floor when ε goes to the K−1 others. PyTorch spreads it over all
        K (01 section 4).
    zero: zero is the least loss of a one-hot label. With a smoothed label no network
        gets that low (01 section 4).
    """

    right = -0.85 * math.log(0.85) - 3 * 0.05 * math.log(0.05)
    true_class_only = -0.85 * math.log(0.85)
    nll = -math.log(0.85)
    bits = right / math.log(2)
    others = -0.8 * math.log(0.8) - 0.2 * math.log(0.2 / 3)
    zero = 0.0


class E01_2_gap:
    """ln(1 + K(1−ε)/ε) is ln 17 here: a finite gap.

    literal_text: this is ln 16, the gap of the row 1−ε and ε/K. The true class also
        keeps its own share ε/K (01 section 5).
    others: this is ln 12, the gap when ε goes to the K−1 others (01 section 5).
    ratio: this is the ratio of the two probabilities. A logit gap is the logarithm of
        that ratio (01 section 5).
    difference: this is the difference of the two probabilities. Logits differ by the
        logarithm of their ratio (01 section 5).
    infinite: an infinite gap is what a one-hot label asks for. With ε above 0 the loss
        turns up again behind a finite one (01 section 5).
    """

    right = math.log(17)
    literal_text = math.log(16)
    others = math.log(12)
    ratio = 17.0
    difference = 0.8
    infinite = math.inf


class E01_2_eps:
    """say the confidence first, and ε follows.

    one_minus: this is 1 − confidence, right if nothing came back to the true class. It
        also gets ε/K, so ε may be a little larger (01 section 2).
    other_way: this solves 1 − ε + ε/K = c with K/(K−1) upside down. Put your ε in: the
        true class ends above the wanted confidence (01 section 6).
    confidence_of: this is the confidence that belongs to an ε. Here the confidence is
        given and ε is wanted: solve for it (01 section 6).
    """

    right = lambda confidence, k: (1 - confidence) * k / (k - 1)
    cases = lambda: [(0.9, 6), (0.95, 2), (0.8, 100), (1.0, 5)]
    one_minus = lambda confidence, k: 1 - confidence
    other_way = lambda confidence, k: (1 - confidence) * (k - 1) / k
    confidence_of = lambda confidence, k: 1 - confidence + confidence / k


class E01_3_excess:
    """0.029 and 0.05: each loss minus its own floor.

    as_trained: these are the two losses. What cannot be reached by any network, the
        floor, comes off first (01 section 4).
    minus_eps: you took ε away. The floor is not ε, it is the entropy of the row
        (01 section 4).
    same_floor: you took one floor away from both. A one-hot label has the floor 0
        (01 section 4).
    order: the right numbers in the other order: smoothed first (01 section 4).
    """

    right = [0.45 - lowest(0.1, 6), 0.05]
    as_trained = [0.45, 0.05]
    minus_eps = [0.35, 0.05]
    same_floor = [right[0], 0.05 - lowest(0.1, 6)]
    order = right[::-1]


class E01_3_better:
    """less is left above its floor, although its number is nine times as large.

    lower_number: 0.05 is the lower number, and the two numbers have different floors
        (01 section 4).
    loss_itself: this is a loss. Answer with an ε, 0.1 or 0 (01 section 4).
    """

    right = 0.1
    lower_number = 0.0
    loss_itself = 0.45


class E01_3_gaps:
    """one gap too small and one too large: the loss cannot tell them apart.

    one_side: both numbers are the same. The curve crosses 0.45 twice, once on each side
        of its lowest point (01 section 5).
    order: the right gaps, the larger one first (01 section 5).
    one_hot: one of these solves −ln p = 0.45, the one-hot loss. The smoothed loss is
        ln(e^g + K − 1) − a·g, where a is the deer's target (01 section 5).
    lowest: ln 55 is where the loss is least, 0.421. You are asked where it is 0.45
        (01 section 5).
    """

    right = [3.2256, 5.0039]
    one_side = sign(lambda gaps: abs(gaps[0] - gaps[1]) < 0.05)
    order = right[::-1]
    one_hot = sign(lambda gaps: (abs(gaps - 2.1747) < 5e-3).any())
    lowest = sign(lambda gaps: (abs(gaps - math.log(55)) < 5e-3).any())
