//! The end of tenants whose days of grace are over.
//!
//! A deleted tenant is a state: nobody gets in any more, nothing is sent for it, its slug is free, and tenancy keeps neither
//! its owner's address nor its configuration nor its secrets; identity ends its memberships and sessions. What other services
//! stored for it stays in their tables, where the policies of the database show it to nobody, until it is removed there.

use std::time::Duration;

use plaza_contracts::events::TenantDeleted;
use plaza_kernel::TenantId;
use plaza_messaging::outbox;
use plaza_schedule::{Due, Misfire, Schedule, ScheduleError, Schedules};

use super::live::LifeError;
use super::store;
use crate::{Tenancy, configuration, secrets};

/// Ending tenants: once a day, at night in Europe. Nothing depends on the hour: they have been closed for weeks.
const END: Schedule = Schedule {
    name: "tenancy.end_tenants",
    cron: "23 1 * * *",
    zone: chrono_tz::UTC,
    misfire: Misfire::Once,
    deadline: Duration::from_secs(30 * 60),
};

/// What tenancy does by the calendar.
pub(crate) fn schedules(tenancy: &Tenancy) -> Schedules {
    let tenancy = tenancy.clone();
    Schedules::new().with(END, move |due: Due| {
        let tenancy = tenancy.clone();
        Box::pin(async move { tenancy.end_tenants(&due).await })
    })
}

impl Tenancy {
    /// Ends every tenant that is due. Told to stop it leaves the rest to whoever takes the firing up; one that cannot be ended
    /// keeps none of the others, and the run is tried again for it.
    async fn end_tenants(&self, due: &Due) -> Result<(), ScheduleError> {
        let (mut after, mut failed) = (None, None);
        loop {
            let tx = self.inner.database.begin_system();
            let found = store::to_end(&tx, self.inner.clock.now(), after).await?;
            tx.commit().await?;
            let Some(last) = found.last() else {
                return failed.map_or(Ok(()), Err);
            };
            after = Some(*last);
            for tenant in found {
                if due.stop.is_cancelled() {
                    return Err(ScheduleError::Stopped);
                }
                if let Err(error) = self.end(tenant).await {
                    let error_of = &error as &dyn std::error::Error;
                    tracing::error!(%tenant, error = error_of, "tenant not ended");
                    failed = Some(error);
                }
            }
        }
    }

    /// One transaction for each. Whoever was restored meanwhile, or ended by somebody else, is left alone.
    async fn end(&self, id: TenantId) -> Result<(), ScheduleError> {
        match self.try_end(id).await {
            Ok(()) | Err(LifeError::NotFound | LifeError::WrongStatus(_)) => Ok(()),
            Err(LifeError::Database(error)) => Err(error.into()),
        }
    }

    async fn try_end(&self, id: TenantId) -> Result<(), LifeError> {
        let tx = self.inner.database.begin(id);
        let mut tenant = store::lock(&tx).await?.ok_or(LifeError::NotFound)?;
        let (now, from) = (self.inner.clock.now(), tenant.status());
        tenant.life.end(now)?;
        let at;
        (tenant.version, at) = store::save_life(&tx, &tenant.life, now).await?;
        store::erase(&tx, &tenant.slug).await?;
        configuration::store::erase(&tx).await?;
        secrets::store::erase(&tx).await?;
        self.announce(&tx, from, &tenant, at).await?;
        let deleted = TenantDeleted {
            tenant_id: id,
            slug: tenant.slug.as_str().to_owned(),
        };
        outbox::append(&tx, &self.inner.clock, &deleted).await?;
        tx.commit().await?;
        Ok(())
    }
}
