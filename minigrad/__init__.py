"""minigrad: a small reverse-mode autodiff engine with explicit computational graphs."""

from .backend import device as device
from .backend import (
    float16 as float16,
    float32 as float32,
    float64 as float64,
    get_default_dtype as get_default_dtype,
    get_rng_state as get_rng_state,
    int8 as int8,
    int16 as int16,
    int32 as int32,
    int64 as int64,
    manual_seed as manual_seed,
    set_default_dtype as set_default_dtype,
    set_rng_state as set_rng_state,
    uint8 as uint8,
)
from .context import (
    default_device as default_device,
    enable_grad as enable_grad,
    is_grad_enabled as is_grad_enabled,
    no_grad as no_grad,
    observe as observe,
    scope as scope,
)
from .creation import (
    arange as arange,
    eye as eye,
    from_numpy as from_numpy,
    full as full,
    full_like as full_like,
    linspace as linspace,
    ones as ones,
    ones_like as ones_like,
    rand as rand,
    rand_like as rand_like,
    randint as randint,
    randn as randn,
    randn_like as randn_like,
    randperm as randperm,
    tensor as tensor,
    zeros as zeros,
    zeros_like as zeros_like,
)
from .engine import grad as grad
from .errors import (
    DeviceError as DeviceError,
    DtypeError as DtypeError,
    GraphError as GraphError,
    MinigradError as MinigradError,
    ShapeError as ShapeError,
)
from .primitive import primitive as primitive, vjp as vjp, joint_vjp as joint_vjp
from .tensor import Tensor as Tensor

# ops: one line or block per family
from .ops.arithmetic import add as add, div as div, mul as mul, neg as neg, sub as sub
from .ops.conversion import clone as clone
