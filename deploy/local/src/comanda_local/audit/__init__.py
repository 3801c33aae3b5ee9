"""The audit: the read store equals the write store, order by order, once quiet."""

from comanda_local.audit.comparison import Difference, compare
from comanda_local.audit.run import CONVERGENCE_TIMEOUT_S, Findings, audit
from comanda_local.audit.sources import WriteSide, write_side

__all__ = [
    "CONVERGENCE_TIMEOUT_S",
    "Difference",
    "Findings",
    "WriteSide",
    "audit",
    "compare",
    "write_side",
]
