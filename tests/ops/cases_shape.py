"""Cases of the shape families: shape, joining, tiling, diagonals, expand."""

import numpy as np
from case import Case

import minigrad as mg


def case(name, function, reference, *shapes):
    """A function and its NumPy reference on normal numbers of these shapes."""
    return Case(function, lambda rng: tuple(np.asarray(rng.normal(size=s)) for s in shapes), reference, name=name)


def cut(x, sizes, axis):
    return tuple(np.split(x, np.cumsum(sizes)[:-1], axis))


SHAPE = [
    case("reshape", lambda x: x.reshape(3, 4), lambda x: x.reshape(3, 4), (2, 6)),
    case("reshape-1", lambda x: mg.reshape(x, (2, -1)), lambda x: x.reshape(2, -1), (2, 3, 2)),
    case("reshape-to-0d", lambda x: x.reshape(()), lambda x: x.reshape(()), (1, 1)),
    case("view-same", lambda x: x.view(2, 3), lambda x: x.reshape(2, 3), (2, 3)),
    case("reshape-copies", lambda x: x.transpose(0, 1).reshape(-1), lambda x: x.T.reshape(-1), (2, 3)),
    case("flatten", lambda x: x.flatten(), lambda x: x.reshape(-1), (2, 3, 2)),
    case("flatten-0d", mg.flatten, lambda x: x.reshape(1), ()),
    case("flatten-middle", lambda x: x.flatten(1, -2), lambda x: x.reshape(2, 6, 2), (2, 3, 2, 2)),
    case("unflatten", lambda x: x.unflatten(-1, (3, -1)), lambda x: x.reshape(2, 3, 2), (2, 6)),
    case("squeeze", mg.squeeze, np.squeeze, (1, 3, 1)),
    case("squeeze-dim", lambda x: x.squeeze(-1), lambda x: x.reshape(1, 3), (1, 3, 1)),
    case("squeeze-dims", lambda x: x.squeeze((0, 1)), lambda x: x.reshape(3, 1), (1, 3, 1)),
    case("unsqueeze", lambda x: x.unsqueeze(1), lambda x: x[:, None], (2, 3)),
    case("unsqueeze-last", lambda x: x.unsqueeze(-1), lambda x: x[..., None], (2, 3)),
    case("unsqueeze-0d", lambda x: mg.unsqueeze(x, dim=0), lambda x: x[None], ()),
    case("transpose", lambda x: x.transpose(0, -1), lambda x: x.swapaxes(0, -1), (2, 3, 4)),
    case("permute", lambda x: x.permute(2, 0, 1), lambda x: x.transpose(2, 0, 1), (2, 3, 4)),
    case("permute-negative", lambda x: x.permute((-1, 0, -2)), lambda x: x.transpose(2, 0, 1), (2, 3, 4)),
    case("movedim", lambda x: x.movedim(0, -1), lambda x: np.moveaxis(x, 0, -1), (2, 3, 4)),
    case("movedims", lambda x: x.movedim((0, 1), (-1, 0)), lambda x: np.moveaxis(x, (0, 1), (-1, 0)), (2, 3, 4)),
    case("T", lambda x: x.T, np.transpose, (2, 3)),
    case("mT", lambda x: x.mT, lambda x: x.swapaxes(-1, -2), (2, 3, 4)),
    case("expand", lambda x: x.expand(2, -1, 4), lambda x: np.broadcast_to(x, (2, 3, 4)), (3, 1)),
    case("expand-same", lambda x: x.expand(2, 3), lambda x: np.broadcast_to(x, (2, 3)), (2, 3)),
    case("expand-0d", lambda x: x.expand(2, 2), lambda x: np.broadcast_to(x, (2, 2)), ()),
    case("expand_as", lambda x, y: x.expand_as(y) * y, lambda x, y: x * y, (3,), (2, 3)),
]

JOINING = [
    case("concat", lambda *xs: mg.concat(xs), lambda *xs: np.concatenate(xs), (2, 3), (1, 3), (0, 3)),
    case("concat-last", lambda *xs: mg.cat(xs, dim=-1), lambda *xs: np.concatenate(xs, -1), (2, 1), (2, 3)),
    case("concat-twice-the-same", lambda x: mg.concat([x, x * x, x]), lambda x: np.concatenate([x, x * x, x]), (2, 2)),
    case("concat-one", lambda x: mg.concat([x]), lambda x: x, (2, 2)),
    case("stack", lambda *xs: mg.stack(xs), lambda *xs: np.stack(xs), (2, 3), (2, 3), (2, 3)),
    case("stack-1", lambda *xs: mg.stack(xs, 1), lambda *xs: np.stack(xs, 1), (2, 3), (2, 3), (2, 3)),
    case("stack-last", lambda *xs: mg.stack(xs, dim=-1), lambda *xs: np.stack(xs, -1), (2, 3), (2, 3)),
    case("stack-0d", lambda *xs: mg.stack(xs), lambda *xs: np.stack(xs), (), (), ()),
    case("vstack", lambda *xs: mg.vstack(xs), lambda *xs: np.vstack(xs), (3,), (2, 3)),
    case("hstack", lambda *xs: mg.hstack(xs), lambda *xs: np.hstack(xs), (2, 1), (2, 3)),
    case("hstack-vectors", lambda *xs: mg.hstack(xs), lambda *xs: np.hstack(xs), (2,), ()),
    case("split", lambda x: x.split(2), lambda x: cut(x, (2, 2, 1), 0) if len(x) else (x,), (5, 2)),
    case("split-sizes", lambda x: x.split([1, 0, 3], dim=-1), lambda x: cut(x, (1, 0, 3), 1), (2, 4)),
    case("split-gates", lambda x: [y * (i + 1) for i, y in enumerate(x.chunk(4, 1))],
         lambda x: [y * (i + 1) for i, y in enumerate(np.split(x, 4, 1))], (2, 8)),
    case("split-one-used", lambda x: x.split([2, 2, 1])[1], lambda x: x[2:4], (5, 2)),
    case("chunk", lambda x: x.chunk(2), lambda x: (x[:3], x[3:]), (5,)),
    case("unbind", lambda x: x.unbind(), tuple, (3, 2)),
    case("unbind-last", lambda x: mg.unbind(x, dim=-1), lambda x: tuple(x.T), (3, 2)),
    case("unbind-vector", lambda x: x.unbind(), tuple, (3,)),
]  # fmt: skip

TILING = [
    case("repeat", lambda x: x.repeat(2, 3), lambda x: np.tile(x, (2, 3)), (2, 3)),
    case("repeat-new-dim", lambda x: x.repeat(2, 1, 2), lambda x: np.tile(x, (2, 1, 2)), (2, 3)),
    case("repeat-0", lambda x: x.repeat(0, 2), lambda x: np.tile(x, (0, 2)), (2, 3)),
    case("tile", lambda x: x.tile(2), lambda x: np.tile(x, 2), (2, 3)),
    case("repeat_interleave", lambda x: x.repeat_interleave(2, dim=1), lambda x: np.repeat(x, 2, 1), (2, 3)),
    case("repeat_interleave-flat", lambda x: x.repeat_interleave(3), lambda x: np.repeat(x, 3), (2, 2)),
    case("repeat_interleave-each", lambda x: x.repeat_interleave([2, 0, 1], 1),
         lambda x: np.repeat(x, [2, 0, 1], 1), (2, 3)),
    case("pad", lambda x: x.pad((1, 2), value=3.0), lambda x: np.pad(x, ((0, 0), (1, 2)), constant_values=3.0), (2, 3)),
    case("pad-2d", lambda x: x.pad((0, 1, 2, 0)), lambda x: np.pad(x, ((2, 0), (0, 1))), (2, 3)),
    case("pad-cut", lambda x: x.pad((-1, 2)), lambda x: np.pad(x[:, 1:], ((0, 0), (0, 2))), (2, 3)),
    case("pad-nothing", lambda x: x.pad((0, 0)), lambda x: x, (2, 3)),
    case("pad-reflect", lambda x: x.pad((2, 1), "reflect"), lambda x: np.pad(x, ((0, 0), (2, 1)), "reflect"), (2, 3)),
    case("pad-replicate", lambda x: x.pad((2, 1, 1, 0), "replicate"),
         lambda x: np.pad(x, ((1, 0), (2, 1)), "edge"), (2, 3)),
    case("flip", lambda x: x.flip(0), lambda x: np.flip(x, 0), (2, 3)),
    case("flip-both", lambda x: x.flip((0, -1)), np.flip, (2, 3)),
    case("roll", lambda x: x.roll(2), lambda x: np.roll(x, 2), (2, 3)),
    case("roll-dim", lambda x: x.roll(-1, 1), lambda x: np.roll(x, -1, 1), (2, 3)),
    case("roll-dims", lambda x: x.roll((1, 2), (0, -1)), lambda x: np.roll(x, (1, 2), (0, -1)), (2, 3)),
]  # fmt: skip

DIAGONALS = [
    case("tril", lambda x: x.tril(), np.tril, (3, 3)),
    case("tril-batch", lambda x: x.tril(-1), lambda x: np.tril(x, -1), (2, 3, 4)),
    case("triu", lambda x: x.triu(1), lambda x: np.triu(x, 1), (3, 4)),
    case("diag-matrix", lambda x: x.diag(1), lambda x: np.diag(x, 1), (3, 4)),
    case("diag-vector", lambda x: x.diag(-1), lambda x: np.diag(x, -1), (3,)),
    case("diagonal", lambda x: x.diagonal(), np.diagonal, (3, 4)),
    case("diagonal-batch", lambda x: x.diagonal(-1, -2, -1), lambda x: np.diagonal(x, -1, -2, -1), (2, 4, 3)),
    case("diagonal-far", lambda x: x.diagonal(1, 2, 0), lambda x: np.diagonal(x, 1, 2, 0), (3, 2, 4)),
]

CASES = SHAPE + JOINING + TILING + DIAGONALS
