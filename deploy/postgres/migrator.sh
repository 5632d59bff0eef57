#!/bin/sh
# Run by the image of PostgreSQL when it makes its data folder: the database, and the login that migrates it. That login may
# make roles and owns the database; it is no superuser.
set -eu
psql -v ON_ERROR_STOP=1 -v password="$MIGRATOR_PASSWORD" --username postgres --dbname postgres <<'END'
CREATE ROLE plaza_migrator LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD :'password';
CREATE DATABASE plaza OWNER plaza_migrator;
END
