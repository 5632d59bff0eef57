//! Who may change whom: the rules that hold whatever roles grant.

use plaza_kernel::{Failure, Kind, UserId};

use super::store::{Held, Stored};

/// The rules do not allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Overreach {
    /// Owners are made, changed and removed by owners.
    #[error("only an owner may do this")]
    OwnerOnly,
    /// One's own role and status are for others to change.
    #[error("you cannot do this to yourself")]
    Yourself,
    /// A tenant has an owner.
    #[error("a tenant needs an active owner")]
    LastOwner,
    /// Who was asked in and has not come yet has neither role nor status to change.
    #[error("the user has not accepted the invitation yet")]
    Invited,
}

impl Failure for Overreach {
    fn kind(&self) -> Kind {
        match self {
            Self::OwnerOnly | Self::Yourself => Kind::Forbidden,
            Self::LastOwner | Self::Invited => Kind::Conflict,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::OwnerOnly => "OWNER_ONLY",
            Self::Yourself => "NOT_YOURSELF",
            Self::LastOwner => "LAST_OWNER",
            Self::Invited => "USER_INVITED",
        }
    }
}

/// Somebody acts on a member.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act<'a> {
    /// Who; the platform when nobody.
    pub(crate) actor: Option<UserId>,
    /// Those who are active at this moment.
    pub(crate) owners: &'a [UserId],
    /// On whom.
    pub(crate) target: &'a Held,
}

impl Act<'_> {
    /// Whether the member may be changed so.
    pub(crate) fn change(self, change: &Stored) -> Result<(), Overreach> {
        let role = change.role.filter(|role| *role != self.target.role);
        let status = change.status.filter(|status| *status != self.target.status);
        let deeply = role.is_some() || status.is_some();
        if deeply && self.on_themselves() {
            return Err(Overreach::Yourself);
        }
        if (role.is_some() || self.on_owner()) && !self.by_owner() && !self.on_themselves() {
            return Err(Overreach::OwnerOnly);
        }
        if deeply && self.target.status == "invited" {
            return Err(Overreach::Invited);
        }
        if deeply { self.leaves_an_owner() } else { Ok(()) }
    }

    /// Whether the membership may be ended.
    pub(crate) fn remove(self) -> Result<(), Overreach> {
        if self.on_themselves() {
            return Err(Overreach::Yourself);
        }
        if self.on_owner() && !self.by_owner() {
            return Err(Overreach::OwnerOnly);
        }
        self.leaves_an_owner()
    }

    /// Whether the sessions of the member may be ended.
    pub(crate) fn end_sessions(self) -> Result<(), Overreach> {
        if self.on_owner() && !self.by_owner() && !self.on_themselves() {
            Err(Overreach::OwnerOnly)
        } else {
            Ok(())
        }
    }

    fn on_themselves(self) -> bool {
        self.actor == Some(self.target.user_id)
    }

    fn on_owner(self) -> bool {
        self.target.role == "owner"
    }

    // Not what the token says: another owner may have taken the role away a moment ago.
    fn by_owner(self) -> bool {
        self.actor.is_none_or(|actor| self.owners.contains(&actor))
    }

    fn leaves_an_owner(self) -> Result<(), Overreach> {
        let another = self.owners.iter().any(|owner| *owner != self.target.user_id);
        // One who becomes an owner leaves at least themselves.
        if another || !self.on_owner() {
            Ok(())
        } else {
            Err(Overreach::LastOwner)
        }
    }
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;

    use super::*;

    fn held(role: &str, status: &str) -> Held {
        Held {
            user_id: UserId::generate(&Clock::system()),
            role: role.to_owned(),
            status: status.to_owned(),
            version: 1,
        }
    }

    fn role(role: &'static str) -> Stored {
        Stored {
            role: Some(role),
            ..Stored::default()
        }
    }

    fn status(status: &'static str) -> Stored {
        Stored {
            status: Some(status),
            ..Stored::default()
        }
    }

    fn named() -> Stored {
        Stored {
            name: Some("Ada".to_owned()),
            ..Stored::default()
        }
    }

    #[test]
    fn members_with_a_permission_change_members_and_no_owners() {
        let (clerk, member, owner) = (
            held("member", "active"),
            held("member", "active"),
            held("owner", "active"),
        );
        let owners = [owner.user_id];
        let on = |target| Act {
            actor: Some(clerk.user_id),
            owners: &owners,
            target,
        };
        for change in [named(), status("disabled"), role("member")] {
            assert_eq!(on(&member).change(&change), Ok(()));
        }
        assert_eq!(on(&member).remove(), Ok(()));
        assert_eq!(on(&member).change(&role("owner")), Err(Overreach::OwnerOnly));
        for change in [named(), status("disabled"), role("member")] {
            assert_eq!(on(&owner).change(&change), Err(Overreach::OwnerOnly));
        }
        assert_eq!(on(&owner).remove(), Err(Overreach::OwnerOnly));
        assert_eq!(on(&member).end_sessions(), Ok(()));
        assert_eq!(on(&owner).end_sessions(), Err(Overreach::OwnerOnly));
    }

    #[test]
    fn nobody_raises_or_removes_themselves() {
        for me in [held("member", "active"), held("owner", "active")] {
            let owners = [me.user_id];
            let act = Act {
                actor: Some(me.user_id),
                owners: if me.role == "owner" { &owners } else { &[] },
                target: &me,
            };
            let other = if me.role == "owner" { "member" } else { "owner" };
            assert_eq!(act.change(&role(other)), Err(Overreach::Yourself));
            assert_eq!(act.change(&status("disabled")), Err(Overreach::Yourself));
            assert_eq!(act.remove(), Err(Overreach::Yourself));
            assert_eq!(act.change(&named()), Ok(()));
        }
    }

    #[test]
    fn an_owner_who_was_demoted_a_moment_ago_is_none() {
        let (was, is) = (held("member", "active"), held("owner", "active"));
        let owners = [is.user_id];
        let act = Act {
            actor: Some(was.user_id),
            owners: &owners,
            target: &is,
        };
        assert_eq!(act.remove(), Err(Overreach::OwnerOnly));
        assert_eq!(act.change(&role("member")), Err(Overreach::OwnerOnly));
    }

    #[test]
    fn the_platform_too_leaves_an_owner() {
        let (last, gone) = (held("owner", "active"), held("owner", "disabled"));
        let owners = [last.user_id];
        let on = |target| Act {
            actor: None,
            owners: &owners,
            target,
        };
        assert_eq!(on(&last).remove(), Err(Overreach::LastOwner));
        assert_eq!(on(&last).change(&role("member")), Err(Overreach::LastOwner));
        assert_eq!(on(&last).change(&status("disabled")), Err(Overreach::LastOwner));
        assert_eq!(on(&last).change(&named()), Ok(()));
        assert_eq!(on(&gone).remove(), Ok(()));
        assert_eq!(on(&gone).change(&status("active")), Ok(()));
    }

    #[test]
    fn who_has_not_come_yet_is_not_let_in_by_a_change() {
        let (owner, invited) = (held("owner", "active"), held("member", "invited"));
        let owners = [owner.user_id];
        let act = Act {
            actor: Some(owner.user_id),
            owners: &owners,
            target: &invited,
        };
        for change in [status("active"), status("disabled"), role("owner")] {
            assert_eq!(act.change(&change), Err(Overreach::Invited));
        }
        assert_eq!(act.change(&named()), Ok(()));
        assert_eq!(act.remove(), Ok(()));
    }
}
