//! How far a campaign is, as it goes on: a stream of server-sent events. Each event is the whole of it, so whoever connects
//! again needs nothing of what they missed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::response::sse::Event;
use futures_util::stream::{self, Stream};
use plaza_contracts::ids::CampaignId;
use plaza_kernel::{Failure, Kind, TenantId};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::CampaignState;
use super::get::GetError;
use crate::Broadcast;
use crate::slots::{NoSlot, Slot};

/// How often it is looked at: one who watches hears of a change within a second or two.
const PAUSE: Duration = Duration::from_secs(1);
/// Counting a large campaign takes notification a while: it does nothing else only a tenth of the time.
const LEISURE: u32 = 9;

/// How far a campaign is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// Its state.
    pub state: CampaignState,
    /// A code: why it came there without anybody's wish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_reason: Option<String>,
    /// Recipients by what was decided.
    pub planned: BTreeMap<String, u64>,
    /// Messages by state; absent when notification does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<BTreeMap<String, u64>>,
}

/// Why nobody is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgressError {
    #[error(transparent)]
    Get(#[from] GetError),
    #[error(transparent)]
    Busy(#[from] NoSlot),
}

impl Failure for ProgressError {
    fn kind(&self) -> Kind {
        match self {
            Self::Get(error) => error.kind(),
            Self::Busy(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Get(error) => error.code(),
            Self::Busy(error) => error.code(),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::Get(error) => error.retry_after(),
            Self::Busy(error) => error.retry_after(),
        }
    }
}

/// The campaigns that somebody watches in this process. However many watch one, it is looked at once.
#[derive(Debug, Default)]
pub(crate) struct Watched(Mutex<HashMap<(TenantId, CampaignId), Weak<Looks>>>);

/// What was seen last of one campaign, and until when that is good enough.
#[derive(Debug, Default)]
struct Looks(tokio::sync::Mutex<Option<(Progress, Instant)>>);

impl Watched {
    fn looks(&self, tenant: TenantId, id: CampaignId) -> Arc<Looks> {
        let mut watched = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(looks) = watched.get(&(tenant, id)).and_then(Weak::upgrade) {
            return looks;
        }
        watched.retain(|_, looks| looks.strong_count() > 0);
        let looks = Arc::new(Looks::default());
        watched.insert((tenant, id), Arc::downgrade(&looks));
        looks
    }
}

impl Looks {
    async fn look(
        &self,
        broadcast: &Broadcast,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<Progress, GetError> {
        // Held while looking: who comes meanwhile sees what is found.
        let mut last = self.0.lock().await;
        if let Some((progress, until)) = &*last
            && Instant::now() < *until
        {
            return Ok(progress.clone());
        }
        let began = Instant::now();
        let campaign = broadcast.campaign_with_counts(tenant, id).await?;
        let progress = Progress {
            state: campaign.state,
            state_reason: campaign.state_reason,
            planned: campaign.planned,
            counts: campaign.counts,
        };
        let pause = PAUSE.max(began.elapsed() * LEISURE);
        // A little less, so that who looks every second finds something new each time.
        *last = Some((progress.clone(), Instant::now() + pause - PAUSE / 10));
        Ok(progress)
    }
}

/// Somebody who watches.
struct Watcher {
    broadcast: Broadcast,
    tenant: TenantId,
    id: CampaignId,
    looks: Arc<Looks>,
    /// What they were told last.
    told: Option<Progress>,
    until: Instant,
    /// Given back when they go.
    _slot: Slot,
}

impl Broadcast {
    /// Tells how far a campaign is, now and whenever that changes, until it is over or `progress_seconds` are. Who wants to
    /// know more then asks again, and is asked again who they are.
    pub(crate) async fn watch(
        &self,
        tenant: TenantId,
        id: CampaignId,
    ) -> Result<impl Stream<Item = Result<Event, axum::Error>> + use<>, ProgressError> {
        let slot = self.watchers.take(tenant)?;
        let looks = self.watched.looks(tenant, id);
        // Whether there is such a campaign is answered before the stream begins.
        looks.look(self, tenant, id).await?;
        let watcher = Watcher {
            broadcast: self.clone(),
            tenant,
            id,
            looks,
            told: None,
            until: Instant::now() + Duration::from_secs(self.config.progress_seconds),
            _slot: slot,
        };
        Ok(stream::unfold(watcher, |mut watcher| async move {
            let event = watcher.next().await?;
            Some((event, watcher))
        }))
    }
}

impl Watcher {
    /// The next change; none at the end.
    async fn next(&mut self) -> Option<Result<Event, axum::Error>> {
        if self.told.as_ref().is_some_and(|told| told.state.is_final()) {
            return None;
        }
        loop {
            if self.told.is_some() {
                tokio::time::sleep(PAUSE).await;
            }
            if Instant::now() >= self.until {
                return None;
            }
            match self.looks.look(&self.broadcast, self.tenant, self.id).await {
                Ok(progress) if self.told.as_ref() != Some(&progress) => {
                    let event = Event::default().event("progress").json_data(&progress);
                    self.told = Some(progress);
                    return Some(event);
                }
                Ok(_) => {}
                // Somebody put it away.
                Err(GetError::NotFound) => return None,
                Err(error) => {
                    tracing::warn!(code = error.code(), "progress of a campaign is not known now");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}
