//! A tenant with very much to plan or to import leaves the others their share.

use std::collections::BTreeMap;

use crate::town::{Owner, Town, id_of};

/// Turns as short as they can be, and one worker of each kind.
async fn town() -> Town {
    Town::asleep(|config| {
        config.planner_batch = 10;
        config.import_batch_rows = 10;
        config.turn_batches = 1;
        config.import_workers = 1;
        config.lease_seconds = 30;
    })
    .await
}

/// A tenant with so many campaigns to the same hundred people, all sent.
async fn campaigns(town: &Town, count: usize) -> Owner {
    let owner = town.owner();
    let people = format!(
        "INSERT INTO broadcast.recipients (tenant_id, id, phone, name, consent, created_at, updated_at)
         SELECT '{}', gen_random_uuid(), '+49151174' || n, 'Ada', 'granted', now(), now()
           FROM generate_series(10000, 10099) n",
        owner.tenant
    );
    town.database.admin().await.batch_execute(&people).await.unwrap();
    let template = owner.template().await;
    for _ in 0..count {
        let body = serde_json::json!({"name": "Spring", "template_id": template});
        let id = id_of(&owner.post("/campaigns", &body).await.assert_ok());
        owner.send(&id).await.assert_ok();
    }
    owner
}

/// Whose recipients were planned or imported, in the order in which that was done.
async fn order(town: &Town, sql: &str) -> Vec<String> {
    let rows = town.database.admin().await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// How much of what was done belonged to whom, up to the last of the first to be done.
fn shares<'a>(order: &'a [String], totals: &BTreeMap<String, usize>) -> BTreeMap<&'a str, usize> {
    let mut done: BTreeMap<&str, usize> = BTreeMap::new();
    for tenant in order {
        let count = done.entry(tenant).or_default();
        *count += 1;
        if totals.get(tenant) == Some(count) {
            break;
        }
    }
    done
}

const PLANNED: &str = "SELECT tenant_id::text FROM broadcast.plan ORDER BY planned_at";

#[tokio::test]
async fn a_hundred_campaigns_leave_another_tenants_one_its_half_of_the_planning() {
    let town = town().await;
    let _large = campaigns(&town, 100).await;
    let small = campaigns(&town, 1).await;
    let id = small.all("/campaigns").await[0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let mut town = town.wake();
    small
        .waited(&format!("/campaigns/{id}"), |state| state == "running")
        .await;
    town.stop().await;
    let small = small.tenant.to_string();
    let order = order(&town, PLANNED).await;
    let done = shares(&order, &BTreeMap::from([(small.clone(), 100)]));
    let share = done[small.as_str()] as f64 / done.values().sum::<usize>() as f64;
    println!("{done:?}: {:.0} % of its half", share * 200.0);
    assert!(share >= 0.45, "{done:?}");
}

#[tokio::test]
async fn twenty_tenants_have_the_same_share_of_the_planning() {
    let town = town().await;
    let mut totals = BTreeMap::new();
    for count in 1..=20 {
        let owner = campaigns(&town, count).await;
        totals.insert(owner.tenant.to_string(), 100 * count);
    }
    let mut town = town.wake();
    let finished = "SELECT count(*) FROM broadcast.campaigns WHERE state = 'running'";
    plaza_testkit::eventually(std::time::Duration::from_secs(60), || async {
        town.count(finished).await >= 20
    })
    .await;
    town.stop().await;
    let order = order(&town, PLANNED).await;
    let done = shares(&order, &totals);
    let fair = done.values().sum::<usize>() as f64 / 20.0;
    let least = totals
        .keys()
        .map(|tenant| done.get(tenant.as_str()).copied().unwrap_or_default())
        .min();
    println!("{:?}: {fair} each would be fair", done.values());
    assert!(least.unwrap() as f64 >= 0.9 * fair, "{:?}", done.values());
}

#[tokio::test]
async fn many_imports_leave_another_tenants_one_its_half() {
    let town = town().await;
    let (large, small) = (town.owner(), town.owner());
    let file = |first: usize, rows: usize| {
        let rows = (first..first + rows)
            .map(|n| format!("+49151174{n}\n"))
            .collect::<String>();
        format!("phone\n{rows}").into_bytes()
    };
    // Each is over within one turn.
    for at in 0..40 {
        large.upload(&file(10_000 + 9 * at, 9), None).await.assert_ok();
    }
    let id = id_of(&small.upload(&file(10_000, 100), None).await.assert_ok());
    let mut town = town.wake();
    small.end_of_import(&id).await;
    town.stop().await;
    let imported = "SELECT tenant_id::text FROM broadcast.recipients ORDER BY created_at";
    let order = order(&town, imported).await;
    let small = small.tenant.to_string();
    let done = shares(&order, &BTreeMap::from([(small.clone(), 100)]));
    let share = done[small.as_str()] as f64 / done.values().sum::<usize>() as f64;
    println!("{done:?}: {:.0} % of its half", share * 200.0);
    assert!(share >= 0.45, "{done:?}");
}
