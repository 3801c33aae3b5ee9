-- Gives the two roles that log in their passwords, from the environment of `psql`, which the image
-- runs with its own. Repeated it gives them those that are there now.
\getenv password ORDERING_PASSWORD
ALTER ROLE ordering PASSWORD :'password';
\getenv password ORDERING_MIGRATOR_PASSWORD
ALTER ROLE ordering_migrator PASSWORD :'password';
