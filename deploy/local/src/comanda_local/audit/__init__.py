"""The audit: the read store equals the write store, order by order, once quiet."""

from comanda_local.audit.comparison import Difference, compare
from comanda_local.audit.run import PATIENCE, Findings, audit
from comanda_local.audit.sources import WriteSide, write_side

__all__ = ["PATIENCE", "Difference", "Findings", "WriteSide", "audit", "compare", "write_side"]
