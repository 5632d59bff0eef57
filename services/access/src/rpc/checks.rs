//! `plaza.access.v1.Access`: grants, decisions, and why.

use plaza_contracts::incoming::{Asker, Refusal, id, reply};
use plaza_contracts::proto::access::access_server;
use plaza_contracts::proto::access::{
    BatchCheckReply, BatchCheckRequest, CheckReply, CheckRequest, ExplainReply, ExplainRequest,
    ExplainedRole, GrantsReply, GrantsRequest, VersionReply, VersionRequest,
};
use plaza_kernel::{Failure, Kind};
use tonic::{Request, Response, Status, async_trait};

use crate::Access;
use crate::grants::explain::{Explanation, Question};
use crate::grants::store::RoleInQuestion;
use crate::grants::{Grants, bit, store};

/// The most decisions one call may ask for.
const BATCH: usize = 100;

#[derive(Debug, thiserror::Error)]
#[error("at most {BATCH} decisions in one call")]
struct TooManyChecks;

impl Failure for TooManyChecks {
    fn kind(&self) -> Kind {
        Kind::Invalid
    }

    fn code(&self) -> &'static str {
        "TOO_MANY_CHECKS"
    }
}

impl Access {
    /// What is granted is told about oneself, or to who may see the tenant's roles.
    async fn grants_of(&self, asker: &Asker, tenant: &str, user: &str) -> Result<Grants, Refusal> {
        let (tenant, user) = (asker.tenant(tenant)?, id("user_id", user)?);
        self.may_see_roles_of(asker.clone(), tenant, user).await?;
        Ok(store::of_member(&self.inner.database, tenant, user).await?)
    }

    async fn decide(&self, asker: &Asker, check: &CheckRequest) -> Result<CheckReply, Refusal> {
        let grants = self.grants_of(asker, &check.tenant_id, &check.user_id).await?;
        let allowed = bit(&check.menu, &check.action).is_some_and(|bit| grants.permissions.contains(bit));
        Ok(CheckReply { allowed })
    }

    async fn decide_all(&self, asker: &Asker, checks: &[CheckRequest]) -> Result<BatchCheckReply, Refusal> {
        if checks.len() > BATCH {
            return Err(TooManyChecks.into());
        }
        let mut replies = Vec::with_capacity(checks.len());
        for check in checks {
            replies.push(self.decide(asker, check).await?);
        }
        Ok(BatchCheckReply { replies })
    }

    /// Why is answered about oneself, or to who may see the tenant's roles.
    async fn explained(&self, asker: Asker, request: ExplainRequest) -> Result<ExplainReply, Refusal> {
        let question = Question {
            tenant: asker.tenant(&request.tenant_id)?,
            user: id("user_id", &request.user_id)?,
            menu: request.menu,
            action: request.action,
        };
        self.may_see_roles_of(asker, question.tenant, question.user)
            .await?;
        let explanation = self.explain(&question).await?;
        Ok(message(question, explanation))
    }
}

#[async_trait]
impl access_server::Access for Access {
    async fn version(&self, request: Request<VersionRequest>) -> Result<Response<VersionReply>, Status> {
        let find = async {
            let tenant = Asker::of(&request)?.tenant(&request.get_ref().tenant_id)?;
            let version = store::version(&self.inner.database, tenant).await?;
            Ok(VersionReply { version })
        };
        reply(find.await)
    }

    async fn grants(&self, request: Request<GrantsRequest>) -> Result<Response<GrantsReply>, Status> {
        let find = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let grants = self
                .grants_of(&asker, &request.tenant_id, &request.user_id)
                .await?;
            Ok(GrantsReply {
                version: grants.version,
                words: grants.permissions.words().to_vec(),
            })
        };
        reply(find.await)
    }

    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckReply>, Status> {
        reply(async { self.decide(&Asker::of(&request)?, request.get_ref()).await }.await)
    }

    async fn batch_check(
        &self,
        request: Request<BatchCheckRequest>,
    ) -> Result<Response<BatchCheckReply>, Status> {
        let decide = async {
            let asker = Asker::of(&request)?;
            self.decide_all(&asker, &request.get_ref().checks).await
        };
        reply(decide.await)
    }

    async fn explain(&self, request: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        let explain = async { self.explained(Asker::of(&request)?, request.into_inner()).await };
        reply(explain.await)
    }
}

fn message(question: Question, explanation: Explanation) -> ExplainReply {
    let Explanation {
        reason,
        tenant_status,
        member,
        why,
    } = explanation;
    let (member_role, member_status) = member
        .map(|member| (member.role, member.status))
        .unwrap_or_default();
    ExplainReply {
        allowed: reason.allows(),
        reason: reason.as_str().to_owned(),
        permission: format!("{}.{}", question.menu, question.action),
        version: why.version,
        tenant_status,
        member_role,
        member_status,
        menu_on: why.menu_on,
        roles: why.roles.into_iter().map(explained_role).collect(),
    }
}

fn explained_role(role: RoleInQuestion) -> ExplainedRole {
    ExplainedRole {
        role_id: role.id.to_string(),
        name: role.name,
        held: role.held,
        grants: role.grants,
    }
}
