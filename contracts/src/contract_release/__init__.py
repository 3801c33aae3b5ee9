"""A release of the contracts: schemas, AsyncAPI document, and the gate against breaking changes.

Tooling of this repository; the package that other teams install has none of it.
"""
