-- What the platform asks all day, each index at least once: a lab that was killed has lost its statistics with the rest of the memory.
\set ON_ERROR_STOP on
SET enable_seqscan = off;
SET max_parallel_workers_per_gather = 0;
DO $workload$
DECLARE
  i integer;
  u bigint;
BEGIN
  FOR i IN 1..300 LOOP
    u := 1 + (i * 61) % 19999;
    PERFORM 1 FROM auth.users WHERE id = u;
    PERFORM 1 FROM auth.users WHERE email = format('user%s@example.com', u);
    PERFORM id FROM auth.sessions WHERE user_id = u;
    PERFORM 1 FROM auth.sessions WHERE id = '00000000-0000-0000-0000-000000000000';
    PERFORM id FROM auth.sessions WHERE expires_at < '2000-01-01';
    PERFORM id FROM auth.keys WHERE id = 1 + u % 4999;
    PERFORM id FROM auth.keys WHERE user_id = u;
    PERFORM id FROM auth.keys WHERE fingerprint = md5(u::text || 'key');
    PERFORM amount_cents FROM billing.invoices WHERE id = u;
    PERFORM amount_cents FROM billing.invoices WHERE user_id = u;
    PERFORM amount_cents FROM billing.invoices WHERE number = format('NX-%s', lpad(u::text, 8, '0'));
    PERFORM id FROM billing.invoices WHERE status = 'open' AND issued_at < '2000-01-01';
    PERFORM account FROM billing.ledger_entries WHERE invoice_id = u;
    PERFORM account FROM billing.ledger_entries WHERE id = u;
    PERFORM account FROM billing.ledger_entries WHERE booked_at < '2000-01-01';
    PERFORM title FROM commerce.products WHERE id = 1 + u % 2999;
    PERFORM title FROM commerce.products WHERE sku = format('SKU-%s', lpad((1 + u % 2999)::text, 6, '0'));
    PERFORM status FROM commerce.orders WHERE id = u;
    PERFORM status FROM commerce.orders WHERE user_id = u;
    PERFORM quantity FROM commerce.order_items WHERE order_id = u;
    PERFORM quantity FROM commerce.order_items WHERE product_id = 1 + u % 2999;
    PERFORM title FROM content.media_items WHERE id = 1 + u % 14999;
    PERFORM title FROM content.media_items WHERE owner_id = u;
    PERFORM seconds FROM content.plays WHERE id = u;
    PERFORM seconds FROM content.plays WHERE media_id = 1 + u % 14999;
    PERFORM seconds FROM content.plays WHERE user_id = u;
    PERFORM plate FROM logistics.vehicles WHERE id = 1 + u % 199;
    PERFORM plate FROM logistics.vehicles WHERE plate = format('NX %s', 1000 + u % 199);
    PERFORM 1 FROM logistics.shipments WHERE id = 1 + u % 7999;
    PERFORM 1 FROM logistics.shipments WHERE order_id = 1 + u % 7999;
    PERFORM 1 FROM logistics.shipments WHERE vehicle_id = 1 + u % 199;
    PERFORM 1 FROM platform.jobs WHERE id = 1 + u % 2999;
    PERFORM 1 FROM platform.jobs WHERE run_at < '2000-01-01';
  END LOOP;
END
$workload$;
