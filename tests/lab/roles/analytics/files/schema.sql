-- The analytics database: daily figures by service.
\set ON_ERROR_STOP on
CREATE SCHEMA reporting AUTHORIZATION analytics_owner;
SET ROLE analytics_owner;
CREATE TABLE reporting.daily_figures (
  day date NOT NULL,
  service text NOT NULL,
  requests bigint NOT NULL,
  errors bigint NOT NULL,
  p95_ms real NOT NULL,
  PRIMARY KEY (service, day)
);
INSERT INTO reporting.daily_figures
  SELECT current_date - d, format('service-%s', s), (random() * 1e6)::bigint, (random() * 100)::bigint, 20 + random() * 100
  FROM generate_series(1, 400) d, generate_series(1, 43) s;
RESET ROLE;
