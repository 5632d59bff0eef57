//! The way to permissions: a local bitset keyed by tenant, user and version.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::BoxFuture;
use plaza_kernel::{Caller, Clock, Failure, Kind, PermissionSet, TenantId, UserId};
use plaza_rpc::{RpcError, Transport};
use plaza_web::{ApiError, PermissionSource};

use crate::proto::access::access_client::AccessClient;
use crate::proto::access::{GrantsRequest, VersionRequest};
use crate::remembered::{NotKnown, RecentById, Remembered};

/// A tenant's version is asked for again when it is so old …
const FRESH: TimeDelta = TimeDelta::seconds(2);
/// … and does without confirmation for so long, while `access` is away.
const TOLERATED: TimeDelta = TimeDelta::seconds(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

const TENANTS: usize = 16_384;
const MEMBERS: usize = 65_536;

/// What a member may do, at a version of the tenant's grants.
type Grants = (i64, PermissionSet);

/// Permissions of members, cached. A check is a look-up and a bit test; a tenant's version is asked for at most
/// every two seconds, and a member's bits once per version. Without an answer for five seconds every check fails.
#[derive(Clone)]
pub struct Permissions(Arc<Inner>);

struct Inner {
    access: AccessClient<Transport>,
    clock: Clock,
    versions: RecentById<TenantId, Arc<Remembered<i64>>>,
    members: RecentById<(TenantId, UserId), Arc<Remembered<Grants>>>,
}

impl Permissions {
    /// Asks `access` over this transport.
    pub fn new(access: Transport, clock: Clock) -> Self {
        let access = AccessClient::new(access);
        let (versions, members) = (RecentById::new(TENANTS), RecentById::new(MEMBERS));
        Self(Arc::new(Inner {
            access,
            clock,
            versions,
            members,
        }))
    }

    /// What a member may do, if that is known at this moment. Asks nobody, never waits.
    pub fn try_permissions(&self, tenant: TenantId, user: UserId) -> Option<PermissionSet> {
        let now = self.0.clock.now();
        let version = self
            .0
            .versions
            .look(&tenant, |tenant| tenant.known(now, is_fresh))??;
        self.known_at(version, tenant, user)
    }

    /// What a member may do.
    ///
    /// # Errors
    /// [`NotKnown`] when `access` has not answered for too long.
    pub async fn permissions_of(&self, tenant: TenantId, user: UserId) -> Result<PermissionSet, NotKnown> {
        if let Some(set) = self.try_permissions(tenant, user) {
            return Ok(set);
        }
        let version = self.version(tenant).await?;
        if let Some(set) = self.known_at(version, tenant, user) {
            return Ok(set);
        }
        let member = self.0.members.get_or_insert_with(&(tenant, user), Arc::default);
        let is_current = |grants: &Grants, _: TimeDelta| grants.0 == version;
        // Bits of another version are never tolerable: a grant may have been taken away in between.
        let question = || self.ask_grants(tenant, user, version);
        let (_, set) = member
            .ask(&self.0.clock, is_current, |_, _| false, question)
            .await?;
        Ok(set)
    }

    /// Forgets a tenant's version: a change made in this process is seen by the next check.
    pub fn invalidate(&self, tenant: TenantId) {
        self.0.versions.look(&tenant, |version| version.forget());
    }

    fn known_at(&self, version: i64, tenant: TenantId, user: UserId) -> Option<PermissionSet> {
        let is_current = |grants: &Grants| grants.0 == version;
        self.0
            .members
            .look(&(tenant, user), |member| member.latest(is_current))?
            .map(|(_, set)| set)
    }

    async fn version(&self, tenant: TenantId) -> Result<i64, NotKnown> {
        let version = self.0.versions.get_or_insert_with(&tenant, Arc::default);
        let is_tolerable = |_: &i64, age: TimeDelta| age < TOLERATED;
        version
            .ask(&self.0.clock, is_fresh, is_tolerable, || self.ask_version(tenant))
            .await
    }

    async fn ask_version(&self, tenant: TenantId) -> Result<i64, RpcError> {
        let mut request = tonic::Request::new(VersionRequest {
            tenant_id: tenant.to_string(),
        });
        request.set_timeout(ANSWER_WITHIN);
        Ok(self.0.access.clone().version(request).await?.into_inner().version)
    }

    /// The reply's own version counts: the grants may have moved on since the version was asked for.
    async fn ask_grants(&self, tenant: TenantId, user: UserId, version: i64) -> Result<Grants, RpcError> {
        let question = GrantsRequest {
            tenant_id: tenant.to_string(),
            user_id: user.to_string(),
        };
        let mut request = tonic::Request::new(question);
        request.set_timeout(ANSWER_WITHIN);
        let reply = self
            .0
            .access
            .clone()
            .grants(request)
            .await
            .map_err(RpcError::from);
        match reply {
            Ok(reply) => {
                let reply = reply.into_inner();
                Ok((reply.version, PermissionSet::from_words(&reply.words)))
            }
            Err(error) if error.kind() == Kind::NotFound => Ok((version, PermissionSet::none())),
            Err(error) => Err(error),
        }
    }
}

fn is_fresh(_: &i64, age: TimeDelta) -> bool {
    age < FRESH
}

impl PermissionSource for Permissions {
    fn permissions<'a>(
        &'a self,
        caller: &'a Caller,
        tenant: TenantId,
    ) -> BoxFuture<'a, Result<PermissionSet, ApiError>> {
        Box::pin(async move { Ok(self.permissions_of(tenant, caller.subject).await?) })
    }
}
