//! Who asks.

use plaza_kernel::{Caller, Permission, PermissionSet, ServiceName, SystemRole, TenantId, UserId};
use plaza_rpc::Peer;
use plaza_web::{May, PlatformAdmin, Rule};
use tonic::Request;

use super::{BadCall, PlatformRight, TenantRight, id};
use crate::services::GATEWAY;

/// Who asks: a service, for a person or by itself. The front door never asks by itself: it works for whoever stands
/// before it, and without a person that is the public, who has no rights.
#[derive(Debug, Clone)]
pub struct Asker {
    service: ServiceName,
    person: Option<Caller>,
}

impl Asker {
    /// Who asks, as the transport vouches for it.
    ///
    /// # Errors
    /// `CALLER_NOT_TRUSTED` when nobody does, `UNAUTHENTICATED` for the front door without a person.
    pub fn of<T>(request: &Request<T>) -> Result<Self, BadCall> {
        let peer = request
            .extensions()
            .get::<Peer>()
            .ok_or(BadCall::CallerNotTrusted)?;
        if peer.service == GATEWAY && peer.caller.is_none() {
            return Err(BadCall::Unauthenticated);
        }
        Ok(Self {
            service: peer.service,
            person: peer.caller.clone(),
        })
    }

    /// The service.
    pub fn service(&self) -> ServiceName {
        self.service
    }

    /// The person it asks for.
    pub fn person(&self) -> Option<&Caller> {
        self.person.as_ref()
    }

    /// Whether it asks for this person.
    pub fn is(&self, user: UserId) -> bool {
        self.person.as_ref().is_some_and(|person| person.subject == user)
    }

    /// The tenant in the field `tenant_id`: for a person only their own.
    ///
    /// # Errors
    /// `INVALID_ID`, or `OTHER_TENANT` for a person of another tenant or of the platform.
    pub fn tenant(&self, text: &str) -> Result<TenantId, BadCall> {
        let tenant = id("tenant_id", text)?;
        match &self.person {
            Some(person) if person.tenant() != Some(tenant) => Err(BadCall::OtherTenant),
            _ => Ok(tenant),
        }
    }

    /// The right to do `P` in this tenant: for a person by the rule that routes have, for a service by itself always.
    /// `look_up` tells what a member's roles grant; it is only asked where that decides.
    ///
    /// # Errors
    /// `FORBIDDEN`, `OTHER_TENANT`, or what looking up fails with.
    pub async fn may<P, E, F>(
        self,
        tenant: TenantId,
        look_up: impl FnOnce(TenantId, UserId) -> F,
    ) -> Result<TenantRight<P>, E>
    where
        P: Permission,
        E: From<BadCall>,
        F: Future<Output = Result<PermissionSet, E>>,
    {
        let Some(person) = self.person else {
            return Ok(TenantRight::of_platform(tenant));
        };
        if person.tenant() != Some(tenant) {
            return Err(BadCall::OtherTenant.into());
        }
        let permissions = if person.role == SystemRole::Owner {
            PermissionSet::none()
        } else {
            look_up(tenant, person.subject).await?
        };
        <May<P> as Rule>::decide(Some(&person), &permissions).map_err(BadCall::from)?;
        Ok(TenantRight::of_person(tenant, person))
    }

    /// The right to run the platform: for who does, and for a service by itself.
    ///
    /// # Errors
    /// `FORBIDDEN` for any other person.
    pub fn runs_platform(&self) -> Result<PlatformRight, BadCall> {
        if let Some(person) = &self.person {
            PlatformAdmin::decide(Some(person), &PermissionSet::none())?;
        }
        Ok(PlatformRight::proven())
    }
}

#[cfg(test)]
mod tests {
    use plaza_kernel::Clock;

    use super::*;
    use crate::permissions::ViewLogs;
    use crate::services::{ALL, BROADCAST};

    fn member() -> Caller {
        let clock = Clock::system();
        Caller {
            scope: Some(TenantId::generate(&clock)),
            subject: clock.uuid().into(),
            session: clock.uuid().into(),
            role: SystemRole::Member,
        }
    }

    fn call(service: ServiceName, caller: Option<Caller>) -> Request<()> {
        let mut request = Request::new(());
        request.extensions_mut().insert(Peer { service, caller });
        request
    }

    #[tokio::test]
    async fn the_front_door_has_no_rights_of_its_own() {
        assert_eq!(
            Asker::of(&call(GATEWAY, None)).err(),
            Some(BadCall::Unauthenticated)
        );
        for service in ALL {
            let asker = Asker::of(&call(service, None)).unwrap();
            asker.runs_platform().unwrap();
            let tenant = TenantId::generate(&Clock::system());
            let right =
                asker.may::<ViewLogs, BadCall, _>(tenant, async |_, _| unreachable!("nobody is looked up"));
            assert!(right.await.unwrap().person().is_none(), "{service}");
        }
        let person = member();
        let asker = Asker::of(&call(GATEWAY, Some(person.clone()))).unwrap();
        assert!(asker.is(person.subject));
        assert_eq!(asker.runs_platform().err(), Some(BadCall::Forbidden));
    }

    #[tokio::test]
    async fn a_person_has_the_same_rights_whoever_asks_for_them() {
        for service in [GATEWAY, BROADCAST] {
            let person = member();
            let may = async |granted: PermissionSet| {
                let asker = Asker::of(&call(service, Some(person.clone()))).unwrap();
                let tenant = person.tenant().unwrap();
                let right = asker.may::<ViewLogs, BadCall, _>(tenant, async |_, _| Ok(granted));
                right.await.map(|right| right.person().cloned())
            };
            assert_eq!(may(PermissionSet::none()).await, Err(BadCall::Forbidden));
            let granted = PermissionSet::none().with(ViewLogs::BIT);
            assert_eq!(may(granted).await, Ok(Some(person.clone())));
        }
    }
}
