//! The life of a tenant. No I/O here.
//!
//! What has happened is kept, and the status follows from it, so that nothing that comes in between is lost: an owner's
//! account that is there while the tenant is suspended, a suspended tenant that was to be deleted and is not.

use chrono::{DateTime, TimeDelta, Utc};

use super::Status;

/// How long a tenant that is to be deleted can still be restored.
const GRACE: TimeDelta = TimeDelta::days(30);

/// What has happened to a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Life {
    /// When its owner's account was there.
    pub activated_at: Option<DateTime<Utc>>,
    /// When it was suspended, if it is.
    pub suspended_at: Option<DateTime<Utc>>,
    /// When it may be deleted, if it is to be.
    pub delete_after: Option<DateTime<Utc>>,
    /// When it was.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// In its status this cannot become of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the tenant is {0}")]
pub(crate) struct WrongStatus(pub(crate) Status);

impl Life {
    /// Where it is.
    pub const fn status(&self) -> Status {
        if self.deleted_at.is_some() {
            Status::Deleted
        } else if self.delete_after.is_some() {
            Status::Deleting
        } else if self.suspended_at.is_some() {
            Status::Suspended
        } else if self.activated_at.is_some() {
            Status::Active
        } else {
            Status::Provisioning
        }
    }

    /// Its owner's account is there. A tenant that is suspended stays so.
    pub(crate) fn activate(&mut self, at: DateTime<Utc>) {
        self.activated_at.get_or_insert(at);
    }

    /// Keeps everybody out.
    pub(crate) fn suspend(&mut self, at: DateTime<Utc>) -> Result<(), WrongStatus> {
        self.only_if(|status| matches!(status, Status::Provisioning | Status::Active))?;
        self.suspended_at = Some(at);
        Ok(())
    }

    /// Lets them in again.
    pub(crate) fn resume(&mut self) -> Result<(), WrongStatus> {
        self.only_if(|status| status == Status::Suspended)?;
        self.suspended_at = None;
        Ok(())
    }

    /// Will be deleted when the days of grace are over.
    pub(crate) fn delete(&mut self, at: DateTime<Utc>) -> Result<(), WrongStatus> {
        self.only_if(|status| !matches!(status, Status::Deleting | Status::Deleted))?;
        self.delete_after = Some(at + GRACE);
        Ok(())
    }

    /// Will not be deleted, and is what it was.
    pub(crate) fn restore(&mut self) -> Result<(), WrongStatus> {
        self.only_if(|status| status == Status::Deleting)?;
        self.delete_after = None;
        Ok(())
    }

    /// Is deleted, if its days of grace are over.
    pub(crate) fn end(&mut self, at: DateTime<Utc>) -> Result<(), WrongStatus> {
        self.only_if(|status| status == Status::Deleting)?;
        if self.delete_after.is_none_or(|after| at < after) {
            return Err(WrongStatus(Status::Deleting));
        }
        self.deleted_at = Some(at);
        Ok(())
    }

    fn only_if(&self, fits: impl FnOnce(Status) -> bool) -> Result<(), WrongStatus> {
        let status = self.status();
        if fits(status) {
            Ok(())
        } else {
            Err(WrongStatus(status))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(day * 86_400, 0).unwrap()
    }

    fn lives() -> [(Status, Life); 5] {
        let active = Life {
            activated_at: Some(at(1)),
            ..Life::default()
        };
        let suspended = Life {
            suspended_at: Some(at(2)),
            ..active
        };
        let deleting = Life {
            delete_after: Some(at(40)),
            ..active
        };
        let deleted = Life {
            deleted_at: Some(at(41)),
            ..deleting
        };
        [
            (Status::Provisioning, Life::default()),
            (Status::Active, active),
            (Status::Suspended, suspended),
            (Status::Deleting, deleting),
            (Status::Deleted, deleted),
        ]
    }

    /// What becomes of each of the five by one step; none where that cannot be.
    #[track_caller]
    fn becomes(step: impl Fn(&mut Life) -> Result<(), WrongStatus>, expected: [Option<Status>; 5]) {
        for ((status, life), expected) in lives().into_iter().zip(expected) {
            assert_eq!(life.status(), status);
            let mut after = life;
            match step(&mut after) {
                Ok(()) => assert_eq!(Some(after.status()), expected, "from {status}"),
                Err(refused) => {
                    assert_eq!((refused, after, None), (WrongStatus(status), life, expected));
                }
            }
        }
    }

    #[test]
    fn each_step_is_taken_from_where_it_can_be() {
        use Status::{Active, Deleted, Deleting, Provisioning, Suspended};
        becomes(
            |life| life.suspend(at(3)),
            [Some(Suspended), Some(Suspended), None, None, None],
        );
        becomes(Life::resume, [None, None, Some(Active), None, None]);
        becomes(
            |life| life.delete(at(3)),
            [Some(Deleting), Some(Deleting), Some(Deleting), None, None],
        );
        becomes(Life::restore, [None, None, None, Some(Active), None]);
        becomes(|life| life.end(at(39)), [None; 5]);
        becomes(|life| life.end(at(40)), [None, None, None, Some(Deleted), None]);
        let activate = |life: &mut Life| {
            life.activate(at(3));
            Ok(())
        };
        becomes(
            activate,
            [
                Some(Active),
                Some(Active),
                Some(Suspended),
                Some(Deleting),
                Some(Deleted),
            ],
        );
        assert_eq!(Provisioning, Life::default().status());
    }

    #[test]
    fn who_is_restored_is_what_they_were() {
        let mut life = Life::default();
        life.suspend(at(1)).unwrap();
        life.delete(at(2)).unwrap();
        assert_eq!(life.delete_after, Some(at(32)));
        // The owner's account comes late.
        life.activate(at(3));
        life.restore().unwrap();
        assert_eq!(life.status(), Status::Suspended);
        life.resume().unwrap();
        assert_eq!(life.status(), Status::Active);
    }
}
