import contextlib
import gc
import math

import numpy as np
import pytest

import minigrad as mg
from minigrad.inspect.values import Moments


def leaf(values):
    return mg.tensor(values, requires_grad=True)


def test_anomaly_names_the_op_its_place_and_the_range_of_its_input():
    x = leaf([1.0, -1.0, 4.0])
    with pytest.raises(mg.GraphError) as caught, mg.inspect.detect_anomaly(), mg.scope("encoder", step=2):
        x.log()
    lines = str(caught.value).splitlines()
    assert lines[0] == "the output of log has nan in it: 1 of 3 elements, the first at (1,)"
    assert lines[1].startswith("  made at test_observers.py:")
    assert lines[1].endswith("in encoder/t=2")
    assert lines[2] == "  x  (3,) float32, from -1 to 4"


def test_anomaly_without_recording():
    message = r"the output of log has nan in it: its only element\n  made at test_observers.py"
    with pytest.raises(mg.GraphError, match=message), mg.inspect.detect_anomaly(), mg.no_grad():
        mg.tensor(-1.0).log()


def test_anomaly_in_backward_names_the_rule():
    x = leaf([4.0, 0.0])
    with mg.inspect.detect_anomaly():
        y = (x.sqrt() * 2).sum()
        with pytest.raises(mg.GraphError, match="gradient that sqrt sends to its input x has inf in it") as caught:
            y.backward()
    assert "while differentiating sqrt, made at test_observers.py:" in str(caught.value)
    assert "detect_anomaly(inf=False)" in str(caught.value)


def test_anomaly_in_the_gradient_given():
    y = leaf([1.0, 2.0]) * 2
    with mg.inspect.detect_anomaly(), pytest.raises(mg.GraphError, match="arrived at the output of mul has nan"):
        y.backward(mg.tensor([1.0, math.nan]))


def test_anomaly_lets_infinities_pass_if_told():
    x = leaf([1.0, 2.0])
    mask = mg.tensor([True, False])
    with mg.inspect.detect_anomaly(inf=False):
        x.masked_fill(mask, -math.inf).softmax(-1)[1].backward()
    assert np.isfinite(x.grad.numpy()).all()


def test_anomaly_says_nothing_about_sound_values_and_integers():
    with mg.inspect.detect_anomaly():
        x = leaf([1.0, 2.0])
        (x * mg.tensor([1, 2])).sum().backward()
        a, b = x.chunk(2)
        (a - b).sum().backward()
        (gx,) = mg.grad((x**3).sum(), x, create_graph=True)
        gx.sum().backward()


def test_anomaly_tells_inputs_that_are_bad_already():
    x = leaf([math.nan, 1.0])
    with mg.inspect.detect_anomaly(), pytest.raises(mg.GraphError, match=r"\(2,\) float32, from 1 to 1, 1 not finite"):
        x * x
    with mg.inspect.detect_anomaly(), pytest.raises(mg.GraphError, match="nothing in it is finite"):
        leaf([math.nan]).log()


def test_warnings_are_back_after_the_block():
    with mg.inspect.detect_anomaly():
        pass
    with pytest.warns(RuntimeWarning):
        leaf([-1.0]).log()


def test_profile_counts_and_times():
    x = leaf([1.0, 2.0])
    with mg.inspect.profile(synchronize=True) as times:
        for _ in range(3):
            x = x * 2
        x.sum().backward()
    assert times.calls == {
        ("mul", "forward"): 3, ("sum", "forward"): 1, ("sum", "backward"): 1, ("mul", "backward"): 3,
    }  # fmt: skip
    assert all(seconds > 0 for seconds in times.seconds.values())
    head, *rows = str(times).splitlines()
    assert head.split() == ["op", "pass", "calls", "ms", "µs/call", "share"]
    assert len(rows) == 4


def test_memory_counts_results_and_not_views():
    with mg.inspect.memory() as made, mg.scope("net"):
        (mg.ones(4, 4) * 2).reshape(16).reshape(2, 8) + 1
    assert made.by_op == {"mul": 64, "reshape": 0, "add": 64}
    assert made.by_scope == {"net": 128}
    assert "net      128" in made.to_text()
    with mg.inspect.memory() as made:
        (mg.ones(1, requires_grad=True) * 2).backward()
    assert made.by_op == {"mul": 4}


def test_activations():
    with mg.inspect.activations(ops=["relu"]) as seen:
        for t in range(2):
            with mg.scope("rnn", step=t):
                (mg.tensor([-1.0, 3.0]) * 1).relu()
    assert list(seen.found) == [("rnn/t=0", "relu"), ("rnn/t=1", "relu")]
    m = seen.found["rnn/t=1", "relu"]
    assert (m.count, m.mean, m.std, m.low, m.high, m.zeros, m.nonfinite) == (2, 1.5, 1.5, 0.0, 3.0, 1, 0)
    assert "50%" in str(seen)
    with mg.inspect.activations() as seen:
        mg.tensor([1, 2]) * 2
    assert seen.found == {}


def test_moments_leave_out_what_is_not_finite():
    m = Moments()
    m.add(np.array([1.0, math.nan, math.inf]))
    m.add(np.array([], dtype=np.float32))
    assert (m.count, m.nonfinite, m.mean) == (1, 2, 1.0)
    assert math.isnan(Moments().mean)
    assert math.isnan(Moments().std)


def recurrent(steps, factor):
    w = mg.tensor([[factor]], requires_grad=True)
    w.name = "w"
    h = mg.ones(1, 1)
    for t in range(steps):
        with mg.scope("rnn", step=t):
            h = h @ w
    return h.sum(), w


def test_gradient_flow_through_time():
    loss, w = recurrent(5, 0.5)
    flow = mg.inspect.gradient_flow(loss)
    by_step = {row.step: row.norm for row in flow.rows() if row.scope == "rnn"}
    assert by_step == {0: 1 / 16, 1: 1 / 8, 2: 1 / 4, 3: 1 / 2, 4: 1.0}
    assert flow.leaves() == {"w": pytest.approx(5 / 16)}
    assert w.grad is None
    loss.backward()  # the graph was not freed
    assert w.grad.item() == pytest.approx(5 / 16)


def test_gradient_flow_table():
    text = str(mg.inspect.gradient_flow(recurrent(3, 0.0)[0]))
    head, first, *_ = text.splitlines()
    assert head.split() == ["place", "t", "ops", "‖g‖", "largest", "log", "‖g‖"]
    assert first.split() == ["rnn", "0", "1", "0", "0", "0"]
    assert text.splitlines()[-1].split() == ["w", "0"]
    with mg.scope("before"):
        y = mg.ones(1, requires_grad=True) * 1.0
    assert str(mg.inspect.gradient_flow(y * math.inf)).splitlines()[1].endswith("inf      inf  not finite")


def test_gradient_flow_of_several_outputs_and_elements():
    x = leaf([[3.0, 4.0]])
    a, b = x.chunk(2, dim=1)
    flow = mg.inspect.gradient_flow(a * 3 + b * 4, gradient=[[1.0]])
    assert flow.norms[1] == pytest.approx(5.0)  # both halves of the split together
    y = x * 2
    assert mg.inspect.gradient_flow(y, gradient=mg.tensor([[3.0, 4.0]])).norms == {1: 5.0, 0: 10.0}


def test_gradient_flow_refuses():
    x = leaf([1.0, 2.0])
    with pytest.raises(mg.GraphError, match="needs a gradient of that shape"):
        mg.inspect.gradient_flow(x * 2)
    with pytest.raises(mg.GraphError, match="no op recorded it"):
        mg.inspect.gradient_flow(mg.ones(1))
    with pytest.raises(mg.GraphError, match="takes one tensor"):
        mg.inspect.gradient_flow([x * 2, x])


def test_nothing_is_left_for_the_garbage_collector():
    def use():
        x = leaf([1.0, 2.0])
        for kind in (mg.inspect.profile, mg.inspect.memory, mg.inspect.activations, mg.inspect.detect_anomaly):
            with kind():
                (x * 2).sum().backward()
        with contextlib.suppress(mg.GraphError), mg.inspect.detect_anomaly():
            (x - 5).log()
        mg.inspect.gradient_flow((x * 2).sum())

    use()
    gc.collect()
    gc.disable()
    try:
        use()
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_all_of_it_on_a_device(cuda):
    x = mg.ones(2, 4, device="cuda", requires_grad=True)
    index = mg.tensor([1, 0], device="cuda")
    with mg.inspect.profile(synchronize=True), mg.inspect.memory() as made, mg.inspect.activations() as seen:
        a, b = (x[index] * 0.5).chunk(2, dim=1)
        y = (a * b).sum()
    assert made.by_op["mul"] == 32 + 16
    assert seen.found["", "sum"].mean == 1.0
    assert mg.inspect.gradient_flow(y).norms[0] == pytest.approx(math.sqrt(8) / 4)
    y.backward()
    graph = mg.graph(y, grads=True)
    assert graph.nodes[0].grad_norm == pytest.approx(math.sqrt(8) / 4)
    assert graph.nodes[1].params == {"index": "int64[2]"} or graph.nodes[2].params == {"index": "int64[2]"}
    message = r"nan in it: 4 of 8 elements, the first at \(0, 0\)"
    with mg.inspect.detect_anomaly(), pytest.raises(mg.GraphError, match=message):
        (x - mg.tensor([2.0, 0.0, 2.0, 0.0], device="cuda")).log()


def test_graph_waits_for_the_device_only_for_gradients(cuda):
    x = mg.ones(3, device="cuda", requires_grad=True)
    y = (x * 2).sum()
    y.backward()
    with cuda.waits(0):
        mg.graph(y).to_json()
    with cuda.waits(1):
        mg.graph(y, grads=True)


def test_gradient_flow_tells_which_parameters_are_outside_the_graph():
    model = mg.nn.Sequential(mg.nn.Linear(2, 2), mg.nn.Linear(2, 1, bias=False))
    model[0].bias.requires_grad = False
    flow = mg.inspect.gradient_flow(model[0](mg.ones(1, 2)).sum(), model=model)
    assert flow.parameters == {"0.weight": pytest.approx(2.0), "1.weight": None}
    assert flow.outside() == ["1.weight"]
    assert str(flow).endswith("outside the graph: 1.weight")
    assert mg.inspect.gradient_flow(leaf([1.0]) * 2).parameters == {}
    with pytest.raises(TypeError, match="model is a module, not list"):
        mg.inspect.gradient_flow(leaf([1.0]) * 2, model=[])


def test_gradient_flow_of_a_freed_graph_says_what_to_do():
    y = leaf([1.0]) * 2
    y.backward()
    with pytest.raises(mg.GraphError, match=r"freed by the backward at test_observers.py:\d+\n  hint: call grad"):
        mg.inspect.gradient_flow(y)


def test_log_bar_of_numbers_alike_is_full():
    assert mg.inspect.log_bar(2.0, [2.0, 2.0], width=3) == "███"
    assert mg.inspect.log_bar(math.nan, []) == "not finite"
    assert mg.inspect.log_bar(0.0, []) == "0"


def test_anomaly_as_data():
    with pytest.raises(mg.inspect.AnomalyError) as caught, mg.inspect.detect_anomaly(), mg.scope("encoder", step=2):
        leaf([1.0, -1.0, 4.0]).log()
    assert caught.value.places == (("encoder", 2),)
    assert mg.inspect.path(caught.value.places) == "encoder/t=2"
    assert caught.value.bad.tolist() == [False, True, False]
    assert isinstance(caught.value, mg.GraphError)


def test_anomaly_is_not_blamed_on_ops_that_rearrange():
    x = leaf([[1.0, math.nan]])
    with mg.inspect.detect_anomaly():
        a, b = x.T.reshape(2).chunk(2)
        assert a.item() == 1.0
        with pytest.raises(mg.GraphError, match="the output of mul has nan"):
            b * 2
        joined = mg.stack([mg.concat([x, x]), mg.concat([x.roll(1, 1), x.tile((1, 1))])])
        with pytest.raises(mg.GraphError, match=r"the output of mul has nan in it: 4 of 8 elements, .*at \(0, 0, 1\)"):
            joined * 2


def test_anomaly_of_a_forward_outside_says_to_have_it_inside():
    y = leaf([4.0, 0.0]).sqrt().sum()
    with mg.inspect.detect_anomaly(), pytest.raises(mg.GraphError, match="hint: run the forward inside detect_an"):
        y.backward()
    with mg.inspect.detect_anomaly(), pytest.raises(mg.GraphError) as caught:
        leaf([4.0, 0.0]).sqrt().sum().backward()
    assert "run the forward" not in str(caught.value)


def test_whether_anomalies_are_being_detected():
    seen = []
    with mg.inspect.detect_anomaly(), mg.inspect.profile():
        seen.append(mg.inspect.detecting_anomalies())
    with mg.observe(lambda event: None), mg.inspect.profile():
        seen.append(mg.inspect.detecting_anomalies())
    assert seen == [True, False]


def test_places_of_the_running_code():
    assert mg.inspect.places() == ()
    assert mg.inspect.path(()) == mg.inspect.place(()) == ""
    with mg.scope("a"), mg.scope("[0]", step=1), mg.scope("b"):
        places = mg.inspect.places()
    assert mg.inspect.path(places) == "a[0]/t=1/b"
    assert mg.inspect.place(places) == "a[0].b"
