"""Checks of gradients, ops and modules: are the numbers right, and are the promises kept?

For the tests of minigrad itself and for ops and modules of your own::

    mg.gradcheck(lambda x, y: (x * y).sin(), x, y, order=2)
    mg.check.check_op(my_op, reference=lambda x: numpy.sin(x) ** 2)
    mg.check.check_module(my_module, x)
"""

from .contract import check_op as check_op
from .gradients import (
    CheckError as CheckError,
    GradcheckError as GradcheckError,
    gradcheck as gradcheck,
    gradgradcheck as gradgradcheck,
)
from .modules import check_module as check_module
