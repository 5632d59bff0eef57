//! People who do not want to be written to any more, or want it again: their consent follows what they said.

use chrono::{DateTime, Utc};
use plaza_contracts::addresses;
use plaza_contracts::events::OptOutRecorded;
use plaza_database::{DatabaseError, TenantTx, statements};

/// Where a consent is known from that a person gave again.
const IN: &str = "start";

statements! {
    // What was said later than the person's word, for instance by an import, stands. What was known before is kept, of two
    // objections what was known before the first.
    static REFUSE: (Vec<String>, String, DateTime<Utc>) => () =
        "UPDATE broadcast.recipients
            SET consent_before = coalesce(consent_before, consent),
                consent_before_source = CASE WHEN consent_before IS NULL THEN consent_source
                                             ELSE consent_before_source END,
                consent = 'refused', consent_source = $2, consent_at = $3, updated_at = greatest(updated_at, $3)
          WHERE phone = ANY ($1) AND (consent_at IS NULL OR consent_at <= $3)";

    // Only the objection is taken back: whoever never said yes has not said it now either, and whoever said no on a form has
    // said so still.
    static TAKE_BACK: (Vec<String>, String, DateTime<Utc>) => () =
        "UPDATE broadcast.recipients
            SET consent = consent_before,
                consent_source = CASE WHEN consent_before = 'granted' THEN $2 ELSE consent_before_source END,
                consent_before = NULL, consent_before_source = NULL,
                consent_at = $3, updated_at = greatest(updated_at, $3)
          WHERE phone = ANY ($1) AND consent_before IS NOT NULL AND consent_at <= $3";
}

/// Writes down at the recipient what the person said, however their number is spelled there. Their objection holds whether
/// they are a recipient or not: that is notification's to know.
pub(crate) async fn note(tx: &TenantTx, said: &OptOutRecorded) -> Result<(), DatabaseError> {
    let phones = addresses::variants(&said.address);
    match said.action.as_str() {
        "out" => {
            tx.execute(&REFUSE, (phones, said.source.clone(), said.at))
                .await?
        }
        "in" => tx.execute(&TAKE_BACK, (phones, IN.to_owned(), said.at)).await?,
        // A word of a later release: notification keeps to it.
        _ => 0,
    };
    Ok(())
}
