//! Whom a message would not be sent to, and why: asked before it is queued, for those who plan many. What counts is what is
//! looked at when it leaves.

use std::collections::BTreeMap;

use plaza_database::DatabaseError;
use plaza_kernel::TenantId;

use super::store;
use crate::messages::MARKETING;
use crate::{Notification, contacts, terms};

/// The address must not be written to.
pub(crate) const SUPPRESSED: &str = "suppressed";
/// The address has had as much advertising as it may get.
const FREQUENCY_CAP: &str = "frequency_cap";
/// The provider said that there is nobody.
const UNREACHABLE: &str = "wa_unreachable";

impl Notification {
    /// Which of these addresses a message of this class would not be sent to now, and why.
    pub(crate) async fn not_to_be_sent(
        &self,
        tenant: TenantId,
        channel: &str,
        addresses: Vec<String>,
        class: Option<String>,
    ) -> Result<BTreeMap<String, &'static str>, DatabaseError> {
        let is_marketing = class.as_deref() == Some(MARKETING);
        let tx = self.inner.database.begin(tenant);
        let terms = terms::store::of(&tx).await?;
        let (suppressed, known) = tokio::join!(
            store::among(&tx, channel, addresses.clone(), class),
            contacts::store::known(&tx, channel, addresses, terms.cap),
        );
        let (suppressed, known) = (suppressed?, known?);
        tx.commit().await?;
        let mut reasons = BTreeMap::new();
        for (address, is_unreachable, is_capped) in known {
            if is_unreachable {
                reasons.insert(address, UNREACHABLE);
            } else if is_capped && is_marketing {
                reasons.insert(address, FREQUENCY_CAP);
            }
        }
        // What the person wants comes before what we know of them.
        reasons.extend(suppressed.into_iter().map(|address| (address, SUPPRESSED)));
        Ok(reasons)
    }
}
