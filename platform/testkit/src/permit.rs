//! A source of permissions that a test decides about.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use plaza_kernel::{Caller, Kind, Permission, PermissionSet, TenantId};
use plaza_web::{ApiError, PermissionSource};

/// Answers every look-up of permissions alike, whoever asks.
#[derive(Debug, Clone, Copy)]
pub struct Permit(Option<PermissionSet>);

impl Permit {
    /// Every permission of the catalogue.
    pub fn all() -> Arc<dyn PermissionSource> {
        Self::exactly((0..PermissionSet::CAPACITY).fold(PermissionSet::none(), PermissionSet::with))
    }

    /// None.
    pub fn none() -> Arc<dyn PermissionSource> {
        Self::exactly(PermissionSet::none())
    }

    /// This one and no other.
    pub fn only<P: Permission>() -> Arc<dyn PermissionSource> {
        Self::exactly(PermissionSet::none().with(P::BIT))
    }

    /// These.
    pub fn exactly(set: PermissionSet) -> Arc<dyn PermissionSource> {
        Arc::new(Self(Some(set)))
    }

    /// The look-up fails: a route that needs permissions has to fail closed.
    pub fn unavailable() -> Arc<dyn PermissionSource> {
        Arc::new(Self(None))
    }
}

impl PermissionSource for Permit {
    fn permissions<'a>(
        &'a self,
        _: &'a Caller,
        _: TenantId,
    ) -> BoxFuture<'a, Result<PermissionSet, ApiError>> {
        let answer = self.0.ok_or_else(|| {
            ApiError::new(
                Kind::Unavailable,
                "ACCESS_UNAVAILABLE",
                "permissions are not known now",
            )
        });
        async move { answer }.boxed()
    }
}
