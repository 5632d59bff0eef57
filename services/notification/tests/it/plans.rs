//! Questions about many messages that must not look at all of them.

use plaza_database::registered_by;

use crate::stage::{Stage, quick};

/// How the server answers a statement of the message store, once it no longer plans for each value anew.
async fn plan(stage: &Stage, name: &str, arguments: &str) -> String {
    explain(stage, "EXPLAIN", ("messages::store", name), arguments).await
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
    stage.sql("VACUUM ANALYZE notification.messages").await;
    let (none, source) = ("NULL, 50, 0", "'campaign:1'");
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
            format!("'{large}', '{large}', 8, 1000, '{large}'"),
            "messages_due",
            500,
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
