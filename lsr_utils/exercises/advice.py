"""Exercises to notebook 08, the price and what to do, and its two lines to fill in."""

import numpy as np
import pandas as pd


class E08_price:
    """the answer's own ε/K comes back, so ε(acc − 1/K) is lost (08.1).
    eps_itself: ε is what is mixed in. The confidence falls from acc towards 1/K.
    no_part: the answer gets its part of ε back: subtract 1/K.
    clear: this takes every answer as certain. The mean certainty is the accuracy.
    """

    right = lambda eps, acc, K: eps * (acc - 1 / K)
    eps_itself = lambda eps, acc, K: eps
    no_part = lambda eps, acc, K: eps * acc
    clear = lambda eps, acc, K: eps * (1 - 1 / K)
    cases = lambda: [(0.1, 0.78, 6), (0.2, 0.9, 10), (0.05, 0.7, 2)]


class E08_regret:
    """each setting has a least NLL of its own, and the worst setting counts (08.5).
    to_one_hot: this compares with ε = 0. Regret is what the *best* ε would have saved.
    mean: the mean over the settings. The worst one is asked for: max.
    of_columns: settings cannot be compared. The least of each *row*: axis=1.
    """

    right = lambda nll: nll.sub(nll.min(axis=1), axis=0).max()
    to_one_hot = lambda nll: nll.sub(nll.iloc[:, 0], axis=0).max()
    mean = lambda nll: nll.sub(nll.min(axis=1), axis=0).mean()
    of_columns = lambda nll: (nll - nll.min()).max()
    cases = lambda: [(pd.DataFrame(np.random.default_rng(5).random((5, 4))),)]


class E08_1:
    """at two classes the price is ε(acc − 1/2) (08.1).
    eps_itself: ε is what is mixed in, and half of it goes to the answer itself.
    no_part: you forgot the 1/K. The answer gets its part of ε back.
    clear: this takes every input as clear. The accuracy says that they are not.
    six_classes: this is for six classes. Here there are two.
    """

    right, eps_itself, no_part = -0.1 * (0.9 - 1 / 2), -0.1, -0.1 * 0.9
    clear, six_classes = -0.1 / 2, -0.1 * (0.9 - 1 / 6)


class E08_2_smooth:
    """over half the price allows smoothing, and promises nothing (08.3).
    better: over half the price is not enough: networks pay the price or more.
    worse: 4 is more than half of 6, so it may help: measure.
    """

    right, better, worse = "cab"


class E08_2_left:
    """it was too sure by 4, and is too modest by 5 (08.3).
    paid_once: the price is the *least*. This network pays 1.5 times as much.
    """

    right, paid_once = 4 - 1.5 * 6, 4 - 6


class E08_3:
    """chosen by the students, over all seeds, with ε = 0 in the list (08.7).
    by_teacher: this is the best *teacher* by its own accuracy. Students are wanted.
    luckiest: the best single student is luck. Average over the seeds first (04.1).
    without_zero: ε = 0, column 0, is a candidate as well.
    """

    right = lambda teacher, student: student.mean(0).argmax()
    by_teacher = lambda teacher, student: teacher.mean(0).argmax()
    luckiest = lambda teacher, student: student.max(0).argmax()
    without_zero = lambda teacher, student: student[:, 1:].mean(0).argmax() + 1

    def cases():
        teacher = np.array([[0.90, 0.91, 0.93, 0.92], [0.91, 0.92, 0.93, 0.92]])
        student = np.array([[0.90, 0.88, 0.87, 0.93], [0.91, 0.90, 0.87, 0.80]])
        return [(teacher, student), (teacher, student[:, [1, 0, 3, 2]])]
