-- Makes ordering's role, which owns its database and may nothing else. The image runs it, as the
-- superuser, when it begins an empty volume.
\getenv password ORDERING_PASSWORD
CREATE ROLE ordering LOGIN PASSWORD :'password';
CREATE DATABASE ordering OWNER ordering;
REVOKE ALL ON DATABASE ordering FROM PUBLIC;
