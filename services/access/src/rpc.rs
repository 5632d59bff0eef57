//! The gRPC API of access.

use plaza_contracts::proto::access::access_server::{Access as AccessApi, AccessServer};
use plaza_contracts::proto::access::{
    BatchCheckReply, BatchCheckRequest, CheckReply, CheckRequest, GrantsReply, GrantsRequest, VersionReply,
    VersionRequest,
};
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId, UserId};
use plaza_rpc::answer;
use tonic::{Request, Response, Status, async_trait};

use crate::Access;
use crate::grants::{Grants, bit, store};

/// The most decisions one call may ask for.
const BATCH: usize = 100;

#[derive(Debug, thiserror::Error)]
enum CheckError {
    #[error("`{0}` is not an id")]
    NotAnId(String),
    #[error("at most {BATCH} decisions in one call")]
    TooMany,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for CheckError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotAnId(_) | Self::TooMany => Kind::Invalid,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotAnId(_) => "INVALID_ID",
            Self::TooMany => "TOO_MANY_CHECKS",
            Self::Database(error) => error.code(),
        }
    }
}

pub(crate) fn routes(access: Access) -> tonic::service::Routes {
    tonic::service::Routes::new(AccessServer::new(access))
}

impl Access {
    async fn grants_of(&self, tenant: &str, user: &str) -> Result<Grants, CheckError> {
        let tenant: TenantId = parse(tenant)?;
        let user: UserId = parse(user)?;
        Ok(store::of_member(&self.inner.database, tenant, user).await?)
    }

    async fn decide(&self, check: &CheckRequest) -> Result<CheckReply, CheckError> {
        let grants = self.grants_of(&check.tenant_id, &check.user_id).await?;
        let allowed = bit(&check.menu, &check.action).is_some_and(|bit| grants.permissions.contains(bit));
        Ok(CheckReply { allowed })
    }

    async fn decide_all(&self, checks: &[CheckRequest]) -> Result<BatchCheckReply, CheckError> {
        if checks.len() > BATCH {
            return Err(CheckError::TooMany);
        }
        let mut replies = Vec::with_capacity(checks.len());
        for check in checks {
            replies.push(self.decide(check).await?);
        }
        Ok(BatchCheckReply { replies })
    }
}

#[async_trait]
impl AccessApi for Access {
    async fn version(&self, request: Request<VersionRequest>) -> Result<Response<VersionReply>, Status> {
        let find = async {
            let tenant = parse(&request.get_ref().tenant_id)?;
            let version = store::version(&self.inner.database, tenant).await?;
            Ok::<_, CheckError>(VersionReply { version })
        };
        answer(find.await)
    }

    async fn grants(&self, request: Request<GrantsRequest>) -> Result<Response<GrantsReply>, Status> {
        let request = request.into_inner();
        let grants = self.grants_of(&request.tenant_id, &request.user_id).await;
        answer(grants.map(|grants| GrantsReply {
            version: grants.version,
            words: grants.permissions.words().to_vec(),
        }))
    }

    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckReply>, Status> {
        answer(self.decide(request.get_ref()).await)
    }

    async fn batch_check(
        &self,
        request: Request<BatchCheckRequest>,
    ) -> Result<Response<BatchCheckReply>, Status> {
        answer(self.decide_all(&request.get_ref().checks).await)
    }
}

fn parse<T: std::str::FromStr>(text: &str) -> Result<T, CheckError> {
    text.parse().map_err(|_| CheckError::NotAnId(text.to_owned()))
}
