"""The one file that knows NumPy from CuPy."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from standin import module

import minigrad as mg
from minigrad import backend

ROOT = Path(__file__).parents[2]


@pytest.fixture
def cupy_installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """CuPy can be imported, but nobody has done so yet."""
    monkeypatch.setitem(sys.modules, "cupy", module.cupy)
    monkeypatch.setitem(sys.modules, "cupyx", module.cupyx)
    monkeypatch.setitem(sys.modules, "cupyx.scipy.special", module.special)
    yield module.cupy
    if "cuda" in backend._by_kind:
        backend.unregister(backend._by_kind["cuda"])


@pytest.fixture
def cupy_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", None)


# ---- CuPy is imported when it is asked for, and only then ---------------------------------------------------------


def test_cupy_is_not_imported_unasked(tmp_path: Path) -> None:
    (tmp_path / "cupy").mkdir()
    (tmp_path / "cupy" / "__init__.py").write_text(
        "from standin import module\n"
        "globals().update(vars(module.cupy), __name__='cupy')\n"
        "module.ndarray.__module__ = 'cupy'\n"
    )
    special = tmp_path / "cupyx" / "scipy" / "special"
    special.mkdir(parents=True)
    (tmp_path / "cupyx" / "__init__.py").write_text("from standin.module import cupyx\nscatter_add = cupyx.scatter_add")
    (special.parent / "__init__.py").write_text("")
    (special / "__init__.py").write_text("from standin import module\nerf = module.special.erf\n")
    program = """
import sys
import minigrad as mg
x = mg.rand(2, 3, requires_grad=True)
(mg.tanh(x) * x).sum().backward()
print(x, x.device, x.to("cpu") is x)
assert not [name for name in sys.modules if name.startswith("cupy")], "imported unasked"
y = x.to("cuda")
assert "cupy" in sys.modules
assert y.device == "cuda" and mg.cuda.is_available()
"""
    path = [str(tmp_path), str(ROOT / "tests"), str(ROOT)]
    script = f"import sys; sys.path[:0] = {path!r}\n{program}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr


def test_an_array_of_cupy_shows_that_it_is_imported(cupy_installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.ndarray, "__module__", "cupy")
    x = mg.tensor(cupy_installed.ones(3))
    assert x.device == "cuda"
    assert (x + 1).tolist() == [2, 2, 2]


def test_without_cupy(cupy_missing: None) -> None:
    with pytest.raises(mg.DeviceError, match=r"needs CuPy.*\n.*pip install \"minigrad\[cuda12\]\""):
        mg.ones(2).to("cuda")
    assert not mg.cuda.is_available()
    assert mg.cuda.device_count() == 0
    with pytest.raises(mg.DeviceError), mg.default_device("cuda"):
        pass
    assert mg.ones(2).device == "cpu"


def test_with_cupy_but_without_a_gpu(cupy_installed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cupy_installed.cuda, "is_available", lambda: False)
    monkeypatch.setattr(cupy_installed.random, "default_rng", lambda seed=None: pytest.fail("this would need a driver"))
    with pytest.raises(mg.DeviceError, match=r"CuPy is installed, but finds no usable GPU\n.*nvidia-smi"):
        mg.ones(2, device="cuda")
    assert not mg.cuda.is_available()
    assert list(backend._by_kind) == ["cpu"]
    assert backend.on("cpu").count == 1
    mg.manual_seed(0)


def test_with_cupy_and_a_gpu(cupy_installed: Any) -> None:
    assert mg.cuda.is_available()
    assert mg.cuda.device_count() == 2
    mg.cuda.synchronize()
    with pytest.raises(mg.DeviceError, match=r'no device "cuda:2": this machine has 2'):
        mg.ones(2, device="cuda:2")


# ---- devices -----------------------------------------------------------------------------------------------------


def test_names_of_devices() -> None:
    assert str(mg.device("cuda")) == "cuda:0"
    assert repr(mg.device("cpu:0")) == "device('cpu')"
    assert mg.device(mg.device("cuda:1")).index == 1
    assert mg.device("cuda") == "cuda" == mg.device("cuda:0")
    assert mg.device("cuda:1") not in ("cuda", "cpu", "nonsense", 1, mg.device("cuda"))
    assert len({mg.device("cuda"), mg.device("cuda:0"), mg.device("cpu")}) == 2


@pytest.mark.parametrize("name", ["gpu", "", "cuda:", "cuda:x", "cuda:-1", "cpu:1", "CUDA", "cuda:0:1", 0, None])
def test_no_such_device(name: Any) -> None:
    with pytest.raises(mg.DeviceError, match='devices are "cpu", "cuda" and "cuda:N"'):
        mg.device(name)


def test_to_says_that_it_knows_no_such_device_or_dtype() -> None:
    with pytest.raises(mg.DeviceError, match='no device "gpu"'):
        mg.ones(2).to("gpu")
    assert mg.ones(2).to("float64").dtype == mg.float64


def test_there_and_back(cuda: Any) -> None:
    x = mg.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x.to("cuda")
    assert y.device == "cuda:0"
    assert y.to("cuda:0") is y
    assert y.cuda() is y
    z = (y * y).cpu()
    assert z.device == "cpu"
    z.sum().backward()
    assert x.grad is not None
    assert x.grad.device == "cpu"
    assert x.grad.tolist() == [[2, 4], [6, 8]]
    (g,) = mg.grad((x.to("cuda") ** 3).sum(), x, create_graph=True)
    assert mg.grad(g.sum(), x)[0].tolist() == [[6, 12], [18, 24]]


def test_a_tensor_on_a_device_in_a_session(cuda: Any) -> None:
    x = mg.tensor([1.5, 2.5], device="cuda")
    assert "device=cuda:0" in repr(x)
    assert type(x.numpy()) is np.ndarray
    assert x[0].item() == 1.5
    assert float(x[1]) == 2.5
    assert 2.5 in x
    assert [v.item() for v in x] == [1.5, 2.5]
    with pytest.raises(mg.MinigradError, match=r"use x\.numpy\(\)"):
        np.asarray(x)
    assert mg.tensor([x[0].item()], device="cuda").to(x).device == "cuda"
    assert (np.float32(2) * x).tolist() == (x * np.float32(2)).tolist() == [3, 5]
    assert backend.is_writable(x.data)


CREATED = {
    "tensor": lambda **to: mg.tensor([[1, 2], [3, 4]], **to),
    "zeros": lambda **to: mg.zeros(2, 3, **to),
    "ones": lambda **to: mg.ones((2, 3), **to),
    "full": lambda **to: mg.full((2,), 7.0, **to),
    "arange": lambda **to: mg.arange(2, 9, 3, **to),
    "linspace": lambda **to: mg.linspace(0, 1, 5, **to),
    "eye": lambda **to: mg.eye(2, 3, **to),
    "rand": lambda **to: mg.rand(2, 3, **to),
    "randn": lambda **to: mg.randn(4, **to),
    "randn without elements": lambda **to: mg.randn(4, 0, **to),
    "rand dropped": lambda **to: mg.dropout_mask(4, 5, p=0.3, **to),
    "float16": lambda **to: mg.randn(4, dtype=mg.float16, **to),
    "randint": lambda **to: mg.randint(3, 9, (50,), **to),
    "randperm": lambda **to: mg.randperm(9, **to),
}


@pytest.mark.parametrize("name", CREATED)
def test_created_on_a_device(cuda: Any, name: str) -> None:
    create = CREATED[name]
    host = create()
    with cuda.waits(0):
        there = create(device="cuda")
        with mg.default_device("cuda"):
            again = create()
    for x in (there, again):
        assert x.device == "cuda:0"
        assert (x.shape, x.dtype) == (host.shape, host.dtype)
    if "rand" not in name and name != "float16":
        assert there.tolist() == again.tolist() == host.tolist()
    assert mg.zeros_like(there).device == mg.rand_like(there.float()).device == "cuda"


def test_another_gpu(cuda: Any) -> None:
    if cuda.backend.count < 2:
        pytest.skip("needs two GPUs")
    with mg.default_device("cuda:1"):
        w = mg.rand(3, requires_grad=True)
        x = mg.arange(3).float().to("cuda:0").to("cuda:1")
        (w * x).sum().backward()
        assert w.device == w.grad.device == "cuda:1"
        with mg.default_device("cpu"):
            assert mg.ones(2).device == "cpu"
    assert mg.ones(2).device == "cpu"
    assert w.cpu().device == "cpu"
    assert mg.tensor(w, device="cuda:0").device == "cuda:0"


# ---- mixed devices -----------------------------------------------------------------------------------------------


def test_mixed_devices(cuda: Any) -> None:
    x, y = mg.ones(2, 3, device="cuda"), mg.ones(3)
    for op, args, mended in [
        (mg.mul, (x, y), 'y.to("cuda:0")'),
        (mg.mul, (y, x), 'x.to("cuda:0")'),
        (mg.maximum, (y, x), 'x.to("cuda:0")'),
        (mg.mul, (y.numpy(), x), 'mg.tensor(x, device="cuda:0")'),
        (mg.where, (x > 0, x, y), 'y.to("cuda:0")'),
        (mg.add, (x, np.ones(3)), 'mg.tensor(y, device="cuda:0")'),
    ]:
        with pytest.raises(mg.DeviceError) as caught:
            op(*args)
        said = str(caught.value)
        assert said.startswith(f"{op.__name__}: its arguments live on different devices")
        assert "on cuda:0" in said
        assert "on cpu" in said
        assert said.endswith(f"hint: bring them together: {mended}")
    with pytest.raises(mg.DeviceError, match=r"xs\[1\] .* on cpu"):
        mg.concat([x, mg.ones(2, 3)])


def test_two_gpus_mixed() -> None:
    """On the stand-in only: real GPUs that can read each other's memory do not refuse."""
    used = backend.CupyBackend(module.cupy, module.cupyx, module.special)
    backend.register(used)
    try:
        x, y = mg.ones(2, device="cuda:0"), mg.ones(2, device="cuda:1")
        with pytest.raises(mg.DeviceError, match=r'(?s)x .*cuda:0\n  y .*cuda:1\n.*y\.to\("cuda:0"\)'):
            _ = x + y
        with pytest.raises(mg.DeviceError, match=r'not on the current GPU.*(?s:.)*mg\.default_device\("cuda:1"\)'):
            _ = y + y
    finally:
        backend.unregister(used)


# ---- which backend -----------------------------------------------------------------------------------------------


def test_the_backend_of_a_value() -> None:
    class Sub(np.ndarray):
        pass

    sub = np.ones(2).view(Sub)
    assert backend.xp(sub) is backend.xp(3.0) is backend.xp(np.float32(1)) is np
    assert backend.is_array(sub)
    assert not any(map(backend.is_array, (3.0, np.float32(1), [1.0], None)))
    assert backend.module_of(sub) is np
    assert backend.module_of(np.float32(1)) is None
    assert backend.of(sub).device_of(sub) == "cpu"


def test_a_backend_that_was_replaced_is_forgotten_quietly(cuda: Any) -> None:
    other = backend.CupyBackend(module.cupy, module.cupyx, module.special)
    backend.unregister(other)
    backend.register(cuda.backend)
    assert backend.on("cuda") is cuda.backend


# ---- random numbers ----------------------------------------------------------------------------------------------


def test_one_seed_for_all_devices(cuda: Any) -> None:
    mg.manual_seed(5)
    first = [mg.rand(4), mg.randn(4), mg.rand(4, device="cuda"), mg.randn(4, device="cuda")]
    mg.manual_seed(5)
    again = [mg.rand(4), mg.randn(4), mg.rand(4, device="cuda"), mg.randn(4, device="cuda")]
    for a, b in zip(first, again, strict=True):
        assert a.tolist() == b.tolist()
    assert mg.rand(4, device="cuda").tolist() != again[2].tolist()


def test_the_seed_holds_for_a_backend_that_comes_later() -> None:
    def numbers() -> Any:
        used = backend.CupyBackend(module.cupy, module.cupyx, module.special)
        backend.register(used)
        try:
            return mg.rand(4, device="cuda").tolist()
        finally:
            backend.unregister(used)

    mg.manual_seed(5)
    first = numbers()
    mg.manual_seed(5)
    assert numbers() == first


def test_the_state_of_the_generator() -> None:
    state = mg.get_rng_state()
    first = mg.rand(3).tolist()
    mg.set_rng_state(state)
    assert mg.rand(3).tolist() == first


def test_what_is_recomputed_draws_the_same(cuda: Any) -> None:
    seen = []

    def noisy(x: Any) -> Any:
        seen.append(mg.rand_like(x))
        return x * seen[-1]

    x = mg.ones(4, device="cuda", requires_grad=True)
    mg.checkpoint(noisy, x).sum().backward()
    assert seen[0].tolist() == seen[1].tolist() == x.grad.tolist()
    assert mg.rand(4, device="cuda").tolist() != seen[0].tolist()


# ---- what the modules spell differently ------------------------------------------------------------------------------


def test_erf() -> None:
    x = np.concatenate([np.linspace(-7, 7, 4001), [math.inf, -math.inf, -0.0, 1e-300]])
    exact = np.array([math.erf(v) for v in x])
    host = backend.of(x)
    assert np.abs(host.erf(x) - exact).max() < 5e-16
    assert np.abs(host.erf(x.astype(np.float32)) - [math.erf(v) for v in x.astype(np.float32)]).max() < 1e-7
    small = np.geomspace(1e-200, 1, 99)
    assert np.abs(host.erf(small) / [math.erf(v) for v in small] - 1).max() < 5e-16
    for dtype in (np.float16, np.float32, np.float64):
        assert host.erf(x.astype(dtype)).dtype == dtype
    assert math.isnan(host.erf(np.array(math.nan)))
    assert host.erf(np.array([0, 1])).tolist() == [0, pytest.approx(math.erf(1))]
    assert host.erf(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int32", "int64", "uint8"])
def test_scatter_add(cuda: Any, dtype: str) -> None:
    start, index, added = np.array([1, 2, 3], dtype), np.array([2, 0, 2, 2]), np.array([1, 5, 7, 9], dtype)
    if dtype[0] != "u":
        added = -added
    target = cuda.backend.from_host(start)
    cuda.backend.scatter_add(target, cuda.backend.from_host(index), cuda.backend.from_host(added))
    expected = start.copy()
    np.add.at(expected, index, added)
    assert target.dtype == dtype
    assert cuda.backend.to_host(target).tolist() == expected.tolist()


@pytest.mark.parametrize("shape", [(5,), (5, 3), (5, 2, 2), (5, 0)])
def test_scatter_add_of_rows_on_the_host(shape: tuple[int, ...]) -> None:
    index = np.array([[4, -1], [0, 4]])
    values = np.arange(4.0 * math.prod(shape[1:])).reshape(2, 2, *shape[1:])
    expected = np.zeros(shape)
    np.add.at(expected, index, values)
    for target in (np.zeros(shape), np.zeros((5, *shape[:0:-1])).transpose(0, *range(len(shape) - 1, 0, -1))):
        backend.of(target).scatter_add(target, index, values)
        assert target.tolist() == expected.tolist()
    if expected.size:
        with pytest.raises(IndexError, match="index 5"):
            backend.of(expected).scatter_add(expected, np.array([5]), values[0, :1])


def test_the_default_dtype() -> None:
    try:
        mg.set_default_dtype("float64")
        assert mg.tensor(1.0).dtype == mg.get_default_dtype() == mg.float64
    finally:
        mg.set_default_dtype(mg.float32)
    with pytest.raises(mg.DtypeError, match="floating"):
        mg.set_default_dtype(mg.int64)


def test_default_device_decorates_functions(cuda):
    @mg.default_device("cuda:0")
    def made():
        return mg.zeros(2)

    assert made().device == "cuda:0"
    assert mg.zeros(2).device == "cpu"
