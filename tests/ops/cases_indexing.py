"""Cases of the indexing families: reading and writing by index, gather and scatter, embeddings."""

import numpy as np
from case import Case

import minigrad as mg

MASK = np.array([[True, False, True, False], [False] * 4, [True, True, False, False]])

INDICES = {
    "int": 1,
    "negative int": -1,
    "numpy int": np.int64(2),
    "ints": (1, -2),
    "slice": slice(1, None),
    "empty slice": slice(2, 2),
    "step": (slice(None), slice(None, None, 2)),
    "negative step": (slice(None, None, -1), slice(2, None, -2)),
    "None": None,
    "Ellipsis": ...,
    "Nones and Ellipsis": (None, ..., None, 1),
    "int and slice": (slice(0, 2), 1),
    "list": [0, 2],
    "repeated": [2, 0, 2, 2],
    "array of two dims": np.array([[0, 1], [1, -1]]),
    "tuple of lists": ([0, 1, 1], [3, 0, 0]),
    "broadcast lists": ([[0], [2]], [1, 1, 0]),
    "slice and list": (slice(None), [3, 3, 0]),
    "list and slice": ([1, 1], slice(1, 3)),
    "int and list": (0, [1, 1]),
    "list, None, list": ([0, 1], None, [1, 2]),
    "empty list": [],
    "empty array": (slice(None), np.zeros((0, 2), int)),
    "unsigned": np.array([2, 2, 0], dtype=np.uint8),
    "mask": MASK,
    "mask of rows": np.array([True, False, True]),
    "mask of columns": (..., np.array([True, True, False, True])),
    "list of bools": [False, True, True],
    "mask and list": (np.array([True, False, True]), [1, 1]),
    "empty mask": np.zeros((3, 4), bool),
    "one True": True,
    "all": (),
}


def reads(name, index):
    return Case(
        lambda x: mg.getitem(x, index), lambda rng: (rng.normal(size=(3, 4)),), lambda x: x[index], name=f"[{name}]"
    )


def written(x, index, values):
    y = x.copy()
    y[index] = values
    return y


def added(x, index, values):
    y = x.copy()
    np.add.at(y, index, values)
    return y


def writes(name, index, shape=None):
    """set and add at an index; the values fill it, or broadcast to it from ``shape``."""
    filled = np.zeros((3, 4))[index].shape if shape is None else shape

    def draw(rng):
        return rng.normal(size=(3, 4)), np.asarray(rng.normal(size=filled))

    return [
        Case(lambda x, v: x.at[index].set(v), draw, lambda x, v: written(x, index, v), name=f"[{name}].set{filled}"),
        Case(lambda x, v: x.at[index].add(v), draw, lambda x, v: added(x, index, v), name=f"[{name}].add{filled}"),
    ]


def drawing(*shapes):
    return lambda rng: tuple(rng.normal(size=shape) for shape in shapes)


COLUMNS = np.array([[0, 3, 0], [1, 1, 1]])


def along(x, index, values, add):
    """scatter along dim 1 of a copy, in loops."""
    y = x.copy()
    for i, row in enumerate(index):
        for j, k in enumerate(row):
            y[i, k] = values[i, j] + (y[i, k] if add else 0.0)
    return y


def rows_added(x, index, source):
    y = x.copy()
    np.add.at(y, (slice(None), index), source)
    return y


GATHERING = [
    Case(lambda x: x.gather(1, COLUMNS), drawing((3, 4)), lambda x: np.take_along_axis(x[:2], COLUMNS, 1),
         name="gather"),
    Case(lambda x: x.gather(-2, [[2, 2]]), drawing((3, 4)), lambda x: x[[[2, 2]], [[0, 1]]], name="gather-0"),
    Case(lambda x: x.take_along_dim(COLUMNS, 1), drawing((2, 4)), lambda x: np.take_along_axis(x, COLUMNS, 1),
         name="take_along_dim"),
    Case(lambda x: x.take_along_dim(COLUMNS[:1], 1), drawing((3, 4)), lambda x: np.take_along_axis(x, COLUMNS[:1], 1),
         name="take_along_dim-broadcast"),
    Case(lambda x: x.take_along_dim([5, 5, 0]), drawing((2, 3)), lambda x: x.reshape(-1)[[5, 5, 0]],
         name="take_along_dim-flat"),
    Case(lambda x, v: x.scatter(1, COLUMNS, v), drawing((3, 4), (3, 3)), lambda x, v: along(x, COLUMNS, v, False),
         name="scatter"),
    Case(lambda x: x.scatter(1, COLUMNS, 2.5), drawing((3, 4)),
         lambda x: along(x, COLUMNS, np.full((2, 3), 2.5), False), name="scatter-number"),
    Case(lambda x, v: x.scatter_add(1, COLUMNS, v), drawing((3, 4), (2, 3)), lambda x, v: along(x, COLUMNS, v, True),
         name="scatter_add"),
    Case(lambda x: x.index_select(-1, [3, 0, 3]), drawing((2, 4)), lambda x: x[:, [3, 0, 3]], name="index_select"),
    Case(lambda x, v: x.index_add(1, [3, 0, 3], v), drawing((2, 4), (2, 3)),
         lambda x, v: rows_added(x, [3, 0, 3], v), name="index_add"),
    Case(lambda x, v: x.index_add(1, [3, 0, 3], v, alpha=-2.0), drawing((2, 4), (2, 3)),
         lambda x, v: rows_added(x, [3, 0, 3], -2 * v), name="index_add-alpha"),
    Case(lambda x: x.masked_select(MASK), drawing((3, 4)), lambda x: x[MASK], name="masked_select"),
    Case(lambda x: x.masked_select(MASK), drawing((4,)), lambda x: np.broadcast_to(x, (3, 4))[MASK],
         name="masked_select-broadcast"),
    Case(lambda w: mg.embedding([[1, 0], [1, 1]], w), drawing((3, 2)), lambda w: w[[[1, 0], [1, 1]]], name="embedding"),
    Case(lambda w: mg.embedding(mg.tensor([2, 2]), w.T), drawing((2, 3)), lambda w: w.T[[2, 2]],
         name="embedding-transposed"),
]  # fmt: skip

CASES = [
    *(reads(name, index) for name, index in INDICES.items()),
    *(case for name, index in INDICES.items() for case in writes(name, index)),
    *writes("slice and list", (slice(None), [3, 3, 0]), (1, 3)),
    *writes("repeated", [2, 0, 2], (4,)),
    *writes("repeated", [2, 0, 2], ()),
    *writes("slice", slice(1, None), (2, 1)),
    writes("int", 1, (1, 4))[0],  # assignment tolerates dims of size 1 in front, addition does not
    *writes("mask", MASK, ()),
    *GATHERING,
]
