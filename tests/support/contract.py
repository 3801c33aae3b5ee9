"""The contract that these sources would publish; it is made once, and nobody may change it."""

from functools import cache

from contract_release import contract

current = cache(contract.current)
