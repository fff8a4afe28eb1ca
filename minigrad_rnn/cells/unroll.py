"""A recurrence over a sequence, every op recorded."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy

import minigrad as mg

from .ends import ends_of, ends_recorded
from .noise import Zones, mixed
from .recurrence import Recurrence, State
from .watch import name_running, show
from .weights import Weights

Running = numpy.ndarray[Any, numpy.dtype[numpy.bool_]]


class Run(NamedTuple):
    """What a recurrence makes of a sequence.

    Attributes:
        output: ``(T, N, features)``.
        last: the parts of the last state, ``(N, size)``.
        states: if they were asked for, those of every step, ``(T, N, size)``.
    """

    output: mg.Tensor
    last: State
    states: State = ()


def unroll(
    recurrence: Recurrence,
    x: mg.Tensor,
    state: State,
    w: Weights,
    zones: Zones = (),
    reverse: bool = False,
    running: Running | None = None,
    every: bool = False,
) -> Run:
    """Run a recurrence over ``(T, N, input_size)``, each step in a scope ``t=...``.

    Args:
        recurrence: the equations.
        x: the inputs.
        state: the parts of the state to begin with.
        w: what the equations use.
        zones: which units stay as they are at which step, see :class:`Noise`.
        reverse: whether to go from the last step to the first.
        running: where there is an element, booleans ``(T, N)`` on the host; ``None``: everywhere. Elsewhere the input
            is not looked at, the output is zeros and the state stays as it is. So the result is that of each row
            without its gaps, in whatever place they are.
        every: whether to return the states of every step too; zeros where there is no element.
    """
    steps = x.shape[0]
    if not steps:
        return _no_steps(recurrence, x, state, w, every)
    if running is not None and w.statistics is not None:
        places = numpy.argsort(running if reverse else ~running, 0, kind="stable")
        lined_up = numpy.take_along_axis(running, places, 0)
        if not numpy.array_equal(lined_up, running):
            return _lined_up(places, recurrence, x, state, w, zones, reverse, lined_up, every)
    plain = running is None and w.statistics is None and not (zones or every or recurrence.time_skips)
    if plain and (ends := ends_of(steps)):
        return Run(*ends_recorded(recurrence, x, state, w, reverse, ends))
    steps_before = range(steps)[::-1] if reverse else range(steps)
    rows = None if running is None else mg.tensor(running, device=x.device).unsqueeze(-1)
    if rows is not None:
        x = mg.where(rows, x, 0.0)
    inputs = list(enumerate(recurrence.project(x, _at(w, steps_before, rows)).unbind()))
    outputs, states = [], []
    for t, projected in reversed(inputs) if reverse else inputs:
        with mg.scope(step=t):
            here = None if rows is None else rows[t]
            if here is not None and running is not None:
                name_running(here, running[t])
            after = mixed(zones, t, recurrence.advance(projected, state, _at(w, steps_before[t], here)), state)
            show(recurrence, after, None if running is None else running[t])
            outputs.append(_shown(recurrence.output(after), here))
            if every:
                states.append([_shown(part, here) for part in after])
            state = after if here is None else _stay(here, after, state)
    order = slice(None, None, -1) if reverse else slice(None)
    together = tuple([mg.stack(part[order]) for part in zip(*states, strict=True)])
    return Run(mg.stack(outputs[order]), state, together)


def _lined_up(
    places: Any,
    recurrence: Recurrence,
    x: mg.Tensor,
    state: State,
    w: Weights,
    zones: Zones,
    reverse: bool,
    running: Running,
    every: bool,
) -> Run:
    """:func:`unroll` with the elements of each row, whose ``places`` these are, where the direction begins.

    Statistics are about steps: the k-th is the k-th of every row, not what stands at one place in all of them.
    """
    there, back = (mg.tensor(index, device=x.device) for index in (places, numpy.argsort(places, 0)))
    row = mg.arange(x.shape[1], device=x.device)
    zones = tuple([zone[there, row] if zone is not None and zone.ndim else zone for zone in zones])
    run = unroll(recurrence, x[there, row], state, w, zones, reverse, running, every)
    return Run(run.output[back, row], run.last, tuple([part[back, row] for part in run.states]))


def _at(w: Weights, steps: range | int, rows: mg.Tensor | None) -> Weights:
    """The weights with the statistics of some steps."""
    return w if w.statistics is None else w._replace(statistics=w.statistics.at(steps, rows))


def _no_steps(recurrence: Recurrence, x: mg.Tensor, state: State, w: Weights, every: bool) -> Run:
    """What comes of a sequence without steps: a step of no rows, so that gradients arrive everywhere, zeros."""
    rows, w = x.reshape(0, *x.shape[2:]), w._replace(statistics=None, mask_hidden=None)
    after = recurrence.advance(recurrence.project(rows, w), tuple([part[:0] for part in state]), w)
    output, *states = [part.reshape(0, x.shape[1], *part.shape[1:]) for part in (recurrence.output(after), *after)]
    return Run(output, state, tuple(states) if every else ())


def _shown(part: mg.Tensor, here: mg.Tensor | None) -> mg.Tensor:
    return part if here is None else mg.where(here, part, 0.0)


def _stay(here: mg.Tensor, after: State, before: State) -> State:
    return tuple([mg.where(here, new, old) for new, old in zip(after, before, strict=True)])
