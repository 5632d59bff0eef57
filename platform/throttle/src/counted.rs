//! Counting in the database.

use std::time::Duration;

use plaza_database::{Database, DatabaseError, Transaction, statements};

use crate::rule::{Key, key};
use crate::{Ladder, Rule, Throttled};

statements! {
    /// GCRA over several keys at once, in the order of the keys so that two callers never wait for each other. A row is what
    /// refused, with the seconds after which it would not; nothing is counted unless the transaction is committed.
    ///
    /// `excluded.tat - now()` is the step, because all of this has one `now()`.
    static TAKE: (Vec<Vec<u8>>, Vec<f64>, Vec<f64>) => (Vec<u8>, f64) =
        "WITH asked AS (
             SELECT a.key, now() + make_interval(secs => a.step) AS tat, make_interval(secs => a.period) AS period
               FROM unnest($1::bytea[], $2::float8[], $3::float8[]) AS a (key, step, period)),
         taken AS (
             INSERT INTO throttle AS t (key, tat, period, forgotten_at)
             SELECT key, tat, period, tat FROM asked ORDER BY key
                 ON CONFLICT (key) DO UPDATE
                SET tat = greatest(t.tat, now()) + (excluded.tat - now()),
                    forgotten_at = greatest(t.tat, now()) + (excluded.tat - now()),
                    period = excluded.period
              WHERE greatest(t.tat, now()) + (excluded.tat - now()) - now() <= excluded.period
             RETURNING key)
         SELECT asked.key,
                extract(epoch FROM greatest(t.tat, now()) + (asked.tat - now()) - asked.period - now())::float8
           FROM asked LEFT JOIN throttle t ON t.key = asked.key
          WHERE asked.key NOT IN (SELECT key FROM taken)";

    /// One more try on a ladder, unless its pause lasts: whether, and else for how many seconds. Free tries never wait for each
    /// other: `tat` of one that began a moment later lies ahead of our `now()`.
    static CLIMB: (Vec<u8>, i32, f64, f64, f64) => (bool, Option<f64>) =
        "WITH climbed AS (
             INSERT INTO throttle AS t (key, tat, period, failures, forgotten_at)
             VALUES ($1, now() + make_interval(secs => CASE WHEN 1 < $2::int4 THEN 0 ELSE least($3::float8, $4::float8) END),
                     make_interval(secs => $5::float8), 1, now() + make_interval(secs => $5::float8))
                 ON CONFLICT (key) DO UPDATE
                SET failures = CASE WHEN t.forgotten_at <= now() THEN 1 ELSE least(t.failures, 1000000) + 1 END,
                    tat = now() + make_interval(secs =>
                        CASE WHEN t.forgotten_at <= now() THEN CASE WHEN 1 < $2::int4 THEN 0 ELSE least($3::float8, $4::float8) END
                             WHEN t.failures + 1 < $2::int4 THEN 0
                             ELSE least($4::float8, $3::float8 * 2 ^ least(t.failures + 1 - $2::int4, 30)) END),
                    period = excluded.period,
                    forgotten_at = excluded.forgotten_at
              WHERE t.failures < $2::int4 OR t.tat <= now() OR t.forgotten_at <= now()
             RETURNING true)
         SELECT EXISTS (SELECT FROM climbed),
                (SELECT extract(epoch FROM t.tat - now())::float8 FROM throttle t WHERE t.key = $1)";

    static FORGET: (Vec<u8>,) => () = "DELETE FROM throttle WHERE key = $1";
}

/// Takes from every bucket and climbs the ladder, or does none of it. One flight, and one for the commit.
pub(crate) async fn take(
    database: &Database,
    rules: &[Rule<'_>],
    ladder: Option<&Ladder<'_>>,
) -> Result<Result<(), Throttled>, DatabaseError> {
    let tx = database.begin_platform();
    let (buckets, rung) = tokio::join!(biased; buckets(&tx, rules), climb(&tx, ladder));
    if let Some(throttled) = buckets?.or(rung?) {
        // Rolled back: who is refused by one limit is not counted by the others.
        return Ok(Err(throttled));
    }
    tx.commit().await?;
    Ok(Ok(()))
}

async fn buckets(tx: &Transaction, rules: &[Rule<'_>]) -> Result<Option<Throttled>, DatabaseError> {
    if rules.is_empty() {
        return Ok(None);
    }
    let mut rules: Vec<(Key, &Rule<'_>)> = rules.iter().map(|rule| (key(rule.label), rule)).collect();
    rules.sort_unstable_by_key(|(key, _)| *key);
    // A key can be taken from once in a statement.
    rules.dedup_by_key(|(key, _)| *key);
    let keys = rules.iter().map(|(key, _)| key.to_vec()).collect();
    let steps = rules.iter().map(|(_, rule)| rule.step().as_secs_f64()).collect();
    let periods = rules.iter().map(|(_, rule)| rule.per.as_secs_f64()).collect();
    let refused = tx.all(&TAKE, (keys, steps, periods)).await?;
    let refusals = refused.into_iter().filter_map(|(key, wait)| {
        let (_, rule) = rules.iter().find(|(known, _)| key == *known)?;
        Some(Throttled::new(rule.policy, rule.burst, rule.per, seconds(wait)))
    });
    Ok(refusals.max_by_key(|throttled| throttled.retry_after))
}

async fn climb(tx: &Transaction, ladder: Option<&Ladder<'_>>) -> Result<Option<Throttled>, DatabaseError> {
    let Some(ladder) = ladder else {
        return Ok(None);
    };
    let free = i32::try_from(ladder.free.max(1)).unwrap_or(i32::MAX);
    let [first, most, memory] = [ladder.first, ladder.most, ladder.memory].map(|time| time.as_secs_f64());
    let climb = (key(ladder.label).to_vec(), free, first, most, memory);
    let (climbed, wait) = tx.one(&CLIMB, climb).await?;
    let wait = seconds(wait.unwrap_or_default());
    Ok((!climbed).then(|| Throttled::new(ladder.policy, ladder.free, ladder.memory, wait)))
}

/// Forgives what a ladder counted, or gives a bucket back all it had.
pub(crate) async fn forget(database: &Database, label: &str) -> Result<(), DatabaseError> {
    let tx = database.begin_platform();
    tx.execute_and_commit(&FORGET, (key(label).to_vec(),)).await?;
    Ok(())
}

/// What the server computed; another caller may have changed the row since.
fn seconds(wait: f64) -> Duration {
    Duration::try_from_secs_f64(wait).unwrap_or_default()
}
