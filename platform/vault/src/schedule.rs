//! Once a minute, once across the fleet, what a new key of the ring makes necessary is done.

use std::time::Duration;

use chrono_tz::Tz;
use plaza_schedule::{Due, Misfire, Schedule, ScheduleError, Schedules};

use crate::{Upgrade, Vault, VaultError};

/// With one more schedule: sealing anew what older keys sealed. `name` is the service's: `notification.rewrap`.
pub fn rewrapping(schedules: Schedules, name: &'static str, vault: &Vault) -> Schedules {
    let schedule = Schedule {
        name,
        cron: "* * * * *",
        zone: Tz::UTC,
        misfire: Misfire::Skip,
        deadline: Duration::from_secs(1800),
    };
    let vault = vault.clone();
    schedules.with(schedule, move |due: Due| {
        let vault = vault.clone();
        Box::pin(async move { rewrap(&vault, &due).await })
    })
}

async fn rewrap(vault: &Vault, due: &Due) -> Result<(), ScheduleError> {
    match vault.rotate(Upgrade::Begun, &due.stop).await {
        Ok(rotated) if rotated.is_nothing() => Ok(()),
        Ok(rotated) => {
            tracing::info!(
                service = %vault.0.database.service(),
                data_keys = rotated.data_keys,
                values = rotated.values,
                stuck = rotated.stuck,
                "secrets were sealed anew"
            );
            Ok(())
        }
        Err(VaultError::Stopped) => Err(ScheduleError::Stopped),
        Err(VaultError::Database(error)) => Err(error.into()),
        Err(error) => Err(ScheduleError::failed(error)),
    }
}
