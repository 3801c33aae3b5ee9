"""PostgreSQL: the engine, the tables, the migrations' schema."""
