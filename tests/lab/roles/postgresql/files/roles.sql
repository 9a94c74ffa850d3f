-- Who may log in. Passwords are set when a lab starts: the template holds none.
\set ON_ERROR_STOP on
CREATE ROLE nexus_owner NOLOGIN;
CREATE ROLE nexus LOGIN;
CREATE ROLE nexus_monitor LOGIN CONNECTION LIMIT 20 IN ROLE pg_monitor;
CREATE ROLE nexus_backup LOGIN REPLICATION CONNECTION LIMIT 10 IN ROLE pg_read_all_data;
CREATE ROLE replicator LOGIN REPLICATION CONNECTION LIMIT 10;
