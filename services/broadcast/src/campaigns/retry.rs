//! Trying again what failed.

use std::time::Duration;

use plaza_contracts::ids::CampaignId;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, FieldError, Kind, TenantId};
use plaza_messaging::outbox;
use plaza_rpc::RpcError;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use utoipa::ToSchema;

use super::{WrongState, claims, store};
use crate::invalid::Invalid;
use crate::work::{self, Lease};
use crate::{Broadcast, audit};

/// How long it is asked for at the most. What is left then is left to the next time.
const PATIENCE: Duration = Duration::from_secs(7);
/// How long the campaign is not called over meanwhile.
const LEASE: Duration = Duration::from_secs(9);

/// Which failures are to be tried again.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WhichFailed {
    /// Only those with these codes of the provider, at most 50; all that may pass unless told.
    pub codes: Vec<String>,
}

/// What is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Requeued {
    /// How many messages.
    pub requeued: u64,
    /// There are more than could be queued in one request: ask again once the campaign is completed.
    pub more: bool,
}

/// Why nothing is tried again.
#[derive(Debug, thiserror::Error)]
pub enum RetryError {
    /// There is none of this id.
    #[error("there is no such campaign")]
    NotFound,
    /// It is not completed.
    #[error(transparent)]
    State(#[from] WrongState),
    /// Values are not acceptable.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Notification failed: the campaign completes again.
    #[error("notification failed")]
    Notification(#[from] RpcError),
    /// The database failed.
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for RetryError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::State(_) => Kind::Conflict,
            Self::Invalid(invalid) => invalid.kind(),
            Self::Notification(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "CAMPAIGN_NOT_FOUND",
            Self::State(_) => "CAMPAIGN_STATE",
            Self::Invalid(invalid) => invalid.code(),
            Self::Notification(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }

    fn fields(&self) -> Vec<FieldError> {
        match self {
            Self::Invalid(invalid) => invalid.fields(),
            Self::NotFound | Self::State(_) | Self::Notification(_) | Self::Database(_) => Vec::new(),
        }
    }
}

impl Broadcast {
    /// Sends the failed messages of a completed campaign once more. It is running before notification is asked, so that a
    /// crash in between leaves at worst a campaign that is completed once more.
    pub async fn retry_failed(
        &self,
        tenant: TenantId,
        id: CampaignId,
        which: WhichFailed,
    ) -> Result<Requeued, RetryError> {
        let codes = checked(which.codes)?;
        let lease = self.run_again(tenant, id).await?;
        let asked = self.requeue(lease, codes).await;
        // Whatever came of it: whoever looks at running campaigns finds out.
        let tx = self.database.begin(tenant);
        claims::end_move(&tx, id, lease.token).await?;
        // It may have been paused meanwhile.
        tx.signal_on_commit(work::MOVES);
        tx.commit().await?;
        Ok(asked?)
    }

    async fn run_again(&self, tenant: TenantId, id: CampaignId) -> Result<Lease<CampaignId>, RetryError> {
        let token = self.clock.uuid();
        let tx = self.database.begin(tenant);
        let mut campaign = store::lock(&tx, id).await?.ok_or(RetryError::NotFound)?;
        let changed = campaign.retry()?;
        store::save(&tx, &mut campaign, self.now()).await?;
        // Nobody tells notification anything about a campaign that is completed: there is no other lease.
        claims::begin_move(&tx, id, token, LEASE).await?;
        outbox::append(&tx, &self.clock, &changed).await?;
        audit::campaign(&tx, &self.clock, &audit::CAMPAIGN_RETRIED, &campaign).await?;
        tx.commit().await?;
        Ok(Lease::of((tenant, id, None), token))
    }

    async fn requeue(&self, lease: Lease<CampaignId>, codes: Vec<String>) -> Result<Requeued, RpcError> {
        let until = Instant::now() + PATIENCE;
        let left = || until.saturating_duration_since(Instant::now());
        let mut all = Requeued {
            requeued: 0,
            more: true,
        };
        // Too many failures may have held it back when nothing of it was left: nobody has released it since.
        let (tenant, id) = (lease.tenant, lease.id);
        self.notification.release(tenant, id, left()).await?;
        let mut after = String::new();
        while all.more && Instant::now() < until {
            let which = (codes.clone(), after.clone());
            match self.notification.retry_failed(tenant, id, which, left()).await {
                Ok(reply) => {
                    all.requeued = all.requeued.saturating_add(reply.requeued);
                    all.more = reply.more;
                    // Without it there is no going on: what fails again at once would be queued again and again.
                    if reply.last.is_empty() {
                        break;
                    }
                    after = reply.last;
                }
                Err(error) if all.requeued == 0 => return Err(error),
                Err(error) => {
                    tracing::warn!(
                        code = error.code(),
                        "notification queued only some messages again"
                    );
                    break;
                }
            }
        }
        Ok(all)
    }
}

fn checked(codes: Vec<String>) -> Result<Vec<String>, Invalid> {
    let mut invalid = Invalid::default();
    if codes.len() > 50 {
        invalid.add("/codes", "TOO_MANY", "at most 50");
    }
    for (at, code) in codes.iter().enumerate().take(50) {
        if code.is_empty() || code.len() > 64 || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
            invalid.add(
                format!("/codes/{at}"),
                "INVALID_CODE",
                "1 to 64 visible ASCII characters",
            );
        }
    }
    invalid.check().map(|()| codes)
}
