"""Operations beside the running service: rebuild, audit, repair, dead letters."""
