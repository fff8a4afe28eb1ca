"""Where a node was made: the user's line and the place in the model, and both in every error."""

from __future__ import annotations

import re

import pytest

import minigrad as mg
from minigrad.errors import DtypeError, GraphError, ShapeError
from minigrad.node import Node, location


def line_of(node: Node | None) -> int:
    assert node is not None
    found = re.match(r"test_provenance\.py:(\d+)", node.where())
    assert found is not None, node.where()
    return int(found[1])


def test_a_node_knows_the_users_line() -> None:
    start = test_a_node_knows_the_users_line.__code__.co_firstlineno
    x = mg.ones(2, requires_grad=True)
    y = x * 2.0
    z = 2.0 / y  # through an operator that is a Python function
    w = mg.nn.functional.relu(z)  # through a function of ours
    a, _ = w.split(1)
    assert [line_of(t.node) - start for t in (y, z, w, a)] == [3, 4, 5, 6]


def test_a_comprehension_or_lambda_is_a_line_too() -> None:
    start = test_a_comprehension_or_lambda_is_a_line_too.__code__.co_firstlineno
    x = mg.ones(2, requires_grad=True)
    double = lambda t: t * 2.0
    assert line_of(double(x).node) - start == 3
    assert [line_of(y.node) - start for y in [x * float(i) for i in range(2)]] == [5, 5]


def test_leaves_have_no_line() -> None:
    node = mg.ones(2, requires_grad=True).node
    assert node is not None
    assert node.where() == "?"
    assert repr(node) == f"<node {node.seq}: leaf (2,)>"


def test_location_of_code_without_a_line_for_the_offset() -> None:
    code = line_of.__code__
    assert location(code, 10**6) == f"test_provenance.py:{code.co_firstlineno}"


def test_code_that_runs_without_a_file() -> None:
    names: dict[str, object] = {"x": mg.ones(2, requires_grad=True)}
    exec("y = x * 2.0", names)  # noqa: S102
    y = names["y"]
    assert isinstance(y, mg.Tensor)
    assert y.node is not None
    assert y.node.where() == "<string>:1"


def test_scopes_make_a_path() -> None:
    x = mg.ones(2, requires_grad=True)
    with mg.scope("decoder"), mg.scope("lstm"), mg.scope("[0]"), mg.scope(step=7):
        y = x * 2.0
        with mg.scope("gate"):
            z = y * 2.0
    assert y.node is not None
    assert z.node is not None
    assert str(y.node.scope) == "decoder.lstm[0]/t=7"
    assert str(z.node.scope) == "decoder.lstm[0]/t=7/gate"
    assert z.node.where().endswith(" in decoder.lstm[0]/t=7/gate")
    assert repr(y.node.scope) == "<scope decoder.lstm[0]/t=7>"
    assert (x * 2.0).node.scope is None  # type: ignore[union-attr]


def test_scope_with_a_step_alone_and_a_list_first() -> None:
    x = mg.ones(2, requires_grad=True)
    with mg.scope(step=0):
        assert str((x * 2.0).node.scope) == "t=0"  # type: ignore[union-attr]
    with mg.scope("[1]", step=2), mg.scope("[3]"):
        assert str((x * 2.0).node.scope) == "[1]/t=2/[3]"  # type: ignore[union-attr]


def test_scope_as_a_decorator() -> None:
    @mg.scope("block")
    def block(x: mg.Tensor) -> mg.Tensor:
        """Twice the input."""
        return x * 2.0

    assert block.__doc__ == "Twice the input."
    for _ in range(2):
        assert str(block(mg.ones(1, requires_grad=True)).node.scope) == "block"  # type: ignore[union-attr]


def test_scope_is_left_after_an_exception() -> None:
    def fail() -> None:
        with mg.scope("inside"):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (mg.ones(1, requires_grad=True) * 2.0).node.scope is None  # type: ignore[union-attr]


def test_shape_error_names_op_arguments_lines_and_a_hint() -> None:
    with mg.scope("encoder"):
        x = mg.ones(2, 3, requires_grad=True).exp()
    x.name = "activations"
    w = mg.ones(2, 4)
    with pytest.raises(ShapeError) as info:
        x @ w
    text = str(info.value)
    assert text.startswith("matmul: ")
    assert re.search(r'"activations"  \(2, 3\) float32  from exp at test_provenance\.py:\d+ in encoder', text)
    assert "(2, 4) float32" in text
    assert "hint:" in text
    assert isinstance(info.value, ValueError)


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        ((2, 3), (4, 3), "x @ y.T"),
        ((2, 3), (4, 2), "last size of x is 3 and the second-to-last size of y is 4"),
        ((3,), (4,), "last size of x is 3 and the only size of y is 4"),
        ((), (4,), "a number is not a matrix"),
    ],
)
def test_shapes_that_matmul_refuses(x: tuple[int, ...], y: tuple[int, ...], said: str) -> None:
    with pytest.raises(ShapeError, match=said):
        mg.ones(x) @ mg.ones(y)


def test_hint_for_shapes_of_different_length() -> None:
    with pytest.raises(ShapeError, match="compared from the right"):
        mg.ones(2, 3) + mg.ones(2)
    with pytest.raises(ShapeError) as info:
        mg.ones(2) + mg.ones(3)
    assert "compared from the right" not in str(info.value)
    assert "broadcast" in str(info.value)


def test_error_about_what_is_no_array() -> None:
    with pytest.raises(DtypeError, match=r"add: .*\n  x  \(2,\) float32\n  y  'two'"):
        mg.ones(2) + "two"


def test_error_of_an_op_with_parameters_lists_them() -> None:
    with pytest.raises(ShapeError, match=r"with .*shape=\(5,\)"):
        mg.ones(2, 3).reshape(5)


def test_error_of_an_op_of_any_number_of_inputs_numbers_them() -> None:
    with pytest.raises(ShapeError) as info:
        mg.concat([mg.ones(2, 3), mg.ones(2, 4)], dim=0)
    assert "[0]  (2, 3)" in str(info.value)
    assert "[1]  (2, 4)" in str(info.value)


def test_floating_dtypes_do_not_mix_and_the_error_says_how_to_mend_it() -> None:
    with pytest.raises(DtypeError) as info:
        mg.ones(2) + mg.ones(2, dtype=mg.float64)
    text = str(info.value)
    assert "float32 and float64" in text
    assert "x.to(mg.float32) or y.to(x.dtype)" in text
    assert isinstance(info.value, TypeError)


def test_error_in_a_rule_names_the_op_and_its_line(scratch_ops: None) -> None:
    @mg.primitive
    def fragile(x, /):
        """x"""
        return x + 0

    def rule(g):
        raise ZeroDivisionError("by nothing")

    mg.defvjp(fragile, x=rule)
    y = fragile(mg.ones(2, requires_grad=True)).sum()
    with pytest.raises(GraphError, match=r"ZeroDivisionError\('by nothing'\)\n  while differentiating fragile") as info:
        y.backward()
    assert isinstance(info.value.__cause__, ZeroDivisionError)


def test_error_in_a_forward_that_is_no_shape_and_no_dtype_passes_through(scratch_ops: None) -> None:
    @mg.primitive
    def failing(x, /):
        """x"""
        raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        failing(mg.ones(2))


def test_our_own_error_in_a_forward_passes_through(scratch_ops: None) -> None:
    @mg.primitive
    def failing(x, /):
        """x"""
        raise ShapeError("as I said")

    with pytest.raises(ShapeError, match=r"^as I said$"):
        failing(mg.ones(2))


def test_long_parameters_are_cut_in_errors(scratch_ops: None) -> None:
    @mg.primitive
    def failing(x, /, table):
        """x"""
        raise ValueError("no")

    with pytest.raises(ShapeError, match="…"):
        failing(mg.ones(2), list(range(1000)))


def test_nothing_is_checked_while_all_goes_well() -> None:
    """A happy call never describes its arguments."""
    x = mg.ones(2, requires_grad=True)
    x.name = "x"
    assert (x + 1.0).tolist() == [2.0, 2.0]
