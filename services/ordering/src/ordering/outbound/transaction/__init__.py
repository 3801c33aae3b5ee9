"""Units of work: commands that share a transaction, and what each leaves behind."""
