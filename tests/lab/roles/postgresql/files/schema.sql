-- The platform's database: what 43 services share, with about 300,000 rows. Made once, kept as a template.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
SET maintenance_work_mem = '256MB';
SET work_mem = '128MB';
CREATE EXTENSION pg_stat_statements;
CREATE SCHEMA auth AUTHORIZATION nexus_owner;
CREATE SCHEMA billing AUTHORIZATION nexus_owner;
CREATE SCHEMA commerce AUTHORIZATION nexus_owner;
CREATE SCHEMA content AUTHORIZATION nexus_owner;
CREATE SCHEMA logistics AUTHORIZATION nexus_owner;
CREATE SCHEMA platform AUTHORIZATION nexus_owner;
SET ROLE nexus_owner;

CREATE TABLE auth.users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL UNIQUE,
  display_name text NOT NULL,
  country char(2) NOT NULL,
  created_at timestamptz NOT NULL,
  last_login_at timestamptz
);
CREATE TABLE auth.sessions (
  id uuid PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES auth.users,
  service text NOT NULL,
  issued_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE TABLE auth.keys (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES auth.users,
  fingerprint text NOT NULL UNIQUE,
  revoked_at timestamptz
);
CREATE TABLE billing.invoices (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES auth.users,
  number text NOT NULL UNIQUE,
  amount_cents bigint NOT NULL CHECK (amount_cents >= 0),
  currency char(3) NOT NULL,
  status text NOT NULL CHECK (status IN ('draft', 'open', 'paid', 'void')),
  issued_at timestamptz NOT NULL,
  paid_at timestamptz
);
CREATE TABLE billing.ledger_entries (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  invoice_id bigint NOT NULL REFERENCES billing.invoices,
  account text NOT NULL,
  debit_cents bigint NOT NULL DEFAULT 0,
  credit_cents bigint NOT NULL DEFAULT 0,
  booked_at timestamptz NOT NULL
);
CREATE TABLE commerce.products (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sku text NOT NULL UNIQUE,
  title text NOT NULL,
  price_cents bigint NOT NULL,
  stock integer NOT NULL
);
CREATE TABLE commerce.orders (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES auth.users,
  status text NOT NULL CHECK (status IN ('new', 'paid', 'shipped', 'done', 'cancelled')),
  total_cents bigint NOT NULL,
  placed_at timestamptz NOT NULL
);
CREATE TABLE commerce.order_items (
  order_id bigint NOT NULL REFERENCES commerce.orders,
  line smallint NOT NULL,
  product_id bigint NOT NULL REFERENCES commerce.products,
  quantity smallint NOT NULL,
  PRIMARY KEY (order_id, line)
);
CREATE TABLE content.media_items (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  owner_id bigint NOT NULL REFERENCES auth.users,
  title text NOT NULL,
  kind text NOT NULL CHECK (kind IN ('song', 'clip', 'film', 'stream')),
  duration_s integer NOT NULL,
  metadata jsonb NOT NULL,
  published_at timestamptz
);
CREATE TABLE content.plays (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  media_id bigint NOT NULL REFERENCES content.media_items,
  user_id bigint NOT NULL REFERENCES auth.users,
  played_at timestamptz NOT NULL,
  seconds integer NOT NULL
);
CREATE TABLE logistics.vehicles (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  plate text NOT NULL UNIQUE,
  driver text NOT NULL,
  in_service boolean NOT NULL
);
CREATE TABLE logistics.shipments (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  order_id bigint NOT NULL REFERENCES commerce.orders,
  vehicle_id bigint NOT NULL REFERENCES logistics.vehicles,
  shipped_at timestamptz NOT NULL,
  delivered_at timestamptz
);
CREATE TABLE platform.jobs (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  service text NOT NULL,
  payload jsonb NOT NULL,
  run_at timestamptz NOT NULL,
  done_at timestamptz
);

SELECT setseed(0.43);
INSERT INTO auth.users (email, display_name, country, created_at, last_login_at)
  SELECT format('user%s@example.com', i), format('User %s', i), (ARRAY['US', 'DE', 'BR', 'JP', 'NG'])[1 + i % 5],
         now() - random() * interval '900 days', now() - random() * interval '30 days'
  FROM generate_series(1, 20000) i;
INSERT INTO auth.sessions
  SELECT gen_random_uuid(), 1 + (random() * 19999)::int, (ARRAY['auth-service', 'session-mgr', 'streamcore'])[1 + i % 3],
         now() - random() * interval '2 hours', now() + interval '24 hours'
  FROM generate_series(1, 25000) i;
INSERT INTO auth.keys (user_id, fingerprint)
  SELECT i, md5(i::text || 'key') FROM generate_series(1, 5000) i;
INSERT INTO billing.invoices (user_id, number, amount_cents, currency, status, issued_at, paid_at)
  SELECT 1 + (random() * 19999)::int, format('NX-%s', lpad(i::text, 8, '0')), (random() * 20000)::int, 'USD',
         CASE WHEN i % 10 = 0 THEN 'open' ELSE 'paid' END, now() - random() * interval '700 days', now() - random() * interval '30 days'
  FROM generate_series(1, 30000) i;
INSERT INTO billing.ledger_entries (invoice_id, account, debit_cents, credit_cents, booked_at)
  SELECT 1 + (i - 1) / 2, CASE WHEN i % 2 = 0 THEN 'revenue' ELSE 'receivable' END, CASE WHEN i % 2 = 1 THEN 500 ELSE 0 END,
         CASE WHEN i % 2 = 0 THEN 500 ELSE 0 END, now() - random() * interval '700 days'
  FROM generate_series(1, 60000) i;
INSERT INTO commerce.products (sku, title, price_cents, stock)
  SELECT format('SKU-%s', lpad(i::text, 6, '0')), format('Product %s', i), 100 + (random() * 9900)::int, (random() * 500)::int
  FROM generate_series(1, 3000) i;
INSERT INTO commerce.orders (user_id, status, total_cents, placed_at)
  SELECT 1 + (random() * 19999)::int, (ARRAY['paid', 'shipped', 'done', 'done', 'done'])[1 + i % 5], (random() * 30000)::int,
         now() - random() * interval '600 days'
  FROM generate_series(1, 30000) i;
INSERT INTO commerce.order_items
  SELECT 1 + (i - 1) / 2, 1 + (i - 1) % 2, 1 + (random() * 2999)::int, 1 + (random() * 4)::int FROM generate_series(1, 60000) i;
INSERT INTO content.media_items (owner_id, title, kind, duration_s, metadata, published_at)
  SELECT 1 + (random() * 19999)::int, format('Title %s', i), (ARRAY['song', 'clip', 'film', 'stream'])[1 + i % 4], (random() * 7200)::int,
         jsonb_build_object('isrc', md5(i::text), 'explicit', i % 7 = 0), now() - random() * interval '600 days'
  FROM generate_series(1, 15000) i;
INSERT INTO content.plays (media_id, user_id, played_at, seconds)
  SELECT 1 + (random() * 14999)::int, 1 + (random() * 19999)::int, now() - random() * interval '90 days', (random() * 400)::int
  FROM generate_series(1, 45000) i;
INSERT INTO logistics.vehicles (plate, driver, in_service)
  SELECT format('NX %s', 1000 + i), format('Driver %s', i), i % 9 <> 0 FROM generate_series(1, 200) i;
INSERT INTO logistics.shipments (order_id, vehicle_id, shipped_at, delivered_at)
  SELECT i, 1 + (random() * 199)::int, now() - random() * interval '500 days', now() - random() * interval '1 day' FROM generate_series(1, 8000) i;
INSERT INTO platform.jobs (service, payload, run_at, done_at)
  SELECT 'scheduler', jsonb_build_object('n', i), now() - random() * interval '10 days', now() FROM generate_series(1, 3000) i;

CREATE INDEX sessions_user_id ON auth.sessions (user_id);
CREATE INDEX sessions_expires_at ON auth.sessions (expires_at);
CREATE INDEX keys_user_id ON auth.keys (user_id);
CREATE INDEX invoices_user_id ON billing.invoices (user_id);
CREATE INDEX invoices_open ON billing.invoices (issued_at) WHERE status = 'open';
CREATE INDEX ledger_entries_invoice_id ON billing.ledger_entries (invoice_id);
CREATE INDEX ledger_entries_booked_at ON billing.ledger_entries (booked_at);
CREATE INDEX orders_user_id ON commerce.orders (user_id);
CREATE INDEX order_items_product_id ON commerce.order_items (product_id);
CREATE INDEX media_items_owner_id ON content.media_items (owner_id);
CREATE INDEX plays_media_id ON content.plays (media_id);
CREATE INDEX plays_user_id ON content.plays (user_id);
CREATE INDEX shipments_order_id ON logistics.shipments (order_id);
CREATE INDEX shipments_vehicle_id ON logistics.shipments (vehicle_id);
CREATE INDEX jobs_run_at ON platform.jobs (run_at);
RESET ROLE;

-- nexus is the application: its rows, not its tables.
GRANT USAGE ON SCHEMA auth, billing, commerce, content, logistics, platform TO nexus;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA auth, billing, commerce, content, logistics, platform TO nexus;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA auth, billing, commerce, content, logistics, platform TO nexus;
ALTER DEFAULT PRIVILEGES FOR ROLE nexus_owner GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO nexus;
ALTER DEFAULT PRIVILEGES FOR ROLE nexus_owner GRANT USAGE ON SEQUENCES TO nexus;
REVOKE ALL ON DATABASE nexusdb FROM PUBLIC;
GRANT CONNECT ON DATABASE nexusdb TO nexus, nexus_monitor, nexus_backup;
GRANT TEMPORARY ON DATABASE nexusdb TO nexus;
