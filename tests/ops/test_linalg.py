"""Products of vectors, matrices and tensors: every pair of shapes, errors, and what einsum makes of an equation."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import minigrad as mg

FRONTS = [(), (2,), (1,), (3, 1), (3, 2)]
LEFT = [(4,), *((*front, 5, 4) for front in FRONTS)]
RIGHT = [(4,), *((*front, 4, 6) for front in FRONTS)]


def leaf(rng, *shape):
    return mg.tensor(rng.normal(size=shape), requires_grad=True)


@pytest.mark.parametrize(("x_shape", "y_shape"), list(itertools.product(LEFT, RIGHT)), ids=str)
def test_matmul_of_every_pair_of_shapes(x_shape, y_shape):
    rng = np.random.default_rng(0)
    x, y = leaf(rng, *x_shape), leaf(rng, *y_shape)
    z = x @ y
    expected = x.numpy() @ y.numpy()
    assert z.shape == expected.shape
    np.testing.assert_allclose(z.numpy(), expected)
    g = rng.normal(size=z.shape)
    z.backward(mg.tensor(g))
    # the gradient is the one number for which <g, dx @ y> = <grad, dx>, whatever dx
    for a, change in [(x, lambda d: d @ y.numpy()), (y, lambda d: x.numpy() @ d)]:
        d = rng.normal(size=a.shape)
        assert a.grad.shape == a.shape
        assert (a.grad.numpy() * d).sum() == pytest.approx((g * change(d)).sum())


@pytest.mark.parametrize(
    "shapes",
    [((0, 3), (3, 2)), ((2, 0), (0, 3)), ((2, 3), (3, 0)), ((0,), (0,)), ((2, 2, 0), (0, 3)), ((0, 2, 3), (3, 2)),
     ((0, 2, 3), (0, 3, 2))],
)  # fmt: skip
def test_matmul_of_nothing_is_zero(shapes):
    x, y = (mg.zeros(*shape, requires_grad=True) for shape in shapes)
    z = x @ y
    z.backward(mg.ones_like(z))
    assert z.shape == np.matmul(x.numpy(), y.numpy()).shape
    assert not z.any().item()
    assert (x.grad.shape, y.grad.shape) == shapes


def test_matmul_takes_integers_float16_and_arrays():
    assert (mg.tensor([[1, 2]]) @ mg.tensor([[3], [4]])).tolist() == [[11]]
    assert (mg.ones(2, 3, dtype=mg.float16) @ mg.ones(3, 2, dtype=mg.float16)).dtype == mg.float16
    product = np.ones((2, 3), np.float32) @ mg.ones(3, requires_grad=True)
    assert isinstance(product, mg.Tensor)
    assert product.tolist() == [3.0, 3.0]


def test_the_gradient_of_a_weight_keeps_no_weight():
    """It needs the other factor and its own shape, so what was computed may be freed before the backward pass."""
    x, weight = mg.ones(2, 3), mg.ones(3, 2, requires_grad=True)
    ((_, _, kept),) = (x @ weight).node.edges
    assert any(value is x.data for value in kept)
    assert not any(value is weight.data for value in kept)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ((2, 3), (4, 2), "last size of x is 3 and the second-to-last size of y is 4"),
        ((2, 3), (4, 3), "x @ y.T"),
        ((3, 2), (3, 4), "x.T @ y"),
        ((5, 2, 3), (5, 4, 3), "x @ y.mT"),
        ((2, 3), (4,), "only size of y is 4"),
        ((2, 2, 3), (4, 3, 2), "batches (2,) and (4,)"),
        ((2, 3), (), "use *"),
        ((), (2, 3), "use *"),
        ((2, 2, 3), (4, 2), "last size of x is 3"),
    ],
)
def test_matrices_that_do_not_fit_are_explained(x, y, said):
    with pytest.raises(mg.ShapeError) as caught:
        mg.ones(*x) @ mg.ones(*y)
    assert said in str(caught.value)
    assert str(caught.value).startswith("matmul: ")


def test_a_number_is_not_a_matrix():
    for product in (lambda: mg.ones(2, 2) @ 3.0, lambda: 3.0 @ mg.ones(2, 2)):
        with pytest.raises(mg.ShapeError, match=r"use \*"):
            product()


def test_linear_layers_that_do_not_fit_are_explained():
    x, weight = mg.ones(2, 3), mg.ones(5, 4)
    with pytest.raises(mg.ShapeError, match="last size of x is 3, and weight"):
        mg.linear(x, weight)
    with pytest.raises(mg.ShapeError, match=r"bias must have shape \(5,\)"):
        mg.linear(mg.ones(2, 4), weight, mg.ones(4))
    with pytest.raises(mg.ShapeError, match="weight must have dims"):
        mg.linear(x, mg.ones(3))


@pytest.mark.parametrize("front", [(), (2,), (2, 3), (0,), (2, 0), (1, 2, 1)])
@pytest.mark.parametrize("with_bias", [False, True])
def test_linear_is_matmul_with_the_transpose(front, with_bias):
    rng = np.random.default_rng(0)
    x, weight, bias = leaf(rng, *front, 3), leaf(rng, 4, 3), leaf(rng, 4)
    bias = bias if with_bias else None
    y = mg.linear(x, weight, bias)
    g = mg.tensor(rng.normal(size=y.shape))
    y.backward(g)
    same = x.detach().requires_grad_(), weight.detach().requires_grad_()
    z = same[0] @ same[1].transpose(0, 1)
    z.backward(g)
    np.testing.assert_allclose(y.numpy(), z.numpy() + (bias.numpy() if with_bias else 0.0))
    np.testing.assert_allclose(x.grad.numpy(), same[0].grad.numpy())
    np.testing.assert_allclose(weight.grad.numpy(), same[1].grad.numpy())
    if with_bias:
        np.testing.assert_allclose(bias.grad.numpy(), g.numpy().reshape(-1, 4).sum(0))


@pytest.mark.parametrize(
    ("product", "shapes"),
    [(mg.dot, ((2, 3), (3,))), (mg.mv, ((3,), (3,))), (mg.mm, ((2, 2, 3), (3, 2))), (mg.bmm, ((2, 3), (3, 2))),
     (mg.outer, ((2, 2), (2,)))],
)  # fmt: skip
def test_special_products_take_their_dims_only(product, shapes):
    with pytest.raises(mg.ShapeError):
        product(*(mg.ones(*shape) for shape in shapes))


def test_addmm_with_beta_zero_does_not_look_at_its_input():
    broken = mg.full((2, 2), float("nan"))
    assert mg.addmm(broken, mg.eye(2), mg.eye(2), beta=0, alpha=2).tolist() == [[2.0, 0.0], [0.0, 2.0]]


# ---- einsum ------------------------------------------------------------------------------------------------------


@st.composite
def equations(draw):
    """An equation with up to three operands of up to three letters, and the shapes of its operands."""
    sizes = dict(zip("abcd", draw(st.lists(st.integers(1, 3), min_size=4, max_size=4)), strict=True))
    terms = draw(st.lists(st.text("abcd", max_size=3), min_size=1, max_size=3))
    letters = sorted(set("".join(terms)))
    out = "".join(draw(st.permutations(letters)))[: draw(st.integers(0, len(letters)))]
    equation = ",".join(terms) + draw(st.sampled_from(["->" + out, ""]))
    return equation, [tuple(sizes[c] for c in term) for term in terms]


@settings(max_examples=200)
@given(equations())
def test_einsum_of_any_equation(drawn):
    equation, shapes = drawn
    rng = np.random.default_rng(0)
    xs = [leaf(rng, *shape) for shape in shapes]
    y = mg.einsum(equation, *xs)
    arrays = [x.numpy() for x in xs]
    np.testing.assert_allclose(y.numpy(), np.einsum(equation, *arrays), rtol=1e-9, atol=1e-9)
    g = rng.normal(size=y.shape)
    y.backward(mg.tensor(g))
    for i, x in enumerate(xs):  # linear in each operand: the gradient's inner product with it is the cotangent's
        assert x.grad.shape == x.shape
        d = rng.normal(size=x.shape)
        moved = np.einsum(equation, *arrays[:i], d, *arrays[i + 1 :])
        assert (x.grad.numpy() * d).sum() == pytest.approx((g * moved).sum(), rel=1e-8, abs=1e-8)


@pytest.mark.parametrize(
    ("equation", "shapes", "said"),
    [
        ("ij,jk->ik", [(2, 3), (4, 2)], '"j"'),
        ("ii->i", [(2, 3)], '"i"'),
        ("ij", [(2,)], "number of dims"),
        ("i...", [()], "number of dims"),
        ("i,j", [(2,)], "names 2 operands"),
        ("i->k", [(2,)], "k"),
        ("i,i->k", [(2,), (2,)], "k"),
        ("ij->ii", [(2, 2)], "i"),
        ("ij,jk->ii", [(2, 2), (2, 2)], "i"),
    ],
)
def test_equations_that_do_not_fit_are_explained(equation, shapes, said):
    with pytest.raises(mg.ShapeError) as caught:
        mg.einsum(equation, *(mg.ones(*shape) for shape in shapes))
    assert said in str(caught.value)


def test_the_gradient_of_a_trace_is_the_identity():
    x = mg.ones(3, 3, requires_grad=True)
    mg.einsum("ii", x).backward()
    assert x.grad.tolist() == mg.eye(3).tolist()


def test_einsum_keeps_float32_and_takes_integers():
    assert mg.einsum("ij,j->i", mg.ones(2, 3), mg.ones(3)).dtype == mg.float32
    assert mg.einsum("ij->", mg.tensor([[1, 2]])).item() == 3


@pytest.mark.parametrize("dims", [3, -1, ([0], [0, 1]), ([0], [1]), ([5], [0])])
def test_tensordot_over_dims_that_do_not_pair_is_refused(dims):
    with pytest.raises(mg.ShapeError):
        mg.tensordot(mg.ones(2, 3), mg.ones(2, 4), dims)


def test_einsum_takes_its_operands_in_a_list_too():
    x = mg.ones(2, 3)
    assert mg.einsum("ij,kj->ik", [x, x]).tolist() == mg.einsum("ij,kj->ik", x, x).tolist()
