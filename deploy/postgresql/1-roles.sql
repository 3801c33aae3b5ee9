-- decision/0050: three roles in PostgreSQL
-- Ordering's three roles, in its own database of a PostgreSQL that is ordering's alone. Run in that
-- database by a superuser, at the beginning or at any time later: repeated it changes nothing, and it
-- takes over the tables of a database that had one role for everything.
--
--   ordering_owner     owns the database and its tables; nobody logs in as it
--   ordering_migrator  logs in to migrate, and then is the owner
--   ordering           reads and writes rows, and nothing else: this is the service
-- a table that somebody reads, as pg_dump does, is not waited for with all of ordering behind us
SET LOCAL lock_timeout = '2s';

DO $$
DECLARE
  known text;
  owned regclass;
BEGIN
  FOREACH known IN ARRAY ARRAY['ordering_owner', 'ordering_migrator', 'ordering'] LOOP
    IF to_regrole(known) IS NULL THEN
      EXECUTE format('CREATE ROLE %I', known);
    END IF;
  END LOOP;

  -- the shape: what others may do in this database, and in the two that every server has
  EXECUTE format('ALTER DATABASE %I OWNER TO ordering_owner', current_database());
  EXECUTE format('REVOKE ALL ON DATABASE %I, postgres, template1 FROM PUBLIC', current_database());
  EXECUTE format(
    'GRANT CONNECT ON DATABASE %I TO ordering, ordering_migrator', current_database()
  );
  EXECUTE format(
    'ALTER ROLE ordering_migrator IN DATABASE %I SET role = ordering_owner', current_database()
  );

  -- tables that were made by whoever was there before
  FOR owned IN
    SELECT oid FROM pg_class
    WHERE relnamespace = 'public'::regnamespace
      AND relkind IN ('r', 'p', 'v', 'm')
      AND relowner <> 'ordering_owner'::regrole
  LOOP
    EXECUTE format('ALTER TABLE %s OWNER TO ordering_owner', owned);
  END LOOP;
END
$$;

ALTER ROLE ordering_owner NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
ALTER ROLE ordering_migrator LOGIN NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE;
ALTER ROLE ordering LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE;
GRANT ordering_owner TO ordering_migrator;
REVOKE ordering_owner FROM ordering;

ALTER SCHEMA public OWNER TO ordering_owner;
REVOKE ALL ON SCHEMA public FROM PUBLIC, ordering;
GRANT USAGE ON SCHEMA public TO ordering;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ordering;
ALTER DEFAULT PRIVILEGES FOR ROLE ordering_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO ordering;
