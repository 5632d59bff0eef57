//! Claims among many tenants that must not look at all of their work.

use plaza_database::registered_by;

use crate::town::Town;

/// How the server carries out a statement, once it no longer plans for each value anew, and how many blocks it touches.
async fn plan(town: &Town, module: &str, name: &str, arguments: &str) -> (String, usize) {
    let statement = registered_by("plaza_broadcast")
        .find(|statement| statement.module == module && statement.name == name)
        .unwrap();
    let admin = town.database.admin().await;
    let prepare = format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE asked AS {}; BEGIN",
        statement.sql
    );
    admin.batch_execute(&prepare).await.unwrap();
    let explain = format!("EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) EXECUTE asked ({arguments})");
    let rows = admin.query(&explain, &[]).await.unwrap();
    admin.batch_execute("ROLLBACK").await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let blocks = lines
        .iter()
        .find_map(|line| line.split_once("shared hit="))
        .unwrap()
        .1;
    let blocks = blocks.split(' ').next().unwrap().parse().unwrap();
    (lines.join("\n"), blocks)
}

#[tokio::test]
async fn the_next_turn_is_found_by_an_index_however_much_a_tenant_waits_for() {
    let town = Town::asleep(|_| {}).await;
    // One tenant with 20,000, two hundred with one each; and as much that is over.
    let many = "CREATE TEMPORARY TABLE tenants AS
                SELECT gen_random_uuid() AS id, CASE WHEN n = 1 THEN 20000 ELSE 1 END AS work FROM generate_series(1, 201) n;
         INSERT INTO broadcast.templates SELECT id, id, 't', 'en', 'UTILITY', 'x', '[]', now(), now() FROM tenants;
         INSERT INTO broadcast.campaigns (tenant_id, id, name, template_id, class, audience, state, resumes, schedule_at,
                                          checked_at, created_at, updated_at)
         SELECT t.id, gen_random_uuid(), 'x', t.id, 'utility', '{}', s.state, 'running', now() - random() * interval '1 h',
                now() - interval '1 h', now(), now() - random() * interval '1 h'
           FROM tenants t, generate_series(1, t.work),
                (VALUES ('planning'), ('running'), ('completed'), ('pausing'), ('scheduled')) s (state);
         INSERT INTO broadcast.imports (tenant_id, id, state, requested, bytes_total, created_at, updated_at)
         SELECT t.id, gen_random_uuid(), s.state, '{}', 1, now(), now() - random() * interval '1 h'
           FROM tenants t, generate_series(1, t.work), (VALUES ('uploaded'), ('done')) s (state);
         VACUUM ANALYZE broadcast.campaigns; VACUUM ANALYZE broadcast.imports";
    let admin = town.database.admin().await;
    for statement in many.split(';') {
        admin.batch_execute(statement).await.unwrap();
    }
    let (token, first) = (
        "'00000000-0000-0000-0000-000000000001'",
        "'00000000-0000-0000-0000-000000000000'",
    );
    for (module, name, arguments, index, most) in [
        (
            "campaigns::claims",
            "CLAIM",
            format!("{token}, 1000, {first}"),
            "campaigns_planning_of_tenant",
            60,
        ),
        (
            "campaigns::claims",
            "CLAIM_MOVE",
            format!("{token}, 1000, {first}"),
            "campaigns_moving",
            60,
        ),
        (
            "campaigns::claims",
            "CLAIM_DUE",
            format!("{token}, 1000, {first}"),
            "campaigns_scheduled",
            60,
        ),
        (
            "campaigns::claims",
            "UNSETTLED",
            format!("1000, {first}"),
            "campaigns_running_of_tenant",
            600,
        ),
        (
            "imports::store::turns",
            "CLAIM",
            format!("{token}, 1000, {first}"),
            "imports_open_of_tenant",
            60,
        ),
    ] {
        let (plan, blocks) = plan(&town, &format!("plaza_broadcast::{module}"), name, &arguments).await;
        assert!(
            plan.contains(&format!("using {index} on")),
            "{name} does without {index}:\n{plan}"
        );
        assert!(
            !plan.contains("Seq Scan") && !plan.contains("Sort"),
            "{name}:\n{plan}"
        );
        assert!(blocks <= most, "{name} touches {blocks} blocks:\n{plan}");
    }
}
