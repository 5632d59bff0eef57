//! The proof that the rule of a route held, and the only way for a handler to get at the caller.

use std::any::TypeId;
use std::marker::PhantomData;

use axum::extract::FromRequestParts;
use http::request::Parts;
use plaza_kernel::{Caller, Kind, Permission, TenantId};

use crate::access::RuleValue;
use crate::{
    ApiError, Authenticated, InTenant, MayOrPlatformAdmin, OwnerOrPlatformAdmin, PlatformAdmin, Rule,
    RuleText,
};

/// Proof that the rule `R` of this route held for this request. Only the layer that decides makes one.
///
/// ```compile_fail
/// // Its fields are private: nobody else can make one.
/// let forged: plaza_web::Granted<plaza_web::PlatformAdmin> = plaza_web::Granted { caller: None, rule: std::marker::PhantomData };
/// ```
pub struct Granted<R: Rule> {
    caller: Option<Caller>,
    rule: PhantomData<R>,
}

impl<R: Rule> Granted<R> {
    /// Who asks, if known.
    pub fn known_caller(&self) -> Option<&Caller> {
        self.caller.as_ref()
    }

    #[expect(
        clippy::expect_used,
        reason = "a rule that lets nobody unknown pass was decided before the proof was made"
    )]
    fn held(&self) -> &Caller {
        self.caller
            .as_ref()
            .expect("the rule of this proof needs a caller")
    }
}

impl<R: InTenant> Granted<R> {
    /// Who asks.
    pub fn caller(&self) -> &Caller {
        self.held()
    }

    /// Inside which tenant.
    #[expect(
        clippy::expect_used,
        reason = "a rule inside a tenant was decided before the proof was made"
    )]
    pub fn tenant(&self) -> TenantId {
        self.held()
            .tenant()
            .expect("the rule of this proof needs a tenant")
    }
}

impl Granted<Authenticated> {
    /// Who asks: a tenant's user or the platform's administrator.
    pub fn caller(&self) -> &Caller {
        self.held()
    }
}

impl Granted<PlatformAdmin> {
    /// Who asks.
    pub fn caller(&self) -> &Caller {
        self.held()
    }
}

impl Granted<OwnerOrPlatformAdmin> {
    /// Who asks: of a tenant, or of the platform.
    pub fn caller(&self) -> &Caller {
        self.held()
    }
}

impl<P: Permission> Granted<MayOrPlatformAdmin<P>> {
    /// Who asks: of a tenant, or of the platform.
    pub fn caller(&self) -> &Caller {
        self.held()
    }
}

impl<R: Rule> std::fmt::Debug for Granted<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Granted<{}>", R::text().text)
    }
}

/// What the layer that decided leaves in the request's extensions.
#[derive(Clone)]
pub(crate) struct Proof {
    rule: TypeId,
    text: fn() -> RuleText,
    caller: Option<Caller>,
}

impl Proof {
    pub(crate) fn new(rule: &RuleValue, caller: Option<Caller>) -> Self {
        Self {
            rule: rule.id,
            text: rule.text,
            caller,
        }
    }
}

impl<R: Rule, S: Send + Sync> FromRequestParts<S> for Granted<R> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        #[cfg(debug_assertions)]
        if let Some(probe) = parts.extensions.get::<Probe>() {
            return Err(probe.taken::<R>());
        }
        match parts.extensions.get::<Proof>() {
            Some(proof) if proof.rule == TypeId::of::<R>() => Ok(Self {
                caller: proof.caller.clone(),
                rule: PhantomData,
            }),
            other => Err(mismatch::<R>(other)),
        }
    }
}

fn mismatch<R: Rule>(found: Option<&Proof>) -> ApiError {
    let route = found.map_or_else(|| "none".to_owned(), |proof| (proof.text)().text);
    let text = format!(
        "the handler takes the proof of `{}`, the rule of its route is `{route}`",
        R::text().text
    );
    ApiError::new(Kind::Internal, "INTERNAL", text)
}

/// Asks a handler which proof it takes, without letting it run. It passes the layer that decides, which is why
/// builds without debug assertions do not have it.
#[cfg(debug_assertions)]
#[derive(Clone, Default)]
pub(crate) struct Probe(std::sync::Arc<std::sync::OnceLock<String>>);

#[cfg(debug_assertions)]
impl Probe {
    fn taken<R: Rule>(&self) -> ApiError {
        let _ = self.0.set(R::text().text);
        ApiError::new(Kind::Unauthenticated, "PROBED", "asked for the proof only")
    }

    pub(crate) fn proof(&self) -> Option<String> {
        self.0.get().cloned()
    }
}
