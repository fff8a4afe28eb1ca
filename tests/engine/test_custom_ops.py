"""Declaring ops: what a user does to add one, and what the declaration refuses."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad as mg
from minigrad.backend import xp
from minigrad.check import check_op
from minigrad.op import REGISTRY, Op

pytestmark = pytest.mark.usefixtures("scratch_ops")


def double(*shape: int) -> mg.Tensor:
    return mg.tensor(np.random.default_rng(0).uniform(0.2, 0.9, shape), requires_grad=True)


def test_worked_example_of_one_input() -> None:
    @mg.primitive
    def cube(x, /):
        """x to the third"""
        return x * x * x

    mg.defvjp(cube, x=lambda g, x: 3 * g * x * x)

    x = mg.tensor(2.0, requires_grad=True)
    y = cube(x)
    y.backward()
    assert y.item() == 8.0
    assert x.grad is not None
    assert x.grad.item() == 12.0
    assert check_op(cube, reference=lambda x: x**3)
    assert cube(2) == 8  # with no tensor it is the forward itself
    assert repr(cube.op) == "<op cube(x)>"
    assert cube.__doc__ == "x to the third"


def test_worked_example_with_two_inputs_and_a_parameter() -> None:
    @mg.primitive(broadcasts=True)
    def blend(x, y, /, weight=0.5):
        """weight x + (1 - weight) y"""
        return weight * x + (1 - weight) * y

    mg.defvjp(blend, x=lambda g, weight: weight * g, y=lambda g, weight: (1 - weight) * g)

    x, y = double(2, 3), double(3)
    for z in (blend(x, y, weight=0.25), blend(x, y, 0.25)):
        np.testing.assert_allclose(z.numpy(), 0.25 * x.numpy() + 0.75 * y.numpy())
        assert z.node is not None
        assert z.node.params == {"weight": 0.25}
    assert blend(x, y).node.params == {"weight": 0.5}
    assert check_op(blend, reference=lambda x, y, weight=0.5: weight * x + (1 - weight) * y)
    assert check_op(blend, x.numpy(), x.numpy(), weight=0.25)


def test_worked_example_of_a_rule_for_all_inputs_that_keeps_shapes_and_needs() -> None:
    asked = []

    @mg.primitive
    def scaled(x, s, /, power=1):
        """x s^power"""
        return x * s**power

    @mg.defvjp_joint(scaled)
    def rule(g, x, s, x_shape, power, needs):
        asked.append((x_shape, needs))
        return g * s**power, (g * x * (power * s ** (power - 1)) if needs[1] else None)

    x, s = double(2, 3), double(2, 3)
    assert mg.gradcheck(lambda x, s: scaled(x, s, power=3), x, s, order=2)
    asked.clear()
    scaled(x, s.detach()).sum().backward()
    assert asked == [((2, 3), (True, False))]
    asked.clear()
    scaled(x, s).sum().backward()
    assert asked == [((2, 3), (True, True))]  # once for both inputs


def test_worked_example_of_several_outputs() -> None:
    @mg.primitive(outputs=True)
    def halves(x, /):
        """the first half and the second"""
        n = len(x) // 2
        return x[:n], x[n:]

    mg.defvjp(halves, x=lambda g: mg.concat([g[0], g[1]]))

    x = mg.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    a, b = halves(x)
    assert (a.tolist(), b.tolist()) == ([1.0, 2.0], [3.0, 4.0])
    (a * b).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [3.0, 4.0, 1.0, 2.0]
    x.grad = None
    halves(x)[1].sum().backward()  # the other output was dropped: zeros stand for its gradient
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 0.0, 1.0, 1.0]
    assert check_op(halves, np.arange(4.0) + 1)
    with mg.no_grad():
        assert [y.requires_grad for y in halves(x)] == [False, False]
    assert [y.shape for y in halves(np.ones(4))] == [(2,), (2,)]


def test_outputs_that_are_no_floats_require_no_gradient() -> None:
    @mg.primitive(outputs=True)
    def largest(x, /):
        """the largest element and where it is"""
        return x.max(), x.argmax()

    mg.defvjp(largest, x=lambda g, x, out: g[0] * mg.eq(x, out[0]))
    x = mg.tensor([1.0, 3.0, 2.0], requires_grad=True)
    value, index = largest(x)
    assert not index.requires_grad
    assert index.item() == 1
    value.backward()
    assert x.grad is not None
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


def test_cotangents_of_several_outputs_are_a_sequence() -> None:
    seen = []

    @mg.primitive(outputs=True)
    def twice(x, /):
        """x and 2 x"""
        return x + 0, x * 2

    def rule(g):
        seen.append((len(g), g[-1].tolist(), g[0].tolist()))
        with pytest.raises(IndexError):
            g[2]
        return g[0] + 2 * g[1]

    mg.defvjp(twice, x=rule)
    x = double(2)
    a, b = twice(x)
    (b.sum() + b.sum() + a.sum()).backward()
    assert seen == [(2, [2.0, 2.0], [1.0, 1.0])]
    assert x.grad is not None
    assert x.grad.tolist() == [5.0, 5.0]


def test_op_of_any_number_of_inputs() -> None:
    @mg.primitive
    def total(*xs, scale=1.0):
        """the sum of all inputs"""
        return sum(xs[1:], xs[0]) * scale

    @mg.defvjp_joint(total)
    def rule(g, xs, xs_shape, scale, needs):
        assert len(xs) == len(xs_shape) == len(needs)
        return tuple(g * scale for _ in xs)

    assert check_op(total, reference=lambda *xs, scale=1.0: scale * sum(xs))
    x, y = double(2), double(2)
    assert mg.gradcheck(lambda x, y: total(x, 2.0, y, x, scale=3.0), x, y, order=2)


def test_optional_input() -> None:
    @mg.primitive
    def affine(x, b=None, /):
        """x + b, or x"""
        return x + 0 if b is None else x + b

    mg.defvjp(affine, x=lambda g: g, b=lambda g: g)
    x, b = double(2), double(2)
    assert mg.gradcheck(affine, x, b)
    assert mg.gradcheck(affine, x)
    assert affine(x).node.inputs == (x.node, None)


def test_rule_from_the_output_and_from_shapes() -> None:
    @mg.primitive
    def root(x, /):
        """the square root"""
        return xp(x).sqrt(x)

    mg.defvjp(root, x=lambda g, out, x_shape: mg.reshape(g / (2 * out), x_shape))
    assert check_op(root, reference=np.sqrt)


def test_input_without_a_rule_gets_no_gradient() -> None:
    @mg.primitive
    def pick(condition, x, /):
        """x where the condition holds"""
        return xp(x).where(condition, x, 0 * x)

    mg.defvjp(pick, condition=None, x=lambda g, condition: g * condition)
    c, x = mg.tensor([True, False]), double(2)
    y = pick(c, x)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 0.0]
    assert c.dtype == bool


def test_a_rule_may_say_that_nothing_flows() -> None:
    @mg.primitive
    def gate(*xs):
        """the product"""
        return xs[0] * xs[1]

    mg.defvjp_joint(gate)(lambda g, xs: (g * xs[1], None))
    x, y = double(2), double(2)
    gate(x, y).sum().backward()
    assert x.grad is not None
    assert y.grad is None


def test_op_without_rules_is_not_recorded() -> None:
    @mg.primitive
    def sign_of(x, /):
        """-1, 0 or 1"""
        return xp(x).sign(x)

    @mg.primitive
    def compare(x, y, /):
        """x > y"""
        return x > y

    @mg.primitive
    def count(x, /, above=0):
        """how many are larger"""
        return (x > above).sum()

    x = double(2)
    assert not sign_of(x).requires_grad
    assert not compare(x, x).requires_grad
    assert not compare(x, 0.5).requires_grad
    assert not compare(0.5, x).requires_grad
    assert not count(x).requires_grad
    assert count(x).item() == 2


def test_a_name_belongs_to_one_module() -> None:
    with pytest.raises(ValueError, match=r"an op named 'add' exists already, in minigrad\.ops\.arithmetic"):

        @mg.primitive
        def add(x, y, /):
            """x + y"""


def test_an_op_may_be_declared_again_in_its_own_module() -> None:
    """So that a cell of a notebook can be run twice."""
    for factor in (2, 3):

        @mg.primitive
        def again(x, /):
            """x"""
            return x * factor  # noqa: B023

    assert again(2) == 6
    assert isinstance(REGISTRY["again"], Op)


def test_rules_ask_for_what_there_is() -> None:
    @mg.primitive
    def single(x, /, k=1):
        """x"""
        return x + 0

    with pytest.raises(ValueError, match="single has no input 'z'; it has x"):
        mg.defvjp(single, z=lambda g: g)
    with pytest.raises(ValueError, match=r"a rule of single asks for 'w'; it can have x, out, k, x_shape"):
        mg.defvjp(single, x=lambda g, w: g)
    with pytest.raises(ValueError, match="has a rule for each input"):
        mg.defvjp_joint(single)(lambda g, x: (g,))

    @mg.primitive
    def several(*xs):
        """the first"""
        return xs[0] + 0

    with pytest.raises(ValueError, match="asks for 'x'; it can have xs, out, needs, xs_shape"):
        mg.defvjp_joint(several)(lambda g, x: (g,))


def test_calls_that_do_not_fit_the_declaration() -> None:
    @mg.primitive
    def needy(x, y, /, k, m=2):
        """x y k m"""
        return x * y * k * m

    x = double(2)
    with pytest.raises(TypeError, match="needs x, y; got 1 of them"):
        needy(x)
    with pytest.raises(TypeError, match="needs 'k'"):
        needy(x, x)
    with pytest.raises(TypeError, match="takes at most 4 arguments, got 5"):
        needy(x, x, 1, 2, 3)
    with pytest.raises(TypeError, match="has no argument 'dim'; it takes x, y, k, m"):
        needy(x, x, 1, dim=2)
    np.testing.assert_allclose(needy(x, x, 3).numpy(), 6 * x.numpy() ** 2)
    np.testing.assert_allclose(needy(x, x, 3, 4).numpy(), 12 * x.numpy() ** 2)
    np.testing.assert_allclose(needy(x, x, m=1, k=3).numpy(), 3 * x.numpy() ** 2)


def test_forward_that_makes_a_scalar_or_a_wider_dtype_is_settled() -> None:
    @mg.primitive
    def widened(x, /):
        """x, in float64"""
        return x.astype(np.float64) * np.float64(1.0)

    @mg.primitive
    def number(x, /):
        """the sum, as a NumPy scalar"""
        return x.sum()

    x = mg.ones(2)
    assert widened(x).dtype == mg.float32
    assert widened(mg.tensor([1, 2])).dtype == mg.float32
    assert widened(x.double()).dtype == mg.float64
    assert number(x).shape == ()
    assert isinstance(number(x).data, np.ndarray)


def test_each_output_of_several_is_a_node_that_picks_it() -> None:
    pair = mg.ones(4, requires_grad=True).split(2)
    for i, y in enumerate(pair):
        assert y.node is not None
        assert y.node.op is not None
        assert y.node.op.name == "output"
        assert y.node.params == {"index": i}
        assert y.node.op.forward(pair, **y.node.params) is y


def test_a_wrong_rule_is_found() -> None:
    @mg.primitive
    def wrong(x, /):
        """x squared"""
        return x * x

    mg.defvjp(wrong, x=lambda g, x: g * x)
    with pytest.raises(mg.GradcheckError, match="wrong, clause 'gradient'"):
        check_op(wrong)


def test_a_rule_on_arrays_only_is_found() -> None:
    @mg.primitive
    def first_order(x, /):
        """x squared"""
        return x * x

    mg.defvjp(first_order, x=lambda g, x: g * 2 * mg.tensor(x).data)
    with pytest.raises(mg.CheckError, match="clause 'gradient of the gradient'"):
        check_op(first_order)


@pytest.mark.parametrize("fresh", [False, True])
def test_what_a_rule_promises_to_be_fresh_is_not_copied(scratch_ops, fresh):
    made = []

    @mg.primitive
    def doubled(x, y, /, factor=2.0):
        return (x + y) * factor

    @mg.defvjp_joint(doubled, fresh=fresh)
    def rule(g, factor):
        made.append((g * factor, g * factor))
        return made[-1]

    x, y = mg.ones(3, requires_grad=True), mg.ones(3, requires_grad=True)
    doubled(x, y).sum().backward()
    assert np.shares_memory(x.grad.data, made[0][0]) == fresh
    assert not np.shares_memory(x.grad.data, y.grad.data)
    (doubled(x, y) + doubled(x, x)).sum().backward()
    assert x.grad.tolist() == [8.0] * 3
    assert y.grad.tolist() == [4.0] * 3
