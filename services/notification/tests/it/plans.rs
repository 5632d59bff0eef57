//! Questions about many messages that must not look at all of them.

use plaza_database::registered_by;
use plaza_testkit::eventually;
use tokio_postgres::Client;

use crate::stage::{PATIENCE, Stage, quick};

/// No message comes before it.
const FIRST: &str = "00000000-0000-0000-0000-000000000000";

/// How the server answers a statement of the message store, once it no longer plans for each value anew.
async fn plan(stage: &Stage, name: &str, arguments: &str) -> String {
    let module = if name.starts_with("LIST") {
        "messages::listing"
    } else {
        "messages::store"
    };
    explain(stage, "EXPLAIN", (module, name), arguments).await
}

async fn explain(stage: &Stage, how: &str, (module, name): (&str, &str), arguments: &str) -> String {
    let module = format!("plaza_notification::{module}");
    let statement = registered_by("plaza_notification")
        .find(|statement| statement.module == module && statement.name == name)
        .unwrap();
    let admin = stage.database.admin().await;
    let prepare = format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE asked AS {}; BEGIN",
        statement.sql
    );
    admin.batch_execute(&prepare).await.unwrap();
    let rows = admin
        .query(&format!("{how} EXECUTE asked ({arguments})"), &[])
        .await
        .unwrap();
    admin.batch_execute("ROLLBACK").await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    lines.join("\n")
}

#[tokio::test]
async fn a_rare_state_or_an_end_is_found_by_its_index() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let (tenant, sender) = (stage.tenant, stage.sender);
    // Not before the commit is on the disk can VACUUM tell that everybody sees the rows.
    let many = format!(
        "SET synchronous_commit = on;
         INSERT INTO notification.messages (tenant_id, id, source, sender_id, channel, address, content, state, due_at,
                                            created_at, updated_at)
         SELECT '{tenant}', gen_random_uuid(), 'campaign:' || n % 40, '{sender}', 'whatsapp', '+4915117404120', '{{}}',
                CASE WHEN n % 5000 = 0 THEN 'failed' ELSE 'delivered' END, now(), now(), now()
           FROM generate_series(1, 20000) n"
    );
    stage.sql(&many).await;
    // Nor before every older transaction of the database is over.
    let seen_by_all =
        "SELECT relallvisible = relpages FROM pg_class WHERE oid = 'notification.messages'::regclass";
    eventually(PATIENCE, || async {
        stage.sql("VACUUM ANALYZE notification.messages").await;
        let row = stage
            .database
            .admin()
            .await
            .query_one(seen_by_all, &[])
            .await
            .unwrap();
        row.get(0)
    })
    .await;
    let (none, source) = (
        "'00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 50, 0",
        "'campaign:1'",
    );
    for (name, arguments, index) in [
        ("LIST", format!("'{tenant}', {none}"), "messages_pkey"),
        (
            "LIST_IN_STATE",
            format!("'{tenant}', 'failed', {none}"),
            "messages_state",
        ),
        (
            "LIST_OF_SOURCE",
            format!("'{tenant}', {source}, {none}"),
            "messages_source",
        ),
        (
            "LIST_OF_SOURCE_IN_STATE",
            format!("'{tenant}', {source}, 'failed', {none}"),
            "messages_source_state",
        ),
        ("OPEN", format!("'{tenant}', {source}"), "messages_open"),
        ("COUNTS", format!("'{tenant}', {source}"), "messages_source_state"),
    ] {
        let plan = plan(&stage, name, &arguments).await;
        let used = plan.lines().any(|line| {
            let ends = format!("{index} ");
            line.contains("Index") && line.contains(&format!("{ends}on messages"))
        });
        assert!(used, "{name} does without {index}:\n{plan}");
        assert!(
            !plan.contains("Sort") && !plan.contains("Filter"),
            "{name}:\n{plan}"
        );
    }
}

#[tokio::test]
async fn the_next_turn_is_found_by_an_index_however_much_a_tenant_has_waiting() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    // One tenant with 20,000, two hundred with one each; as much in doubt, and as much that is over.
    let many = "SET synchronous_commit = on;
         CREATE TEMPORARY TABLE tenants AS
         SELECT gen_random_uuid() AS id, CASE WHEN n = 1 THEN 20000 ELSE 1 END AS work FROM generate_series(1, 201) n;
         INSERT INTO notification.senders (tenant_id, id, channel, name, account_id, access_token, rate, status,
                                           created_at, updated_at)
         SELECT id, id, 'whatsapp', 'x', '1', 'x', 0, 'active', now(), now() FROM tenants;
         INSERT INTO notification.messages (tenant_id, id, source, sender_id, channel, address, content, state, due_at,
                                            created_at, updated_at)
         SELECT t.id, gen_random_uuid(), 'campaign:1', t.id, 'whatsapp', '+4915117404120', '{}', s.state,
                now() - random() * interval '1 h', now(), now()
           FROM tenants t, generate_series(1, t.work), (VALUES ('queued'), ('unknown'), ('delivered')) s (state);
         INSERT INTO notification.sender_leases (tenant_id, sender_id, holder, until)
         SELECT id, id, id, now() + interval '1 h' FROM tenants WHERE work > 1;
         VACUUM ANALYZE notification.messages; VACUUM ANALYZE notification.senders";
    let admin = stage.database.admin().await;
    for statement in many.split(';') {
        admin.batch_execute(statement).await.unwrap();
    }
    let first = "'00000000-0000-0000-0000-000000000000'";
    let large = admin
        .query_one("SELECT id::text FROM tenants WHERE work > 1", &[])
        .await
        .unwrap();
    let large: String = large.get(0);
    let how = "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF)";
    for (statement, arguments, index, most) in [
        (
            ("dispatch::lease", "DUE_SENDERS"),
            format!("{first}, 100, 50"),
            "messages_due",
            2_500,
        ),
        (
            ("dispatch::claims", "CLAIM"),
            format!("'{large}', '{large}', 8, 1000, '{large}', '1970-01-01Z', '{FIRST}'"),
            "messages_due",
            700,
        ),
        (
            ("dispatch::doubt", "RESOLVE"),
            format!("{first}, 20, 10"),
            "messages_unknown_of_tenant",
            2_500,
        ),
    ] {
        let plan = explain(&stage, how, statement, &arguments).await;
        let name = statement.1;
        assert!(
            plan.contains(&format!("using {index} on")),
            "{name} does without {index}:\n{plan}"
        );
        assert!(!plan.contains("Seq Scan on messages"), "{name}:\n{plan}");
        let blocks = plan.split_once("shared hit=").unwrap().1;
        let blocks: usize = blocks.split([' ', '\n']).next().unwrap().parse().unwrap();
        println!("{name}: {blocks} blocks");
        assert!(blocks <= most, "{name} touches {blocks} blocks:\n{plan}");
    }
}

/// A statement of the dispatch, by its module and name.
fn dispatched(module: &str, name: &str) -> &'static str {
    let module = format!("plaza_notification::dispatch::{module}");
    let mut all = registered_by("plaza_notification");
    all.find(|statement| statement.module == module && statement.name == name)
        .unwrap()
        .sql
}

/// What a prepared statement did.
struct Ran {
    rows: u64,
    blocks: u64,
    plan: String,
}

/// Runs a prepared statement as the service would, in a transaction of the dispatch. What it changed is undone, unless it
/// is to be kept.
async fn ran(stage: &Stage, admin: &Client, login: &str, sorts: bool, keep: bool, execute: &str) -> Ran {
    let begin = format!(
        "BEGIN; SET LOCAL ROLE {login}; SET LOCAL app.tenant_id = '{}'; SELECT notification.use_recent_plans();
         SET LOCAL enable_sort = {sorts}",
        stage.tenant
    );
    admin.batch_execute(&begin).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, SUMMARY, FORMAT JSON) {execute}");
    let row = admin.query_one(&explain, &[]).await.unwrap();
    let end = if keep { "COMMIT" } else { "ROLLBACK" };
    admin.batch_execute(end).await.unwrap();
    let told: serde_json::Value = row.get(0);
    let plan = &told[0]["Plan"];
    Ran {
        rows: plan["Actual Rows"].as_u64().unwrap(),
        blocks: plan["Shared Hit Blocks"].as_u64().unwrap() + plan["Shared Read Blocks"].as_u64().unwrap(),
        plan: serde_json::to_string_pretty(plan).unwrap(),
    }
}

impl Ran {
    /// So many rows, and few blocks.
    fn assert(&self, what: &str, rows: u64, most: u64) {
        let Self { blocks, plan, .. } = self;
        println!("{what}: {blocks} blocks");
        assert_eq!(self.rows, rows, "{what}:\n{plan}");
        assert!(*blocks <= most, "{what} touches {blocks} blocks:\n{plan}");
    }
}

const SERVICE: &str = "plaza_notification";
const SYSTEM: &str = "plaza_notification_system";

fn queue(stage: &Stage, count: u32, state: &str) -> String {
    let (tenant, sender) = (stage.tenant, stage.sender);
    format!(
        "INSERT INTO notification.messages (tenant_id, id, source, sender_id, channel, address, content, state, due_at,
                                            created_at, updated_at)
         SELECT '{tenant}', gen_random_uuid(), 'campaign:1', '{sender}', 'whatsapp', '+4915117404120', '{{}}',
                '{state}', now(), now(), now()
           FROM generate_series(1, {count})"
    )
}

/// A table that the server looked at with so many messages in this state, and will not look at again; and the statements of
/// a worker, prepared over it.
async fn surprised(stage: &Stage, (before, state): (u32, &str)) -> Client {
    let (tenant, sender) = (stage.tenant, stage.sender);
    let admin = stage.database.admin().await;
    admin
        .batch_execute(&format!(
            "ALTER TABLE notification.messages SET (autovacuum_enabled = false); {};
             ANALYZE notification.messages;
             INSERT INTO notification.sender_leases VALUES ('{tenant}', '{sender}', '{sender}', now() + interval '1 h');
             PREPARE claimed AS {};
             PREPARE settled AS {};
             PREPARE due_senders AS {}",
            queue(stage, before, state),
            dispatched("claims", "CLAIM"),
            dispatched("claims", "SETTLE"),
            dispatched("lease", "DUE_SENDERS"),
        ))
        .await
        .unwrap();
    admin
}

fn claim_after(stage: &Stage, (due_at, id): (&str, &str)) -> String {
    let (tenant, sender) = (stage.tenant, stage.sender);
    format!("EXECUTE claimed ('{tenant}', '{sender}', 8, 1000, '{sender}', '{due_at}', '{id}')")
}

/// What a worker asks for each time touches about what it changes, whatever the server believes of the queue.
#[tokio::test]
async fn a_worker_touches_what_it_changes_and_not_the_queue() {
    for held in [(20, "queued"), (20_000, "accepted")] {
        let stage = Stage::open("http://127.0.0.1:9", quick()).await;
        let admin = surprised(&stage, held).await;
        admin
            .batch_execute(&queue(&stage, 60_000, "queued"))
            .await
            .unwrap();
        let claim = claim_after(&stage, ("1970-01-01Z", FIRST));
        ran(&stage, &admin, SERVICE, false, true, &claim)
            .await
            .assert("a claim", 8, 700);
        let leased = "SELECT id::text FROM notification.messages WHERE state = 'leased'";
        let ids: Vec<String> = admin
            .query(leased, &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        let all = |value: &str| vec![value; ids.len()].join(",");
        let settle = format!(
            "EXECUTE settled ('{}', '{{{}}}', '{{{}}}', '{{{}}}', '{{{}}}', '{{{}}}', '{{{}}}', '{{{}}}', '{{{}}}')",
            stage.tenant,
            ids.join(","),
            all("1"),
            all("accepted"),
            all("0"),
            all("wamid"),
            all("NULL"),
            all("NULL"),
            all("0"),
        );
        let settled = ran(&stage, &admin, SERVICE, true, true, &settle).await;
        // It returns nothing.
        settled.assert("settling eight", 0, 700);
        let accepted = "SELECT count(*) FROM notification.messages WHERE provider_id = 'wamid'";
        let accepted: i64 = admin.query_one(accepted, &[]).await.unwrap().get(0);
        assert_eq!(accepted, 8);
        let given_back = "DELETE FROM notification.sender_leases";
        admin.batch_execute(given_back).await.unwrap();
        let due = format!("EXECUTE due_senders ('{FIRST}', 100, 50)");
        let due = ran(&stage, &admin, SYSTEM, false, false, &due).await;
        due.assert("a look for due senders", 1, 100);
    }
}

/// Whoever goes on behind what was claimed does not walk over it, under row level security too.
#[tokio::test]
async fn a_claim_goes_on_behind_what_was_claimed() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let admin = surprised(&stage, (20, "accepted")).await;
    admin
        .batch_execute(&queue(&stage, 60_000, "queued"))
        .await
        .unwrap();
    let part = "SELECT due_at::text, id::text FROM notification.messages WHERE state = 'queued'
                 ORDER BY due_at, id OFFSET 40000 LIMIT 1";
    let row = admin.query_one(part, &[]).await.unwrap();
    let place: (&str, &str) = (row.get(0), row.get(1));
    let claimed = format!(
        "UPDATE notification.messages SET state = 'leased'
          WHERE state = 'queued' AND (due_at, id) <= ('{}', '{}')",
        place.0, place.1
    );
    admin.batch_execute(&claimed).await.unwrap();
    let claim = claim_after(&stage, place);
    ran(&stage, &admin, SERVICE, false, false, &claim)
        .await
        .assert("a claim behind them", 8, 700);
}

/// What was planned for a small table is planned again within a second or so; until then it is as bad as it was.
#[tokio::test]
async fn a_claim_is_planned_for_what_the_table_held_a_second_ago() {
    let stage = Stage::open("http://127.0.0.1:9", quick()).await;
    let admin = surprised(&stage, (20, "queued")).await;
    let claim = claim_after(&stage, ("1970-01-01Z", FIRST));
    // Planned as any other statement is, which is what it would be without us.
    admin
        .batch_execute(&format!(
            "SET plan_cache_mode = force_generic_plan; BEGIN; SET LOCAL ROLE {SERVICE};
             SET LOCAL app.tenant_id = '{}'; {claim}; ROLLBACK",
            stage.tenant
        ))
        .await
        .unwrap();
    admin
        .batch_execute(&queue(&stage, 60_000, "queued"))
        .await
        .unwrap();
    // As if it had been planned just now, and for nearly two seconds.
    let kept =
        "SELECT set_config('plaza.plans_kept_since', (clock_timestamp() + interval '900 ms')::text, false)";
    admin.batch_execute(kept).await.unwrap();
    let stale = ran(&stage, &admin, SERVICE, false, false, &claim).await.blocks;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let recent = ran(&stage, &admin, SERVICE, false, false, &claim).await;
    println!("{stale} blocks before");
    recent.assert("a claim", 8, 700);
    assert!(
        stale > 2 * recent.blocks,
        "the kept plan would do as well: {stale} and {} blocks",
        recent.blocks
    );
}
