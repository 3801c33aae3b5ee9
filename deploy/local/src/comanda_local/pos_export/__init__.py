"""Point-of-sale exports: reading them, whatever they look like. Pure: bytes in, orders out.

What is read is what the till wrote, or it is named: rows that are left out with their line and the
reason, guesses with what decided, and questions where two readings are possible.
"""
