//! Why a member may or may not do something: for whoever has to find out, never for the check itself.

use plaza_contracts::proto::identity::{GetMemberRequest, Member};
use plaza_contracts::proto::tenancy::GetRequest;
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, SystemRole, TenantId, UserId};
use plaza_rpc::{RpcError, carried, carry_as_service};

use super::store::Why;
use super::{bit, store};
use crate::Access;

/// The question: may this member do this?
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) tenant: TenantId,
    pub(crate) user: UserId,
    pub(crate) menu: String,
    pub(crate) action: String,
}

/// What decides: the first that holds, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    UnknownPermission,
    TenantClosed,
    NotAMember,
    MemberNotActive,
    Owner,
    MenuOff,
    Granted,
    NotGranted,
}

impl Reason {
    /// The name on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownPermission => "unknown_permission",
            Self::TenantClosed => "tenant_closed",
            Self::NotAMember => "not_a_member",
            Self::MemberNotActive => "member_not_active",
            Self::Owner => "owner",
            Self::MenuOff => "menu_off",
            Self::Granted => "granted",
            Self::NotGranted => "not_granted",
        }
    }

    /// Whether it lets the member in.
    pub(crate) const fn allows(self) -> bool {
        matches!(self, Self::Owner | Self::Granted)
    }
}

/// The answer, and what it is made of.
#[derive(Debug)]
pub(crate) struct Explanation {
    pub(crate) reason: Reason,
    pub(crate) tenant_status: String,
    /// None for a stranger to the tenant.
    pub(crate) member: Option<Standing>,
    pub(crate) why: Why,
}

/// What identity says of a member.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) role: String,
    pub(crate) status: String,
}

/// There is no explanation.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExplainError {
    /// Identity or tenancy says no, or nothing; tenancy's `TENANT_NOT_FOUND` among it.
    #[error(transparent)]
    Neighbour(#[from] RpcError),
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for ExplainError {
    fn kind(&self) -> Kind {
        match self {
            Self::Neighbour(error) => error.kind(),
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Neighbour(error) => error.code(),
            Self::Database(error) => error.code(),
        }
    }
}

impl Access {
    /// Asks everybody who has a say in whether the member may do this.
    pub(crate) async fn explain(&self, question: &Question) -> Result<Explanation, ExplainError> {
        let Question {
            tenant,
            user,
            menu,
            action,
        } = question;
        let tenant_status = self.tenant_status(*tenant).await?;
        let member = self.standing(*tenant, *user).await?;
        let why = store::why(&self.inner.database, *tenant, *user, menu, action).await?;
        let known = bit(menu, action).is_some();
        let open = matches!(tenant_status.as_str(), "provisioning" | "active");
        Ok(Explanation {
            reason: decide(known, open, member.as_ref(), &why),
            tenant_status,
            member,
            why,
        })
    }

    /// What tenancy says of the tenant.
    pub(crate) async fn tenant_status(&self, tenant: TenantId) -> Result<String, RpcError> {
        let request = GetRequest {
            tenant_id: tenant.to_string(),
        };
        let mut tenancy = self.inner.tenancy.clone();
        Ok(tenancy.get(request).await?.into_inner().status)
    }

    /// Asked as the service: who may have grants explained is decided, and that needs no right to see users besides.
    async fn standing(&self, tenant: TenantId, user: UserId) -> Result<Option<Standing>, RpcError> {
        let request = GetMemberRequest {
            tenant_id: tenant.to_string(),
            user_id: user.to_string(),
        };
        let mut identity = self.inner.identity.clone();
        let found = carry_as_service(carried(), identity.get_member(request)).await;
        match found.map_err(RpcError::from) {
            Ok(member) => {
                let Member { role, status, .. } = member.into_inner();
                Ok(Some(Standing { role, status }))
            }
            Err(error) if error.is("USER_NOT_FOUND") => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Says what the doors would do: the tenant's and the account's state stop people at the login already, the rest at each
/// route.
fn decide(known: bool, open: bool, member: Option<&Standing>, why: &Why) -> Reason {
    if !known {
        return Reason::UnknownPermission;
    }
    if !open {
        return Reason::TenantClosed;
    }
    let Some(member) = member else {
        return Reason::NotAMember;
    };
    if member.status != "active" {
        return Reason::MemberNotActive;
    }
    if member.role == SystemRole::Owner.as_str() {
        return Reason::Owner;
    }
    if !why.menu_on {
        return Reason::MenuOff;
    }
    if why.roles.iter().any(|role| role.held && role.grants) {
        Reason::Granted
    } else {
        Reason::NotGranted
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::RoleInQuestion;
    use super::*;

    fn standing(role: &str, status: &str) -> Option<Standing> {
        let (role, status) = (role.to_owned(), status.to_owned());
        Some(Standing { role, status })
    }

    fn why(menu_on: bool, roles: &[(bool, bool)]) -> Why {
        let role = |&(held, grants): &(bool, bool)| RoleInQuestion {
            id: uuid::Uuid::nil().into(),
            name: String::new(),
            held,
            grants,
        };
        Why {
            version: 1,
            menu_on,
            roles: roles.iter().map(role).collect(),
        }
    }

    #[test]
    fn what_stands_furthest_outside_is_the_reason() {
        let (owner, member) = (standing("owner", "active"), standing("member", "active"));
        let (invited, granted) = (standing("owner", "invited"), why(true, &[(true, true)]));
        for (known, open, standing, why, reason) in [
            (false, false, &None, &granted, Reason::UnknownPermission),
            (true, false, &owner, &granted, Reason::TenantClosed),
            (true, true, &None, &granted, Reason::NotAMember),
            (true, true, &invited, &granted, Reason::MemberNotActive),
            (true, true, &owner, &why(false, &[]), Reason::Owner),
            (true, true, &member, &why(false, &[(true, true)]), Reason::MenuOff),
            (true, true, &member, &granted, Reason::Granted),
            // Having one role, and another one granting it, is not enough.
            (
                true,
                true,
                &member,
                &why(true, &[(true, false), (false, true)]),
                Reason::NotGranted,
            ),
        ] {
            assert_eq!(decide(known, open, standing.as_ref(), why), reason);
        }
    }
}
