"""What has gone wrong in recurrent layers, here or elsewhere: each a test. This file holds those that stood nowhere.

====================================================  ==================================================================
pitfall                                               test
====================================================  ==================================================================
order of the gates                                    test_recurrent_layers::test_values_and_gradients_are_pytorchs
two biases for one                                    test_pitfalls::test_only_the_sum_of_the_two_biases_counts
a forget bias counted twice                           test_pitfalls::test_the_forget_bias_of_keras_is_counted_once
a forget bias on both                                 test_pitfalls::test_a_forget_bias_is_set_on_one_of_the_two_biases
the bias inside the reset gate                        test_cells::test_the_bias_inside_the_reset_gate_is_not_redundant
conventions of the GRU                                test_cells::test_conventions_of_the_gru
what its update gate says                             test_cells::test_negated_rows_turn_one_update_gate_into_the_other
reset before is not reset after                       test_convert::test_reset_before_and_after_are_not_converted_into_each_other
candidate taken for the cell                          test_lstm::test_the_forget_gate_matters
a cell that leaks                                     test_lstm::test_an_open_cell_carries_its_content_through_a_thousand_steps
order of the parts of a state                         test_pitfalls::test_the_state_of_an_lstm_is_h_and_then_c
no state is not zeros                                 test_recurrent_layers::test_no_state_is_a_state_of_zeros
no state is not zeros, biases alone                   test_pitfalls::test_without_a_state_the_recurrent_biases_count_from_the_first_step
layout of the state                                   test_recurrent_layers::test_state_is_layer_by_layer_and_the_direction_within
batch_first turns the state too                       test_pitfalls::test_batch_first_turns_inputs_and_outputs_and_never_states
strides of the input                                  test_fused::test_strides_of_the_input_do_not_matter
strides of states and of cotangents                   test_pitfalls::test_strides_of_anything_do_not_matter
an output that the next call overwrites               test_fused::test_two_forwards_and_one_without_gradients_before_one_backward
a module used twice, its output its input             test_fused::test_second_order_of_a_layer_that_reads_itself
a module used twice, side by side                     test_pitfalls::test_a_layer_used_twice_side_by_side_gets_both_gradients
a matrix in two layers                                test_pitfalls::test_a_matrix_in_two_layers_gets_both_gradients
backward twice                                        test_fused::test_backward_twice_with_the_graph_retained
gradient through any of the results                   test_fused::test_the_same_for_every_configuration
gradient through one result alone                     test_pitfalls::test_gradients_through_one_result_alone
gradient of the last state twice                      test_pitfalls::test_the_last_state_weighs_once
gradient in evaluation mode                           test_fused::test_without_gradients_and_in_evaluation_the_outputs_are_the_same
dropout where it should not be                        test_recurrent_layers::test_dropout_acts_between_layers_in_training_only
dropout of another mask in backward                   test_pitfalls::test_backward_uses_the_mask_of_the_forward
dropout of nothing, dropout of everything             test_pitfalls::test_dropout_of_nothing_and_of_everything
zoneout: the mask of each step                        test_pitfalls::test_zoneout_has_a_mask_for_every_step
zoneout in evaluation                                 test_pitfalls::test_zoneout_is_its_expectation_in_evaluation
variational masks and other batch sizes               test_pitfalls::test_a_variational_mask_is_one_for_a_sequence_and_fresh_for_the_next
variational masks in backward                         test_pitfalls::test_backward_uses_the_variational_mask_of_the_forward
weight dropout that destroys weights                  test_pitfalls::test_weight_dropout_leaves_the_weights_alone
layer norm: two forms                                 test_pitfalls::test_the_two_layer_norms_part_when_the_cell_is_carried_on
layer norm: a variance of zero                        test_pitfalls::test_a_layer_norm_of_equal_numbers_is_zeros
batch norm at steps never seen                        test_pitfalls::test_batch_norm_beyond_the_steps_it_has_seen
packed: unsorted, ties, all equal                     test_sequences::test_pack_pad_and_their_gradients
packed: empty sequences, total_length                 test_sequences::test_padded_packed_padded
packed: dtype                                         test_sequences::test_dtypes_stay
packed: order that was insisted on                    test_sequences::test_empty_sequences_are_remembered_when_sorted_order_is_insisted_on
rows that see each other                              test_recurrent_layers::test_rows_of_different_length_are_as_if_alone
NaN in padding, layers                                test_recurrent_layers::test_what_stands_in_padding_reaches_nothing
NaN in padding, functions                             test_sequences::test_padding_reaches_no_result_and_no_gradient
no steps, no rows, only empty rows                    test_recurrent_layers::test_no_steps_and_no_rows
gradient of an empty row                              test_pitfalls::test_an_empty_row_hands_its_gradient_to_its_initial_state
last output of two directions                         test_pitfalls::test_the_backward_direction_ends_at_the_first_step_of_its_row
reversal by length                                    test_sequences::test_layers_agree_about_where_sequences_end
padding on the left                                   test_pitfalls::test_padding_on_the_left_is_as_on_the_right
holes in a mask, rows of nothing else                 test_pitfalls::test_holes_in_a_mask_are_as_if_they_were_not_there
packed, listed: order of results and states           test_pitfalls::test_packed_batches_and_lists_come_back_in_their_own_order
shapes with a projection                              test_pitfalls::test_shapes_with_a_projection
clipping: any norm, infinity too                      test_clipping::test_norm_equals_pytorch
clipping: gradients of zero                           test_pitfalls::test_clipping_leaves_gradients_of_zero_and_mixes_dtypes
truncation: where the gradient ends                   test_sequences::test_gradient_stops_exactly_at_the_detached_state
truncation: windows that overlap                      test_pitfalls::test_windows_that_overlap_see_as_far_as_they_are_long
truncation: a window as long as the sequence          test_pitfalls::test_a_window_as_long_as_the_sequence_truncates_nothing
stateful: calls go on                                 test_sequences::test_stateful_calls_go_on_where_the_last_one_ended
stateful: a new epoch, single rows                    test_sequences::test_a_reset_starts_anew_whole_or_by_rows
stateful: a short last batch                          test_sequences::test_another_number_of_sequences_is_an_error_and_changes_nothing
float32 becomes float64                               test_fused::test_what_is_float32_stays_float32
float32 is inaccurate                                 test_pitfalls::test_float32_is_float64_to_its_own_accuracy
saturation overflows                                  test_fused::test_extreme_arguments_saturate_without_a_warning
another device, another result                        test_fused::test_the_same_on_a_device_without_waiting
copies, pickles, names of the backward direction      test_pitfalls::test_layers_survive_pickling_copying_and_renaming
a hundred thousand steps                              test_fused::test_a_hundred_thousand_steps
deep graphs recurse                                   test_pitfalls::test_a_deep_graph_is_walked_and_freed_without_recursion
threads change the result                             test_pitfalls::test_the_number_of_threads_changes_nothing_but_rounding
====================================================  ==================================================================
"""  # noqa: E501

from __future__ import annotations

import ast
import copy
import gc
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.optim import clip_grad_norm_
from minigrad_rnn import (
    GRU,
    LSTM,
    RNN,
    last_output,
    pack_sequence,
    pad_sequence,
    unpack_sequence,
    unpad_sequence,
)
from minigrad_rnn.convert import from_keras
from minigrad_rnn.sequences import detach_state

KINDS = [RNN, LSTM, GRU]
ALL = pytest.mark.parametrize("kind", KINDS)
BOTH = pytest.mark.parametrize("fused", [True, False])


def flat(result):
    """Output and parts of the state."""
    output, state = result
    return [output, *(state if isinstance(state, tuple) else (state,))]


def layer_of(kind, *sizes, **options):
    mg.manual_seed(0)
    return kind(*(sizes or (3, 4)), **options).double()


def random(*shape, seed=0, requires_grad=True):
    return mg.tensor(np.random.default_rng(seed).normal(size=shape), requires_grad=requires_grad)


def state_of(kind, *shape, seed=7):
    """A state as a layer takes it, and its parts."""
    parts = [random(*shape, seed=seed + k) for k in range(2 if kind is LSTM else 1)]
    return (tuple(parts) if kind is LSTM else parts[0]), parts


def same(a, b, rtol=1e-12, atol=1e-13):
    np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=rtol, atol=atol)


def test_every_test_that_the_table_names_exists():
    named = re.findall(r"(test_\w+)::(test_\w+)$", __doc__, flags=re.MULTILINE)
    assert len(named) == len([line for line in __doc__.splitlines() if "::" in line])
    there = {}
    for file in {file for file, _ in named}:
        (path,) = Path(__file__).parents[1].rglob(f"{file}.py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        there[file] = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    missing = [f"{file}::{test}" for file, test in named if test not in there[file]]
    assert not missing


# ---- weights and states ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [RNN, LSTM])
def test_only_the_sum_of_the_two_biases_counts(kind):
    """pytorch#750. (In a GRU that resets after the product, the bias inside the reset is another matter.)"""
    layer, x = layer_of(kind), random(5, 2, 3)
    outputs = []
    for share in (0.0, 0.3, 1.0):
        total = np.linspace(-1, 1, len(layer.bias_ih_l0))
        layer.bias_ih_l0.data, layer.bias_hh_l0.data = total * share, total * (1 - share)
        outputs.append(layer(x)[0])
        same(*mg.grad(outputs[-1].square().sum(), [layer.bias_ih_l0, layer.bias_hh_l0]))
    same(outputs[0], outputs[1])
    same(outputs[0], outputs[2])


def test_the_forget_bias_of_keras_is_counted_once():
    """pytorch#750: 1 set on each of two biases would be 2."""
    layer = LSTM(1, 1).double()
    layer.load_state_dict(from_keras("lstm", [np.zeros((1, 4)), np.zeros((1, 4)), np.array([0.0, 1.0, 0.0, 0.0])]))
    c0 = mg.ones(1, 1, 1, dtype=mg.float64)
    _, (_, c) = layer(mg.zeros(1, 1, 1, dtype=mg.float64), (c0, c0))
    assert c.item() == pytest.approx(1 / (1 + np.exp(-1)), rel=1e-12)


@BOTH
def test_the_state_of_an_lstm_is_h_and_then_c(fused):
    """Other frameworks have (c, h). The first part is the output, within 1; the cell adds up."""
    layer = layer_of(LSTM)
    layer.fused = fused
    for name, parameter in layer.named_parameters():
        parameter.data = np.full(parameter.shape, 10.0 if name == "bias_ih_l0" else 0.0)
    output, (h, c) = layer(random(6, 2, 3))
    same(h[0], output[-1])
    np.testing.assert_allclose(c.numpy(), 6.0, rtol=1e-3)
    zero = mg.zeros_like(h)
    assert layer(random(1, 2, 3), (zero, zero + 3))[1][1].numpy() == pytest.approx(4.0, rel=1e-3)
    assert layer(random(1, 2, 3), (zero + 3, zero))[1][1].numpy() == pytest.approx(1.0, rel=1e-3)


@pytest.mark.parametrize("options", [{}, {"reset_after": False}])
def test_without_a_state_the_recurrent_biases_count_from_the_first_step(options):
    """mlx#3249: left out with the state, b_hn was left out too."""
    layer = layer_of(GRU, **options)
    for name, parameter in layer.named_parameters():
        parameter.data = np.where(np.arange(12) >= 8, 2.0, 0.0) if name == "bias_hh_l0" else parameter.numpy() * 0
    for layer.fused in (True, False):
        output, _ = layer(random(1, 1, 3))
        n = np.tanh(2.0 * (0.5 if layer.recurrence.reset_after else 1.0))
        np.testing.assert_allclose(output.numpy(), 0.5 * n, rtol=1e-12)
        assert mg.grad(output.sum(), layer.bias_hh_l0)[0].numpy()[8:].all()


@BOTH
@ALL
def test_batch_first_turns_inputs_and_outputs_and_never_states(kind, fused):
    """pytorch#4145, pytorch#144116."""
    steps_first, batch_first = (layer_of(kind, 3, 4, 2, batch_first=turned) for turned in (False, True))
    batch_first.fused = fused
    x, (state, _) = random(5, 3, 3), state_of(kind, 2, 3, 4)
    output, *last = flat(steps_first(x, state))
    turned, *after = flat(batch_first(x.transpose(0, 1), state))
    same(turned.transpose(0, 1), output)
    for a, b in zip(after, last, strict=True):
        assert a.shape == (2, 3, 4)
        same(a, b)
    with pytest.raises(mg.ShapeError, match=r"must have shape \(2, 3, 4\), not \(3, 2, 4\)"):
        batch_first(x.transpose(0, 1), state_of(kind, 3, 2, 4)[0])


VIEWS = {
    "backwards": lambda *shape: random(*shape)[(slice(None, None, -1),) * len(shape)],
    "turned": lambda *shape: random(*shape[::-1]).permute(*range(len(shape))[::-1]),
    "apart": lambda *shape: random(*shape, 3)[..., 1],
    "repeated": lambda *shape: random(shape[-1]).expand(*shape),
}


@BOTH
@pytest.mark.parametrize("view", VIEWS)
@ALL
def test_strides_of_anything_do_not_matter(kind, view, fused):
    """Inputs, states and cotangents that run backwards, are turned, stand apart or repeat themselves."""
    layer = layer_of(kind)
    layer.fused = fused
    count = 2 if kind is LSTM else 1
    views = [VIEWS[view](*shape) for shape in [(5, 2, 3), *[(1, 2, 4)] * count, (5, 2, 4)]]
    assert not any(v.data.flags.c_contiguous for v in views)
    results = []
    for form in (lambda v: v.detach(), lambda v: mg.tensor(np.array(v.numpy(), order="C"))):
        x, *state, cotangent = (form(v) for v in views)
        for part in (x, *state):
            part.requires_grad_()
        output = layer(x, tuple(state) if kind is LSTM else state[0], lengths=[5, 3])[0]
        results.append([output, *mg.grad(output, [x, *state, *layer.parameters()], [cotangent])])
    for strided, plain in zip(*results, strict=True):
        same(strided, plain)


@BOTH
@pytest.mark.parametrize("proj_size", [0, 2])
def test_shapes_with_a_projection(proj_size, fused):
    """What is projected is h, wherever it goes: out, back, up. The cell is not."""
    layer = LSTM(3, 4, 2, bidirectional=True, proj_size=proj_size)
    layer.fused = fused
    features = proj_size or 4
    output, (h, c) = layer(mg.zeros(5, 2, 3))
    assert output.shape == (5, 2, 2 * features)
    assert h.shape == (4, 2, features)
    assert c.shape == (4, 2, 4)
    shapes = {name: parameter.shape for name, parameter in layer.named_parameters()}
    assert shapes["weight_hh_l0"] == (16, features)
    assert shapes["weight_ih_l1_reverse"] == (16, 2 * features)
    assert ("weight_hr_l0" in shapes) == bool(proj_size)
    if proj_size:
        assert shapes["weight_hr_l1_reverse"] == (2, 4)
    layer(mg.zeros(5, 2, 3), (h, c))


@ALL
def test_layers_survive_pickling_copying_and_renaming(kind):
    layer, x = layer_of(kind, 3, 4, 2, bidirectional=True), random(5, 2, 3)
    expected = flat(layer(x, lengths=[5, 2]))
    other = kind(3, 4, 2, bidirectional=True).double()
    other.load_state_dict(layer.state_dict())
    for twin in (pickle.loads(pickle.dumps(layer)), copy.deepcopy(layer), other):  # noqa: S301 - our own bytes
        for a, b in zip(flat(twin(x, lengths=[5, 2])), expected, strict=True):
            assert np.array_equal(a.numpy(), b.numpy())
        assert not {id(p) for p in twin.parameters()} & {id(p) for p in layer.parameters()}
    backward = kind(3, 4).double()
    ending = "_l0_reverse"
    backward.load_state_dict(
        {name.removesuffix("_reverse"): p for name, p in layer.state_dict().items() if name.endswith(ending)}
    )
    one = layer_of(kind, bidirectional=True)
    one.load_state_dict({name: p for name, p in layer.state_dict().items() if "_l0" in name})
    same(one(x)[0][..., 4:], mg.flip(backward(mg.flip(x, 0))[0], 0))


# ---- gradients ---------------------------------------------------------------------------------------------------


@BOTH
@ALL
def test_a_layer_used_twice_side_by_side_gets_both_gradients(kind, fused):
    layer, x, y = layer_of(kind), random(5, 2, 3, seed=1), random(3, 4, 3, seed=2)
    layer.fused = fused
    parameters = list(layer.parameters())
    apart = [mg.grad(layer(v)[0].square().sum(), parameters) for v in (x, y)]
    together = mg.grad((layer(x)[0].square().sum() + layer(y)[0].square().sum()), parameters)
    for a, first, second in zip(together, *apart, strict=True):
        same(a, first + second)


@BOTH
@ALL
def test_a_matrix_in_two_layers_gets_both_gradients(kind, fused):
    first, second = layer_of(kind, 4, 4), layer_of(kind, 4, 4)
    separate = copy.deepcopy(second)
    second.weight_hh_l0 = first.weight_hh_l0
    separate.weight_hh_l0.data = first.weight_hh_l0.numpy().copy()
    first.fused = second.fused = separate.fused = fused
    x = random(5, 2, 4)
    (tied,) = mg.grad(second(first(x)[0])[0].square().sum(), [first.weight_hh_l0])
    a, b = mg.grad(separate(first(x)[0])[0].square().sum(), [first.weight_hh_l0, separate.weight_hh_l0])
    same(tied, a + b)


@BOTH
@pytest.mark.parametrize(
    ("kind", "which"), [(kind, part) for kind in KINDS for part in ("output", "h", "c")[: 3 if kind is LSTM else 2]]
)
def test_gradients_through_one_result_alone(kind, which, fused):
    """chainer#2505 (NaN), chainer#4043: nothing arrives for the others, and that is a gradient of zero."""
    layer, x = layer_of(kind, 2, 3, bidirectional=True), random(3, 2, 2)
    layer.fused = fused
    state, parts = state_of(kind, 2, 2, 3)
    index = ["output", "h", "c"].index(which)
    assert mg.gradcheck(lambda *_: flat(layer(x, state, lengths=[3, 1]))[index], x, *parts, *layer.parameters())


@BOTH
@ALL
def test_the_last_state_weighs_once(kind, fused):
    """pytorch#95137: through the last state, weights had twice the gradient that they have through the last output."""
    layer, x = layer_of(kind), random(4, 2, 3)
    layer.fused = fused
    sources = [x, *layer.parameters()]
    gradients = []
    for choose in (lambda y, h: y[-1], lambda y, h: h[0], lambda y, h: y[-1] + h[0]):
        output, h, *_ = flat(layer(x))
        gradients.append(mg.grad(choose(output, h).square().sum(), sources))
    for by_output, by_state, by_both in zip(*gradients, strict=True):
        same(by_state, by_output)
        same(by_both, by_output * 4)


@BOTH
@ALL
def test_an_empty_row_hands_its_gradient_to_its_initial_state(kind, fused):
    """pytorch#4582, pytorch#50192: such rows were errors."""
    layer, x = layer_of(kind), random(4, 3, 3)
    layer.fused = fused
    state, parts = state_of(kind, 1, 3, 4)
    output, *last = flat(layer(x, state, lengths=[4, 0, 2]))
    cotangents = [random(*y.shape, seed=20 + k) for k, y in enumerate([output, *last])]
    dx, *initial = mg.grad([output, *last], [x, *parts], cotangents)
    assert not dx.numpy()[:, 1].any()
    for after, given, gradient, cotangent in zip(last, parts, initial, cotangents[1:], strict=True):
        assert np.array_equal(after.numpy()[:, 1], given.numpy()[:, 1])
        assert np.array_equal(gradient.numpy()[:, 1], cotangent.numpy()[:, 1])


@BOTH
def test_a_deep_graph_is_walked_and_freed_without_recursion(fused):
    """pytorch#5534, micrograd#90."""
    layer = layer_of(RNN, 1, 1)
    layer.fused = fused
    steps = sys.getrecursionlimit() + 500
    gc.collect()
    gc.disable()
    try:
        output, _ = layer(mg.ones(steps, 1, 1, dtype=mg.float64))
        output.sum().backward()
        del output
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert np.isfinite(layer.weight_hh_l0.grad.numpy()).all()


# ---- dropout -----------------------------------------------------------------------------------------------------


@BOTH
@ALL
def test_backward_uses_the_mask_of_the_forward(kind, fused):
    """pytorch#190056: backward of several layers ignored it."""
    layer, x = layer_of(kind, 2, 3, 2, dropout=0.5), random(3, 2, 2)
    layer.fused = fused

    def function(*_):
        mg.manual_seed(5)
        return layer(x)[0]

    assert mg.gradcheck(function, x, *layer.parameters())


@BOTH
@ALL
def test_dropout_of_nothing_and_of_everything(kind, fused):
    plain, none, all_ = (layer_of(kind, 3, 4, 2, dropout=p) for p in (0.0, 0.0, 1.0))
    plain.fused = none.fused = all_.fused = fused
    x = random(5, 2, 3)
    mg.manual_seed(3)
    same(none(x)[0], plain(x)[0])
    drawn = mg.rand(3)
    mg.manual_seed(3)
    assert drawn.tolist() == mg.rand(3).tolist()  # nothing was drawn for a dropout of nothing
    upper = kind(4, 4).double()
    upper.load_state_dict({name.replace("_l1", "_l0"): p for name, p in all_.state_dict().items() if "_l1" in name})
    output, _ = all_(x)
    same(output, upper(mg.zeros(5, 2, 4, dtype=mg.float64))[0])
    lower = [p for name, p in all_.named_parameters() if "_l0" in name]
    for gradient in mg.grad(output.sum(), [x, *lower]):
        assert not gradient.numpy().any()
    same(all_.eval()(x)[0], plain(x)[0])


@BOTH
@ALL
def test_zoneout_has_a_mask_for_every_step(kind, fused):
    """haste#43: backward used the mask of the first step for all steps."""
    layer, x = layer_of(kind, 2, 3, zoneout=0.5), random(4, 2, 2)
    layer.fused = fused
    state, parts = state_of(kind, 1, 2, 3)
    stayed = []

    def function(*_):
        mg.manual_seed(5)
        output, *_ = flat(layer(x, state))
        before = mg.concat([parts[0], output[:-1]])
        stayed.append((before == output).numpy())
        return output

    assert mg.gradcheck(function, x, *parts, *layer.parameters())
    assert all(np.array_equal(mask, stayed[0]) for mask in stayed)
    assert len({mask.tobytes() for mask in stayed[0]}) > 1
    assert 0 < stayed[0].mean() < 1


@BOTH
@ALL
def test_zoneout_is_its_expectation_in_evaluation(kind, fused):
    chances = (0.25, 0.5) if kind is LSTM else 0.25
    plain, layer = layer_of(kind), layer_of(kind, zoneout=chances)
    layer.fused = fused
    (state, parts), x = state_of(kind, 1, 2, 4), random(1, 2, 3)
    _, *new = flat(plain(x, state))
    _, *mixed = flat(layer.eval()(x, state))
    for p, before, after, value in zip((0.25, 0.5), parts, new, mixed, strict=False):
        same(value, p * before + (1 - p) * after)


@BOTH
@ALL
def test_a_variational_mask_is_one_for_a_sequence_and_fresh_for_the_next(kind, fused):
    """dynet#1053: kept with the module, it did not fit a batch of another size."""
    layer = layer_of(kind, 16, 4, variational=(0.5, 0.0, 0.0))
    layer.fused = fused
    masks = []
    for size in (4, 2, 4):
        x = random(5, size, 16)
        seen = mg.grad(layer(x)[0].square().sum(), x)[0].numpy() != 0
        assert (seen == seen[0]).all()  # the same at all steps
        assert 0 < seen.mean() < 1
        assert not (seen[0] == seen[0, 0]).all()  # and another for each sequence
        masks.append(seen[0])
    assert not np.array_equal(masks[0], masks[2])


@BOTH
@pytest.mark.parametrize("which", range(3))
@ALL
def test_backward_uses_the_variational_mask_of_the_forward(kind, which, fused):
    layer, x = layer_of(kind, 2, 3, variational=tuple(np.eye(3)[which] * 0.5)), random(3, 2, 2)
    layer.fused = fused

    def function(*_):
        mg.manual_seed(5)
        return layer(x)[0]

    assert mg.gradcheck(function, x, *layer.parameters())


@BOTH
@ALL
def test_weight_dropout_leaves_the_weights_alone(kind, fused):
    """awd-lstm-lm#8, Better_LSTM_PyTorch#7, pytorch#32346: dropped for good, or never."""
    plain, layer = layer_of(kind), layer_of(kind, weight_dropout=0.5)
    layer.fused = fused
    x, before = random(4, 2, 3), {name: p.numpy().copy() for name, p in layer.named_parameters()}
    output, expected = layer(x)[0], plain(x)[0]
    same(output[0], expected[0])  # from a state of zeros, the first step has no use for them
    assert not np.allclose(output.numpy()[1:], expected.numpy()[1:])
    (gradient,) = mg.grad(output[1].sum(), layer.weight_hh_l0)
    assert 0.2 < (gradient.numpy() == 0).mean() < 0.8
    assert not np.array_equal(layer(x)[0].numpy(), output.numpy())  # drawn anew
    same(layer.eval()(x)[0], expected)
    for name, parameter in layer.named_parameters():
        assert np.array_equal(parameter.numpy(), before[name])


# ---- normalisation -----------------------------------------------------------------------------------------------


@BOTH
def test_the_two_layer_norms_part_when_the_cell_is_carried_on(fused):
    """Both put out a normalised cell; only one carries it on."""
    layers = [layer_of(LSTM, layer_norm=kind) for kind in ("ba", "torch")]
    for layer in layers:
        layer.fused = fused
    x, state = random(3, 2, 3), (mg.zeros(1, 2, 4, dtype=mg.float64),) * 2
    (a, (_, c_a)), (b, (_, c_b)) = (layer(x, state) for layer in layers)
    same(a[0], b[0])
    assert np.abs(a.numpy()[1:] - b.numpy()[1:]).max() > 1e-3
    assert np.abs(c_b.numpy().mean(-1)).max() < 1e-12 < np.abs(c_a.numpy().mean(-1)).max()


@BOTH
@ALL
def test_a_layer_norm_of_equal_numbers_is_zeros(kind, fused):
    """A variance of zero, from weights or inputs of zero, is not divided by."""
    layer = layer_of(kind, layer_norm="ba")
    layer.fused = fused
    for name, parameter in layer.named_parameters():
        if name.startswith("weight"):
            parameter.data = np.zeros(parameter.shape)
    x = random(4, 2, 3)
    output = layer(x)[0]
    for value in (output, *mg.grad(output.square().sum(), [x, *layer.parameters()])):
        assert np.isfinite(value.numpy()).all()


@ALL
def test_batch_norm_beyond_the_steps_it_has_seen(kind):
    """They are normalised like the last one of those; in training they leave no statistics."""
    layer, shorter, longer = (layer_of(kind, batch_norm=steps) for steps in (3, 3, 9))
    seen = random(5, 8, 3)
    layer(seen)
    shorter(seen[:3])
    x = random(9, 1, 3, seed=1)
    for (name, kept), (_, same_kept) in zip(layer.named_buffers(), shorter.named_buffers(), strict=True):
        same(kept, same_kept)
        assert len({row.tobytes() for row in kept.numpy()}) == 3
        rows = kept.numpy()[[0, 1, 2, 2, 2, 2, 2, 2, 2]]
        dict(longer.named_buffers())[name].data[...] = rows
    output = layer.eval()(x)[0]
    assert np.isfinite(output.numpy()).all()
    same(output, longer.eval()(x)[0])


def test_a_forget_bias_is_set_on_one_of_the_two_biases():
    layer = LSTM(3, 4, forget_bias=1.0)
    assert (layer.bias_ih_l0 + layer.bias_hh_l0)[4:8].tolist() == [1.0] * 4
    assert LSTM(3, 4).bias_ih_l0[4:8].tolist() != [1.0] * 4


# ---- lengths -----------------------------------------------------------------------------------------------------


@BOTH
@ALL
def test_the_backward_direction_ends_at_the_first_step_of_its_row(kind, fused):
    """pytorch#3587, keras#4192: the output at the last step is the last state of one direction only."""
    layer, x, lengths = layer_of(kind, bidirectional=True), random(5, 4, 3), [3, 5, 0, 1]
    layer.fused = fused
    state, parts = state_of(kind, 2, 4, 4)
    output, h, *_ = flat(layer(x, state, lengths=lengths))
    last = last_output(output, lengths)
    for row, length in enumerate(lengths):
        if not length:
            same(h[:, row], parts[0][:, row])
            continue
        same(h[0, row], output[length - 1, row, :4])
        same(h[1, row], output[0, row, 4:])
        same(last[row, :4], h[0, row])
        assert np.allclose(last.numpy()[row, 4:], h.numpy()[1, row]) == (length == 1)


@BOTH
@ALL
def test_padding_on_the_left_is_as_on_the_right(kind, fused):
    """tensorflow#33148: NaN came out of rows that all end together."""
    layer, lengths = layer_of(kind, 3, 4, 2, bidirectional=True), [3, 5, 0, 1]
    layer.fused = fused
    rows = [random(length, 3, seed=length) for length in lengths]
    left, right = (pad_sequence(rows, padding_value=np.nan, padding_side=side) for side in ("left", "right"))
    mask = np.arange(5)[:, None] >= 5 - np.array(lengths)
    output, *last = flat(layer(left, mask=mask))
    expected, *states = flat(layer(right, lengths=lengths))
    same(pad_sequence(unpad_sequence(output, lengths, padding_side="left")), expected)
    assert not output.numpy()[~mask].any()
    for one, other in zip(last, states, strict=True):
        same(one, other)


@BOTH
@ALL
def test_holes_in_a_mask_are_as_if_they_were_not_there(kind, fused):
    """tensorflow#36139, keras#8620: holes, and rows of nothing else."""
    layer, x = layer_of(kind, bidirectional=True), np.random.default_rng(0).normal(size=(6, 3, 3))
    layer.fused = fused
    mask = np.array([[0, 1, 1, 0, 1, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 1, 1, 1]], bool).T
    x[~mask] = np.nan
    state, parts = state_of(kind, 2, 3, 4)
    x = mg.tensor(x, requires_grad=True)
    output, *last = flat(layer(x, state, mask=mask))
    gradient, *_ = mg.grad(output.sum(), [x, *layer.parameters()])
    assert not output.numpy()[~mask].any()
    assert not gradient.numpy()[~mask].any()
    for row, seen in enumerate(mask.T):
        own = [part[:, row : row + 1] for part in parts]
        alone, *after = flat(layer(mg.tensor(x.numpy()[seen, row][:, None]), tuple(own) if kind is LSTM else own[0]))
        np.testing.assert_allclose(output.numpy()[seen, row], alone.numpy()[:, 0], rtol=1e-12)
        for whole, part in zip(last, after, strict=True):
            same(whole[:, row], part[:, 0])


@BOTH
@ALL
def test_packed_batches_and_lists_come_back_in_their_own_order(kind, fused):
    """vsepp#36: the sorting was not undone. Unsorted, with ties and an empty row."""
    layer, lengths = layer_of(kind, 3, 4, 2, bidirectional=True), [2, 4, 0, 4, 1]
    layer.fused = fused
    rows = [random(length, 3, seed=row) for row, length in enumerate(lengths)]
    expected, *last = flat(layer(pad_sequence(rows), lengths=lengths))
    packed, *from_packed = flat(layer(pack_sequence(rows)))
    listed, *from_list = flat(layer(rows))
    for values in (unpack_sequence(packed), listed):
        for row, (length, value) in enumerate(zip(lengths, values, strict=True)):
            same(value, expected[:length, row])
    for parts in (from_packed, from_list):
        for part, value in zip(parts, last, strict=True):
            same(part, value)


# ---- truncation --------------------------------------------------------------------------------------------------


def windows(layer, x, moved, length):
    """Windows of ``length`` steps, each ending ``moved`` steps after the one before, and the loss of its last steps."""
    with mg.no_grad():
        states = [None]
        for x_t in x:
            states.append(layer.step(x_t, states[-1])[1])
    for end in range(moved, len(x) + 1, moved):
        start = max(0, end - length)
        output, _ = layer(x[start:end], detach_state(states[start]))
        yield start, end, output


@ALL
def test_windows_that_overlap_see_as_far_as_they_are_long(kind):
    """pytorch#49236: windows of 4 steps, moved by 2. The state that each starts from is kept, cut off."""
    layer, x = layer_of(kind), random(8, 2, 3)
    whole, _ = layer(x)
    for start, end, output in windows(layer, x, moved=2, length=4):
        same(output, whole[start:end])
        (gradient,) = mg.grad(output[-2:].sum(), x)
        assert not gradient.numpy()[:start].any()
        assert gradient.numpy()[start:end].all()
        assert not gradient.numpy()[end:].any()


@ALL
def test_a_window_as_long_as_the_sequence_truncates_nothing(kind):
    layer, x = layer_of(kind), random(8, 2, 3)
    parameters = list(layer.parameters())
    full = mg.grad(layer(x)[0].square().sum(), parameters)
    losses = [output[-2:].square().sum() for _, _, output in windows(layer, x, moved=2, length=8)]
    for a, b in zip(mg.grad(sum(losses), parameters), full, strict=True):
        same(a, b, rtol=1e-10)


def test_clipping_leaves_gradients_of_zero_and_mixes_dtypes():
    """The norm of nothing divides nothing; a module in two dtypes has one norm."""
    a, b = mg.zeros(2, requires_grad=True), mg.zeros(2, dtype=mg.float64, requires_grad=True)
    a.grad, b.grad = mg.zeros(2), mg.zeros(2, dtype=mg.float64)
    assert clip_grad_norm_([a, b], 1.0).item() == 0.0
    assert a.grad.tolist() == b.grad.tolist() == [0.0, 0.0]
    a.grad, b.grad = mg.tensor([3.0, 0.0]), mg.tensor([0.0, 4.0], dtype=mg.float64)
    assert clip_grad_norm_([a, b], 1.0).item() == pytest.approx(5.0)
    np.testing.assert_allclose([*a.grad.tolist(), *b.grad.tolist()], [0.6, 0, 0, 0.8], rtol=1e-5)
    assert a.grad.dtype == mg.float32
    assert b.grad.dtype == mg.float64


# ---- numbers -----------------------------------------------------------------------------------------------------


@BOTH
@ALL
def test_float32_is_float64_to_its_own_accuracy(kind, fused):
    results = []
    for dtype in (mg.float64, mg.float32):
        layer = layer_of(kind, 8, 16, 2, bidirectional=True).to(dtype)
        layer.fused = fused
        x = random(40, 3, 8).detach().to(dtype).requires_grad_()
        output = layer(x, lengths=[40, 7, 21])[0]
        results.append([output, *mg.grad(output.square().sum(), [x, *layer.parameters()])])
    for exact, value in zip(*results, strict=True):
        assert value.dtype == mg.float32
        scale = np.abs(exact.numpy()).max()
        assert np.abs(value.numpy() - exact.numpy()).max() < 2e-6 * max(scale, 1)


WITH_THREADS = """
import sys
import numpy as np
import minigrad as mg
from minigrad_rnn import GRU, LSTM, RNN
results = []
for kind in (RNN, LSTM, GRU):
    mg.manual_seed(0)
    layer = kind(64, 96)
    output, _ = layer(mg.randn(20, 48, 64))
    results += [output, *mg.grad(output.square().sum(), list(layer.parameters()))]
np.savez(sys.argv[1], *[result.numpy() for result in results])
"""


def test_the_number_of_threads_changes_nothing_but_rounding(tmp_path):
    results = []
    for threads in ("1", "2"):
        path = tmp_path / f"{threads}.npz"
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads)}
        subprocess.run([sys.executable, "-c", WITH_THREADS, str(path)], env=environment, check=True)  # noqa: S603
        with np.load(path) as file:
            results.append(list(file.values()))
    for one, two in zip(*results, strict=True):
        assert np.abs(one - two).max() <= 1e-5 * np.abs(one).max()

