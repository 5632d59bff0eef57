//! Access rules: who may use a route. A route cannot be declared without one, and a handler gets at the caller only
//! through the proof that the rule of its route held (`granted.rs`).

use std::any::TypeId;
use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use http::Extensions;
use plaza_kernel::{Caller, Kind, Permission, PermissionSet, SystemRole, TenantId};

use crate::ApiError;
use crate::event_stream::ASKED_EVERY;

/// Where the permissions of a member come from: `access`, through its cached client.
pub trait PermissionSource: Send + Sync + 'static {
    /// What this member of this tenant may do.
    ///
    /// # Errors
    /// When it is not known now; the request then fails closed.
    fn permissions<'a>(
        &'a self,
        caller: &'a Caller,
        tenant: TenantId,
    ) -> BoxFuture<'a, Result<PermissionSet, ApiError>>;
}

/// How a rule reads in the OpenAPI document, in `plaza routes` and in the access matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleText {
    /// `anyone`, `authenticated`, `owner`, `platform_admin`, `campaigns.send`, …
    pub text: String,
    /// Whether the caller has to be known.
    pub authenticated: bool,
}

impl RuleText {
    fn authenticated(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            authenticated: true,
        }
    }
}

/// A rule said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// Nobody is known to be asking: 401.
    Unauthenticated,
    /// The caller may not: 403.
    Forbidden,
    /// The route is not for the public listener: 404.
    Hidden,
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthenticated => Self::new(Kind::Unauthenticated, "UNAUTHENTICATED", "log in first"),
            Denied::Forbidden => Self::new(Kind::Forbidden, "FORBIDDEN", "you may not do this"),
            Denied::Hidden => Self::nothing_here(),
        }
    }
}

/// Who may use a route.
pub trait Rule: Send + Sync + 'static {
    /// Whether the permissions of the caller have to be looked up before [`Rule::decide`].
    const NEEDS_PERMISSIONS: bool = false;

    /// Whether the route exists on the internal listener only.
    const INTERNAL: bool = false;

    /// How it reads.
    fn text() -> RuleText;

    /// The decision. `permissions` is empty unless [`Rule::NEEDS_PERMISSIONS`].
    fn decide(caller: Option<&Caller>, permissions: &PermissionSet) -> Result<(), Denied>;
}

/// A rule that holds only inside a tenant: its proof knows which.
pub trait InTenant: Rule {}

/// Everybody, known or not.
pub struct Anyone;
/// Every known caller, of a tenant or of the platform.
pub struct Authenticated;
/// The owner of the caller's tenant.
pub struct Owner;
/// Who runs the platform.
pub struct PlatformAdmin;
/// The owner of a tenant or who runs the platform; the handler compares the tenant.
pub struct OwnerOrPlatformAdmin;
/// Who may inside their own tenant, or who runs the platform; the handler compares the tenant.
pub struct MayOrPlatformAdmin<P: Permission>(PhantomData<P>);
/// Other programs of Plaza, on the internal listener only.
pub struct Internal;
/// Owners, and members whose roles grant the permission.
pub struct May<P: Permission>(PhantomData<P>);

impl InTenant for Owner {}
impl<P: Permission> InTenant for May<P> {}

impl Rule for Anyone {
    fn text() -> RuleText {
        RuleText {
            text: "anyone".to_owned(),
            authenticated: false,
        }
    }

    fn decide(_: Option<&Caller>, _: &PermissionSet) -> Result<(), Denied> {
        Ok(())
    }
}

impl Rule for Authenticated {
    fn text() -> RuleText {
        RuleText::authenticated("authenticated")
    }

    fn decide(caller: Option<&Caller>, _: &PermissionSet) -> Result<(), Denied> {
        caller.map(|_| ()).ok_or(Denied::Unauthenticated)
    }
}

impl Rule for Owner {
    fn text() -> RuleText {
        RuleText::authenticated("owner")
    }

    fn decide(caller: Option<&Caller>, _: &PermissionSet) -> Result<(), Denied> {
        allow_known(caller, owns_a_tenant)
    }
}

impl Rule for PlatformAdmin {
    fn text() -> RuleText {
        RuleText::authenticated("platform_admin")
    }

    fn decide(caller: Option<&Caller>, _: &PermissionSet) -> Result<(), Denied> {
        allow_known(caller, Caller::is_platform_admin)
    }
}

impl Rule for OwnerOrPlatformAdmin {
    fn text() -> RuleText {
        RuleText::authenticated("owner_or_platform_admin")
    }

    fn decide(caller: Option<&Caller>, _: &PermissionSet) -> Result<(), Denied> {
        allow_known(caller, |caller| {
            owns_a_tenant(caller) || caller.is_platform_admin()
        })
    }
}

impl Rule for Internal {
    const INTERNAL: bool = true;

    fn text() -> RuleText {
        RuleText {
            text: "internal".to_owned(),
            authenticated: false,
        }
    }

    // A person's request never belongs here: it came through a gateway that should not have forwarded it.
    fn decide(caller: Option<&Caller>, _: &PermissionSet) -> Result<(), Denied> {
        match caller {
            Some(caller) if caller.role != SystemRole::Service => Err(Denied::Hidden),
            _ => Ok(()),
        }
    }
}

impl<P: Permission> Rule for May<P> {
    const NEEDS_PERMISSIONS: bool = true;

    fn text() -> RuleText {
        RuleText::authenticated(format!("{}.{}", P::MENU, P::ACTION))
    }

    fn decide(caller: Option<&Caller>, permissions: &PermissionSet) -> Result<(), Denied> {
        // Who runs the platform owns no tenant's data, whatever a tenant's role may grant.
        let in_tenant =
            |caller: &Caller| caller.tenant().is_some() && caller.role != SystemRole::PlatformAdmin;
        let may = |caller: &Caller| owns_a_tenant(caller) || permissions.contains(P::BIT);
        allow_known(caller, |caller| in_tenant(caller) && may(caller))
    }
}

impl<P: Permission> Rule for MayOrPlatformAdmin<P> {
    const NEEDS_PERMISSIONS: bool = true;

    fn text() -> RuleText {
        RuleText::authenticated(format!("{}.{}_or_platform_admin", P::MENU, P::ACTION))
    }

    fn decide(caller: Option<&Caller>, permissions: &PermissionSet) -> Result<(), Denied> {
        match caller {
            Some(caller) if caller.is_platform_admin() => Ok(()),
            other => May::<P>::decide(other, permissions),
        }
    }
}

fn allow_known(caller: Option<&Caller>, may: impl FnOnce(&Caller) -> bool) -> Result<(), Denied> {
    let caller = caller.ok_or(Denied::Unauthenticated)?;
    if may(caller) {
        Ok(())
    } else {
        Err(Denied::Forbidden)
    }
}

fn owns_a_tenant(caller: &Caller) -> bool {
    caller.role == SystemRole::Owner && caller.tenant().is_some()
}

/// Marks requests that arrived on the internal listener. The server puts it into their extensions; nothing that
/// travels over the network can.
#[derive(Debug, Clone, Copy)]
pub struct InternalListener;

/// A rule as a value, so that the layer that decides is compiled once and not once per rule.
#[derive(Clone, Copy)]
pub(crate) struct RuleValue {
    pub(crate) id: TypeId,
    pub(crate) text: fn() -> RuleText,
    pub(crate) internal: bool,
    pub(crate) needs_permissions: bool,
    decide: fn(Option<&Caller>, &PermissionSet) -> Result<(), Denied>,
}

impl RuleValue {
    pub(crate) fn of<R: Rule>() -> Self {
        Self {
            id: TypeId::of::<R>(),
            text: R::text,
            internal: R::INTERNAL,
            needs_permissions: R::NEEDS_PERMISSIONS,
            decide: R::decide,
        }
    }

    /// Decides about one request. Whatever is not known is a no.
    pub(crate) async fn admit(
        &self,
        extensions: &Extensions,
        source: &dyn PermissionSource,
    ) -> Result<Option<Caller>, ApiError> {
        if self.internal && extensions.get::<InternalListener>().is_none() {
            return Err(Denied::Hidden.into());
        }
        let caller = extensions.get::<Caller>();
        let permissions = self.permissions(caller, source).await?;
        (self.decide)(caller, &permissions)?;
        Ok(caller.cloned())
    }

    /// Waits until the rule does not hold for the caller any more, or that is not known.
    pub(crate) async fn lost(self, caller: Option<Caller>, source: Arc<dyn PermissionSource>) {
        loop {
            tokio::time::sleep(ASKED_EVERY).await;
            let permissions = self.permissions(caller.as_ref(), &*source).await;
            let holds = permissions.is_ok_and(|set| (self.decide)(caller.as_ref(), &set).is_ok());
            if !holds {
                return;
            }
        }
    }

    async fn permissions(
        &self,
        caller: Option<&Caller>,
        source: &dyn PermissionSource,
    ) -> Result<PermissionSet, ApiError> {
        let Some((caller, tenant)) = caller.and_then(|caller| Some((caller, caller.tenant()?))) else {
            return Ok(PermissionSet::none());
        };
        // The roles that the tenant's grants cannot change need no look-up.
        if !self.needs_permissions || matches!(caller.role, SystemRole::Owner | SystemRole::PlatformAdmin) {
            return Ok(PermissionSet::none());
        }
        source.permissions(caller, tenant).await.map_err(|error| {
            let text = "permissions are not known now; try again";
            ApiError::new(Kind::Unavailable, "ACCESS_UNAVAILABLE", text).with_source(format!("{error:?}"))
        })
    }
}
