"""Networks that write a string: perplexity, and whole strings. Taught in 08c."""

import pandas as pd
import torch

from .. import fleet, training
from .advice import scores

SYMBOLS, LENGTH, UNITS, STRINGS, STEPS = 10, 5, 48, 2000, 1000


def strings(n, seed):
    """What is read (n, L + 2): copy or reverse, symbols, end; what to write (n, L)."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(SYMBOLS, (n, LENGTH), generator=generator)
    back = torch.randint(2, (n, 1), generator=generator)
    read = torch.cat([back + SYMBOLS, x, torch.full((n, 1), SYMBOLS + 2)], 1)
    return read, torch.where(back > 0, x.flip(1), x)


class Writers:
    # M recurrent networks (GRU) with a linear head. Taught in 08c.
    def __init__(self, seeds):
        sizes = (SYMBOLS + 3, UNITS), (UNITS, UNITS), (1, UNITS)
        sizes = [(a, 3 * b) for a, b in sizes] + [(UNITS, SYMBOLS), (1, SYMBOLS)]
        own = [torch.Generator().manual_seed(seed) for seed in seeds]
        drawn = ([torch.randn(size, generator=g) for g in own] for size in sizes)
        self.weights = [(torch.stack(w) / 7).requires_grad_() for w in drawn]

    def states(self, tokens, h=0.0):
        """State (M, B, H) after each of the tokens (M, B, T): a list."""
        table, recurrent, bias = self.weights[:3]
        found = [h + torch.zeros(*tokens.shape[:2], UNITS)]
        for token in tokens.unbind(-1):
            new = table[torch.arange(len(token)).unsqueeze(1), token].split(UNITS, -1)
            old = torch.baddbmm(bias, found[-1], recurrent).split(UNITS, -1)
            mixed = (new[2] + (new[0] + old[0]).sigmoid() * old[2]).tanh()
            found.append(found[-1].lerp(mixed, (new[1] + old[1]).sigmoid()))
        return found[1:]

    def logits(self, read, answer):
        """Logits (M, L B, K) of all symbols, each after the right ones before it."""
        h = torch.cat(self.states(torch.cat([read, answer[..., :-1]], -1))[-LENGTH:], 1)
        return torch.baddbmm(self.weights[4], h, self.weights[3])

    def write(self, read, width):
        """The likeliest answer (M, B, L) by beam search; a width of 1 is greedy."""
        lead, h = (*read.shape[:2], width), self.states(read)[-1]
        h, said = h.repeat_interleave(width, 1), torch.empty(*lead, 0).long()
        score = torch.tensor([0.0] + [-1e9] * (width - 1)).expand(lead)
        for _ in range(LENGTH):
            log_p = torch.baddbmm(self.weights[4], h, self.weights[3]).log_softmax(-1)
            log_p = (score.unsqueeze(-1) + log_p.view(*lead, SYMBOLS)).flatten(2)
            score, best = log_p.topk(width)
            best = best.unsqueeze(-1)
            h = h.view(*lead, UNITS).take_along_dim(best // SYMBOLS, 2).flatten(1, 2)
            kept = said.take_along_dim(best // SYMBOLS, 2)
            said = torch.cat([kept, best % SYMBOLS], -1)
            (h,) = self.states(said[..., -1:].flatten(1, 2), h)
        return said[:, :, 0]


def written(seeds, lr):
    """Train on 2,000 strings, measure on new ones: DataFrame. Taught in 08c."""
    rows = fleet.grid(eps=[0.0, 0.1], seed=seeds).assign(lr=lr)
    which, networks = torch.arange(len(rows)) % len(seeds), Writers(rows["seed"])
    eps = torch.tensor(rows["eps"]).float().unsqueeze(1)
    optimiser = torch.optim.Adam(networks.weights, lr=lr, fused=True)
    own = [strings(STRINGS, seed) for seed in seeds]
    read, answer = (torch.stack(part) for part in zip(*own, strict=True))
    orders = [training.batches(STRINGS, 64, STEPS, seed) for seed in seeds]
    for batch in zip(*orders, strict=True):
        at = which.unsqueeze(1), torch.stack(batch)[which]
        z, y = networks.logits(read[at], answer[at]), answer[at].mT.flatten(1)
        optimiser.zero_grad()
        fleet.smoothed_cross_entropy(z, y, eps).mean(1).sum().backward()
        optimiser.step()
    with torch.no_grad():  # on the same strings for all
        drawn = (strings(1000, seed) for seed in (10_000, 20_000))
        parts = [[v.expand(len(rows), -1, -1) for v in part] for part in drawn]
        said = [(networks.logits(x, y), y.mT.flatten(1)) for x, y in parts]
        rows, (x, y) = rows.join(scores(*said)), parts[1]
        for name, width in (("greedy", 1), ("beam", 4)):
            rows[name] = (networks.write(x, width) == y).all(-1).double().mean(1)
    return rows


def when_not_to(seeds):
    """The runs of ``data/recorded/when_not_to.json``. Taught in 08c."""
    return {"written": pd.concat([written(seeds, lr) for lr in (0.005, 0.01, 0.02)])}
