//! Checking the chains of all services.

use chrono::TimeDelta;
use futures_util::future::try_join_all;
use plaza_audit::{Progress, Verified};
use plaza_kernel::{Scope, ServiceName};
use plaza_rpc::{carried, carry_as_service};

use super::TrailError;
use super::position::Position;
use super::sources::Source;
use crate::Access;

/// How long one request checks before it says how far it has come: well within the time that the front door waits.
const BUDGET: TimeDelta = TimeDelta::seconds(4);

/// What the chain of one service came to.
pub(super) struct Checked {
    pub(super) service: ServiceName,
    pub(super) verified: Verified,
    /// Where to go on; None at its end.
    pub(super) next: Option<Progress>,
}

impl Access {
    /// Checks the chains from a position on, all at the same time, for as long as one request may take.
    pub(super) async fn verify_trail(
        &self,
        scope: Scope,
        from: &Position,
    ) -> Result<Vec<Checked>, TrailError> {
        let sources = self.inner.sources.all().iter();
        let begun = sources.filter_map(|source| Some((source, from.of(source.service)?)));
        let chains = begun.map(|(source, at)| self.verify_chain(source, scope, at));
        carry_as_service(carried(), try_join_all(chains)).await
    }

    async fn verify_chain(
        &self,
        source: &Source,
        scope: Scope,
        from: Progress,
    ) -> Result<Checked, TrailError> {
        let clock = &self.inner.clock;
        let end = clock.now() + BUDGET;
        let (mut verified, mut next) = source.verify(scope, from).await?;
        while let Some(at) = next
            && clock.now() < end
        {
            let (piece, further) = source.verify(scope, at).await?;
            (verified, next) = (verified.and(piece), further);
        }
        Ok(Checked {
            service: source.service,
            verified,
            next,
        })
    }
}

impl Position {
    /// Where the chains are that did not come to their end.
    pub(super) fn left_by(checked: &[Checked]) -> Self {
        let left = |chain: &Checked| Some((chain.service.as_str(), chain.next?));
        Self(checked.iter().filter_map(left).collect())
    }
}
