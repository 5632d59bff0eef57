//! Questions about many messages that must not look at all of them.

use plaza_database::registered_by;

use crate::stage::{Stage, quick};

/// How the server answers a statement of the message store, once it no longer plans for each value anew.
async fn plan(stage: &Stage, name: &str, arguments: &str) -> String {
    let statement = registered_by("plaza_notification")
        .find(|statement| statement.module == "plaza_notification::messages::store" && statement.name == name)
        .unwrap();
    let admin = stage.database.admin().await;
    let prepare = format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE asked AS {}",
        statement.sql
    );
    admin.batch_execute(&prepare).await.unwrap();
    let rows = admin
        .query(&format!("EXPLAIN EXECUTE asked ({arguments})"), &[])
        .await
        .unwrap();
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
