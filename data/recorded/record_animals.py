"""Train residual networks on the six animals, and store what they say.

    python data/recorded/record_animals.py                 half the images, CPU: 1.5 h
    python data/recorded/record_animals.py --device cuda   all images, larger networks

Hard targets and three eps, several seeds each. Within a seed the networks share
training images, initial weights, batches and distortions. Written, after each seed:

    data/recorded/animals.json   where from, the recipe, and a table of the networks
    data/recorded/animals.npz    log-probabilities of validation and test images,
                                 features of some of them, weights of the last layer

The images come from ``datasets.load("animals")``: downloaded when they are not there.
"""

import argparse
import os
import pathlib
import sys

import numpy as np
import pandas as pd
import torch
from provenance import ROOT, provenance
from record import as_text, plain
from torch import nn

from lsr_utils import datasets, geometry
from lsr_utils.losses import LabelSmoothingCrossEntropy

EPS = (0.0, 0.05, 0.1, 0.2)
VALIDATION = 2000  # of the 30,000 training images: the same for all networks
FEATURES_OF = 100  # images a class, of each part, for the first seed
BATCH = 128
RECIPES = {
    "full": {
        "train": 28_000, "epochs": 16, "widths": (64, 128, 256), "stride": 1,
        "lr": 0.2, "weight_decay": 5e-4, "shift": 4,
    },
    "small": {
        "train": 14_000, "epochs": 28, "widths": (32, 64, 128), "stride": 2,
        "lr": 0.2, "weight_decay": 5e-4, "shift": 4,
    },
    # Trained to the end: training images are fitted, and three classes drawn.
    "fitted": {
        "train": 28_000, "epochs": 60, "widths": (64, 128, 256), "stride": 1,
        "lr": 0.2, "weight_decay": 0.0, "shift": 0, "plane": (2, 4, 5),
    },
    "dry": {  # of gpu.py --dry-run
        "train": 256, "epochs": 1, "widths": (4, 8), "stride": 2,
        "lr": 0.2, "weight_decay": 0.0, "shift": 0, "plane": (2, 4, 5),
    },
}  # fmt: skip


def convolution(fan_in, fan_out, size, stride=1):
    """A convolution with batch normalisation behind it: two layers."""
    layer = nn.Conv2d(fan_in, fan_out, size, stride, size // 2, bias=False)
    return layer, nn.BatchNorm2d(fan_out)


class Residual(nn.Module):
    """Two convolutions with batch normalisation, added to what came in.

    He et al. 2016, figure 2. Where depth or size change, what came in passes a
    convolution of one pixel.
    """

    def __init__(self, fan_in, fan_out, stride=1):
        super().__init__()
        self.body = nn.Sequential(
            *convolution(fan_in, fan_out, 3, stride),
            nn.ReLU(),
            *convolution(fan_out, fan_out, 3),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or fan_in != fan_out:
            self.shortcut = nn.Sequential(*convolution(fan_in, fan_out, 1, stride))

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet(nn.Module):
    """Small residual network for images: logits (N, 6), and features like the others.

    A convolution, then a residual block for each width; every block but the first
    halves the size. The feature width D is the last width. He et al. 2016, section 4.2.

    channels : of an image
    widths   : channels of each block
    stride   : of the first convolution; 2 makes everything four times cheaper
    """

    def __init__(self, channels, widths, stride):
        super().__init__()
        first = convolution(channels, widths[0], 3, stride)
        layers = [*first, nn.ReLU(), Residual(widths[0], widths[0])]
        for fan_in, fan_out in zip(widths, widths[1:], strict=False):
            layers.append(Residual(fan_in, fan_out, stride=2))
        self.body = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(widths[-1], 6)

    def features(self, x):
        """Penultimate features: (N, C, H, W) to (N, D)."""
        return self.body(x)

    def forward(self, x):
        return self.head(self.features(x))


class Distorted:
    """Batches of images, some of them mirrored, each shifted by a few pixels."""

    def __init__(self, x, shift):
        # Channels last: pixels of a batch are gathered so, and convolutions like it.
        self.padded = torch.nn.functional.pad(x, [shift] * 4).permute(0, 2, 3, 1)
        self.padded, self.size = self.padded.contiguous(), x.shape[-1]
        self.shift = shift

    def __call__(self, rows, generator):
        """Images (B, C, H, W) of some rows; the draws depend on the generator alone."""
        places = torch.arange(self.size).repeat(len(rows), 1)
        mirrored = torch.rand(len(rows), 1, generator=generator) < 0.5
        across = torch.where(mirrored, places.flip(1), places)
        moved = torch.randint(
            2 * self.shift + 1, (2, len(rows), 1), generator=generator
        )
        down, across = places + moved[0], across + moved[1]
        here = self.padded.device
        rows, down, across = rows.to(here), down.to(here), across.to(here)
        batch = self.padded[rows[:, None, None], down[:, :, None], across[:, None, :]]
        return batch.permute(0, 3, 1, 2)


def train(data, validation, recipe, eps, seed):
    """One network, trained; and its history, a dict a pass over the images."""
    torch.manual_seed(seed)
    network = ResNet(data.x.shape[1], recipe["widths"], recipe["stride"])
    here = data.x.device
    network = network.to(here).to(memory_format=torch.channels_last)
    loss_fn = LabelSmoothingCrossEntropy(eps)
    images = Distorted(data.x, recipe["shift"])
    generator = torch.Generator().manual_seed(seed)
    steps = len(data) // BATCH
    optimiser = torch.optim.SGD(
        network.parameters(), recipe["lr"], momentum=0.9, nesterov=True,
        weight_decay=recipe["weight_decay"],
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe["lr"], total_steps=recipe["epochs"] * steps, pct_start=0.15
    )
    history = []
    for epoch in range(1, recipe["epochs"] + 1):
        order = torch.randperm(len(data), generator=generator)[: steps * BATCH]
        total = torch.zeros((), device=here)
        for rows in order.view(-1, BATCH):
            x, y = images(rows, generator), data.y[rows.to(here)]
            with torch.autocast(here.type, torch.bfloat16):
                logits = network(x)
            loss = loss_fn(logits.float(), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.detach()
        log_p, _ = answers(network, validation.x)
        right = (log_p.argmax(1) == validation.y.cpu()).double().mean()
        nll = torch.nn.functional.nll_loss(log_p, validation.y.cpu())
        history.append(
            {"seed": seed, "eps": eps, "epoch": epoch, "loss": total.item() / steps,
             "validation_nll": nll.item(), "validation_accuracy": right.item()}
        )  # fmt: skip
    return network, history


@torch.no_grad()
def answers(network, x):
    """Log-probabilities (N, 6) and features (N, D) of images, float32 on the CPU."""
    network.eval()
    found = []
    for part in x.split(500):
        part = part.contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, torch.bfloat16):
            h = network.features(part)
        h = h.float()
        found.append((network.head(h).log_softmax(1).cpu(), h.cpu()))
    network.train()
    log_p, features = (torch.cat(parts) for parts in zip(*found, strict=True))
    return log_p, features


def first_of_each_class(y):
    """Rows of the first images of each class, class by class."""
    return torch.cat([(y == k).nonzero()[:FEATURES_OF, 0] for k in range(6)])


def examine(network, parts):
    """What a trained network says: a row of the table, and arrays to store.

    parts : name to SixClass: "train", "validation" and "test"
    """
    row, arrays = {}, {}
    for name, data in parts.items():
        y = data.y.cpu()
        log_p, h = answers(network, data.x)
        row[f"accuracy_{name}"] = (log_p.argmax(1) == y).double().mean().item()
        row[f"confidence_{name}"] = log_p.exp().amax(1).double().mean().item()
        row[f"nll_{name}"] = torch.nn.functional.nll_loss(log_p, y).item()
        row[f"ratio_{name}"] = geometry.scatter(h, y).ratio.item()
        if name != "train":
            arrays[f"log_p_{name}"] = log_p.half().numpy()
        if name != "validation":
            arrays[f"features_{name}"] = h[first_of_each_class(y)].half().numpy()
    arrays["weight"] = network.head.weight.detach().cpu().numpy()
    arrays["bias"] = network.head.bias.detach().cpu().numpy()
    return row, arrays


def in_plane(network, data, triple):
    """Training images of three classes in their template plane, and the classes."""
    _, h = answers(network, data.x)
    y = data.y.cpu()
    shown = torch.isin(y, torch.tensor(triple))
    head = network.head
    plane = geometry.template_plane(head.weight.cpu(), triple, head.bias.cpu())
    at = plane.project(h[shown]).half().numpy()
    return {"plane_train": at, "plane_y": y[shown].numpy().astype(np.uint8)}


def stacked(runs, parts):
    """The arrays of all networks, (seeds, eps, ...), and the labels they go with."""
    arrays = {
        name: np.stack([[arrays[name] for arrays in of_seed] for of_seed in runs])
        for name in runs[0][0]
    }
    for name in ("features_train", "features_test"):
        arrays[name] = arrays[name][0]  # of the first seed
    labels = {f"y_{name}": parts[name].y.cpu() for name in ("validation", "test")}
    # The same number of each class, class by class, whichever images they are.
    labels["y_features"] = torch.arange(6).repeat_interleave(FEATURES_OF)
    labels = {name: y.numpy().astype(np.uint8) for name, y in labels.items()}
    return {"eps": np.array(EPS), **labels, **arrays}


def record(recipe, seeds, device, write):
    """Train all networks, seed by seed; ``write`` what there is after each seed."""
    data = datasets.load("animals").to(device)
    test = datasets.load("animals", part="test").to(device)
    order = torch.as_tensor(np.random.default_rng(0).permutation(len(data)))
    validation, rest = data[order[:VALIDATION]], order[VALIDATION:]
    table, history, runs = [], [], []
    for seed in range(seeds):
        # Where not all images are taken, each seed has others.
        mine = np.random.default_rng([seed, 1]).permutation(rest)[: recipe["train"]]
        parts = {"train": data[mine], "validation": validation, "test": test}
        runs.append([])
        for eps in EPS:
            network, passes = train(parts["train"], validation, recipe, eps, seed)
            row, arrays = examine(network, parts)
            if "plane" in recipe:
                arrays |= in_plane(network, parts["train"], recipe["plane"])
            row = {"seed": seed, "eps": eps, **row}
            print(*(f"{name} {value:.4g}" for name, value in row.items()), flush=True)
            history += passes
            table.append(row)
            runs[-1].append(arrays)
        tables = {"networks": pd.DataFrame(table), "history": pd.DataFrame(history)}
        write(stacked(runs, parts), tables, data.variant, seed + 1)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--recipe", choices=RECIPES, help="full on cuda, else small")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--out", type=pathlib.Path, help="folder to write to")
    options = parser.parse_args(arguments)
    if options.seeds < 1:
        parser.error(f"--seeds must be at least 1, got {options.seeds}.")
    torch.set_num_threads(1)
    name = options.recipe or ("full" if options.device == "cuda" else "small")
    out = options.out or ROOT / "data" / "recorded"
    out.mkdir(parents=True, exist_ok=True)
    command = f"python data/recorded/record_animals.py --device {options.device}"
    made_by = provenance(f"{command} --recipe {name}", options.device)

    def write(arrays, tables, variant, seeds):
        made = {
            "experiment": "animals",
            "data": f"six animals of CIFAR-10, {variant}",
            "recipe": name,
            **RECIPES[name],
            "precision": "bfloat16 autocast",
            "seeds": seeds,
            **made_by,
            "command": f"{made_by['command']} --seeds {seeds}",
            "threads": torch.get_num_threads(),
            **plain(tables),
        }
        # Under other names first: what is there then belongs together.
        np.savez_compressed(out / "new.npz", **arrays)
        (out / "new.json").write_text(as_text(made), encoding="utf-8")
        for ending in ("npz", "json"):
            os.replace(out / f"new.{ending}", out / f"animals.{ending}")
        sizes = {path.name: path.stat().st_size for path in out.glob("animals.*")}
        print(sizes, flush=True)

    record(RECIPES[name], options.seeds, options.device, write)


if __name__ == "__main__":
    sys.exit(main())
