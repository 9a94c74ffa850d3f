-- The database of the platform's customer relations, as it runs in a pod: roles, and some hundred rows. Read by psql.
\set ON_ERROR_STOP on
\getenv backup_password BACKUP_PASSWORD
CREATE ROLE crm NOLOGIN;
CREATE ROLE nexus_backup LOGIN PASSWORD :'backup_password' CONNECTION LIMIT 10 IN ROLE pg_read_all_data;
CREATE DATABASE nexus_db OWNER crm;
\connect nexus_db
SET ROLE crm;
CREATE SCHEMA crm;
CREATE TABLE crm.accounts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL UNIQUE,
  region text NOT NULL CHECK (region IN ('us-east-1', 'us-west-2')),
  made timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE crm.contacts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  account_id bigint NOT NULL REFERENCES crm.accounts,
  mail text NOT NULL UNIQUE CHECK (mail LIKE '%@%')
);
CREATE TABLE crm.notes (contact_id bigint NOT NULL REFERENCES crm.contacts, at date NOT NULL, words text NOT NULL);
CREATE INDEX notes_by_contact ON crm.notes (contact_id, at);
CREATE VIEW crm.quiet AS SELECT c.mail FROM crm.contacts c WHERE NOT EXISTS (SELECT FROM crm.notes WHERE contact_id = c.id);
INSERT INTO crm.accounts (name, region)
  SELECT format('account %s', n), CASE WHEN n % 3 = 0 THEN 'us-west-2' ELSE 'us-east-1' END FROM generate_series(1, 60) n;
INSERT INTO crm.contacts (account_id, mail)
  SELECT 1 + n % 60, format('contact-%s@example.com', n) FROM generate_series(1, 240) n;
INSERT INTO crm.notes
  SELECT 1 + n % 200, date '2026-01-01' + n % 300, repeat(md5(n::text), 4) FROM generate_series(1, 500) n;
RESET ROLE;
ANALYZE;
