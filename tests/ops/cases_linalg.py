"""Cases of products of vectors, matrices and tensors."""

import numpy as np
from case import Case

import minigrad as mg

MATMUL_SHAPES = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 2)),
    ((2, 3), (3,)),
    ((3,), (2, 3, 4)),
    ((2, 2, 3), (3,)),
    ((3,), (2, 1, 3, 2)),
    ((2, 1, 2, 3), (3,)),
    ((2, 2, 3), (2, 3, 2)),
    ((2, 2, 3), (3, 2)),
    ((2, 3), (2, 3, 2)),
    ((2, 1, 2, 3), (3, 3, 2)),
    ((1, 2, 3), (2, 3, 2)),
    ((2, 2, 3), (1, 3, 2)),
    ((2, 1, 2, 3), (3, 2)),
    ((2, 0), (0, 3)),
    ((0, 3), (3, 2)),
    ((2, 3), (3, 0)),
    ((2, 2, 0), (0, 3)),
    ((0, 2, 3), (3, 2)),
    ((2, 0, 3), (2, 3, 2)),
    ((0,), (0,)),
    ((1, 1), (1, 1)),
]

SIZES = {"a": 2, "b": 3, "c": 4, "d": 2, "h": 2, "i": 2, "j": 3, "k": 2, "l": 2, "n": 3, "A": 2, "B": 3}

EQUATIONS = """
    ij,jk->ik ij,jk ba ij,kj->ik ij->ji ij->ij ij-> ij->j ij->i i-> i->i ij
    ij,ij-> ij,ij->ij ij,ij->i ij,ij->j i,i-> i,i->i i,j->ij i,j->ji i,j-> ij,k->i ij,jk->k ij,jk-> ij,k->ikj
    ii-> ii->i ii iij->j iij->ij iji->j ijj->i iij-> iii->i iii-> ii,i->i ii,jj->ij ii,ij->j ii,ii->i ii,ii->
    bij,bjk->bik bij,bkj->bik bij,jk->bik ij,bjk->bik bij,bij->b bij,bjk->ik bij,bij->bij bhid,bhjd->bhij ijk,kl->ijl
    abc,cd->abd abc,ac->b ,i->i ij,->ij ,-> i,ij,j-> ij,jk,kl->il ij,ij,ij->ij a,ab,abc->abc BA,c i,j,k->ijk
""".split()  # noqa: SIM905

ELLIPSES = [
    ("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
    ("...ij,jk", (2, 2, 3), (3, 2)),
    ("...,...->...", (2, 3), (3,)),
    ("...i,...i->...", (2, 1, 3), (4, 3)),
    ("...i->...", (2, 3, 4)),
    ("i...->...i", (2, 3, 4)),
    ("...ii->...i", (2, 3, 3)),
    ("ii...->...", (3, 3, 2)),
    ("...", (2, 3)),
    ("...i,i", (2, 3), (3,)),
    ("ij,jk->ik", (2, 3), (1, 4)),
    ("ij,jk->ik", (2, 1), (3, 4)),
    ("ij,ij->ij", (2, 1), (1, 3)),
    ("ij,j->", (2, 1), (3,)),
    ("ij,jk->ik", (0, 3), (3, 2)),
    ("ij,jk->ik", (2, 0), (0, 2)),
    ("ij->i", (2, 0)),
    ("ij,k->", (0, 3), (2,)),
]


def drawn(*shapes):
    return lambda rng: tuple(np.asarray(rng.normal(size=shape)) for shape in shapes)


def with_equation(equation, *shapes):
    shapes = shapes or [tuple(SIZES[c] for c in term) for term in equation.partition("->")[0].split(",")]
    return Case(
        lambda *xs: mg.einsum(equation, *xs),
        drawn(*shapes),
        lambda *xs: np.einsum(equation, *xs),
        name=f"einsum {equation} {','.join(map(str, shapes))}",
    )


def matching(operation, *wanted):
    """Cases of an op, with the shapes it takes."""
    ours, reference = operation
    return [Case(ours, drawn(*shapes), reference, name=f"{ours.__name__}{shapes}") for shapes in wanted]


CASES = [
    *[Case(mg.matmul, drawn(x, y), np.matmul, name=f"matmul{x}{y}") for x, y in MATMUL_SHAPES],
    *[
        Case(mg.linear, drawn((*front, 3), (4, 3), (4,)), lambda x, w, b: x @ w.T + b, name=f"linear{front}")
        for front in [(), (2,), (2, 2), (2, 1, 2), (0,), (2, 0)]
    ],
    *[
        Case(mg.linear, drawn((*front, 3), (4, 3)), lambda x, w: x @ w.T, name=f"linear{front} without bias")
        for front in [(), (2,), (2, 2), (0,)]
    ],
    Case(mg.linear, drawn((2, 0), (3, 0), (3,)), lambda x, w, b: x @ w.T + b, name="linear of nothing"),
    *matching((mg.outer, np.outer), ((2,), (3,)), ((0,), (2,))),
    *matching((mg.dot, np.dot), ((3,), (3,)), ((0,), (0,))),
    *matching((mg.mv, np.matmul), ((2, 3), (3,))),
    *matching((mg.mm, np.matmul), ((2, 3), (3, 2))),
    *matching((mg.bmm, np.matmul), ((2, 2, 3), (2, 3, 2)), ((0, 2, 3), (0, 3, 2))),
    *[
        Case(mg.addmm, drawn(shape, (2, 3), (3, 4)), lambda c, x, y, beta, alpha: beta * c + alpha * (x @ y),
             params={"beta": beta, "alpha": alpha}, name=f"addmm{shape}{beta, alpha}")
        for shape in [(2, 4), (4,), ()]
        for beta, alpha in [(1, 1), (0.5, -2.0)]
    ],
    Case(lambda x, y: mg.addmm(np.nan, x, y, beta=0), drawn((2, 3), (3, 4)), np.matmul, name="addmm without input"),
    *map(with_equation, EQUATIONS),
    *[with_equation(*case) for case in ELLIPSES],
    *[
        Case(mg.tensordot, drawn(x, y), lambda x, y, dims: np.tensordot(x, y, axes=dims), params={"dims": dims},
             name=f"tensordot{x}{y}{dims}")
        for x, y, dims in [
            ((2, 3, 4), (3, 4, 2), 2),
            ((2, 3), (3, 2), 1),
            ((2,), (3,), 0),
            ((2, 3, 4), (4, 3, 2), ([1, 2], [1, 0])),
            ((2, 3), (4, 2), ([0], [-1])),
            ((2, 3), (4, 2), (0, 1)),
            ((2, 3), (2, 3), 2),
        ]
    ],
]
