"""Two layers learn XOR, which one layer cannot.

    python examples/xor.py [FOLDER]

writes the weights (xor.safetensors) and a drawing (xor.svg) into FOLDER (the current one if none is given).
"""

import argparse
from pathlib import Path

import minigrad as mg
from minigrad import nn

INPUTS = mg.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGETS = mg.tensor([[0.0], [1.0], [1.0], [0.0]])


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))


def train(model: nn.Module, steps: int) -> mg.Tensor:
    optimizer = mg.optim.Adam(model.parameters(), lr=0.05)
    for step in range(steps):
        loss = nn.functional.binary_cross_entropy_with_logits(model(INPUTS), TARGETS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 50 == 0:
            print(f"step {step:3}  loss {loss.item():.4f}")
    return loss


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(), metavar="FOLDER", help="for what it writes (.)")
    folder = parser.parse_args().folder

    mg.manual_seed(0)
    model = network()
    print(model)
    loss = train(model, steps=301)

    path = folder / "xor.safetensors"
    mg.save(model, path)
    restored = network()
    restored.load_state_dict(mg.load(path))
    with mg.no_grad():
        predictions = restored(INPUTS).sigmoid()
    for (a, b), (p,) in zip(INPUTS.tolist(), predictions.tolist(), strict=True):
        print(f"{a:.0f} xor {b:.0f} = {p:.3f}")

    INPUTS.name = "inputs"
    try:
        print("drawn", mg.draw(loss).save(folder / "xor.svg"))  # backward freed the arrays, not the graph's structure
    except mg.MinigradError as error:  # no Graphviz on this machine: the error says how to get it
        print(error)


if __name__ == "__main__":
    main()
