//! `plaza.notification.v1.Suppressions`: who must not be written to.

use plaza_contracts::incoming::{Asker, id, page, reply, time};
use plaza_contracts::permissions::{ManageSuppressions, ViewSuppressions};
use plaza_contracts::proto::notification::suppressions_server::Suppressions;
use plaza_contracts::proto::notification::{
    LiftSuppressionReply, LiftSuppressionRequest, ListSuppressionsReply, ListSuppressionsRequest,
    SuppressRequest, Suppression as SuppressionReply,
};
use tonic::{Request, Response, Status, async_trait};

use super::Rpc;
use crate::suppressions::suppress::NewSuppression;
use crate::suppressions::{Suppression, store};

#[async_trait]
impl Suppressions for Rpc {
    async fn suppress(
        &self,
        request: Request<SuppressRequest>,
    ) -> Result<Response<SuppressionReply>, Status> {
        let suppress = async {
            let (asker, request) = (Asker::of(&request)?, request.into_inner());
            let right = self
                .right::<ManageSuppressions>(asker, &request.tenant_id)
                .await?;
            let given = |text: String| Some(text).filter(|text| !text.is_empty());
            let new = NewSuppression {
                address: request.address,
                channel: None,
                scope: given(request.scope),
                reason: given(request.reason),
            };
            Ok(suppression(self.0.suppress(&right, new).await?))
        };
        reply(suppress.await)
    }

    async fn lift_suppression(
        &self,
        request: Request<LiftSuppressionRequest>,
    ) -> Result<Response<LiftSuppressionReply>, Status> {
        let lift = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let right = self
                .right::<ManageSuppressions>(asker, &request.tenant_id)
                .await?;
            let suppression = id("suppression_id", &request.suppression_id)?;
            self.0.lift_suppression(&right, suppression).await?;
            Ok(LiftSuppressionReply {})
        };
        reply(lift.await)
    }

    async fn list_suppressions(
        &self,
        request: Request<ListSuppressionsRequest>,
    ) -> Result<Response<ListSuppressionsReply>, Status> {
        let list = async {
            let (asker, request) = (Asker::of(&request)?, request.get_ref());
            let page = page(request.limit, &request.cursor)?;
            let right = self.right::<ViewSuppressions>(asker, &request.tenant_id).await?;
            let page = store::list(&self.0.inner.database, right.tenant(), page, 0).await?;
            Ok(ListSuppressionsReply {
                suppressions: page.items.into_iter().map(suppression).collect(),
                next_cursor: page.next_cursor.unwrap_or_default(),
            })
        };
        reply(list.await)
    }
}

fn suppression(suppression: Suppression) -> SuppressionReply {
    SuppressionReply {
        suppression_id: suppression.id.to_string(),
        channel: suppression.channel,
        address: suppression.address,
        reason: suppression.reason,
        scope: suppression.scope.as_str().to_owned(),
        source: suppression.source,
        created_at: time(suppression.created_at),
    }
}
