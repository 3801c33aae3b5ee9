"""Operations beside the running service: rebuild, audit and repair."""
