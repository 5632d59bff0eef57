//! The gRPC API, for the other services.

use plaza_contracts::ids::CampaignId;
use plaza_contracts::proto::broadcast::broadcast_server::{Broadcast as Api, BroadcastServer};
use plaza_contracts::proto::broadcast::{Campaign, GetCampaignRequest};
use plaza_database::{DatabaseError, kind};
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_rpc::answer;
use tonic::{Request, Response, Status};

use crate::Broadcast;
use crate::campaigns::store;

/// Why no campaign was found.
#[derive(Debug, thiserror::Error)]
enum GetError {
    /// There is none, or the ids are none.
    #[error("there is no such campaign")]
    NotFound,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for GetError {
    fn kind(&self) -> Kind {
        match self {
            Self::NotFound => Kind::NotFound,
            Self::Database(error) => kind(error),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "CAMPAIGN_NOT_FOUND",
            Self::Database(error) => error.code(),
        }
    }
}

struct Server(Broadcast);

#[tonic::async_trait]
impl Api for Server {
    async fn get_campaign(&self, request: Request<GetCampaignRequest>) -> Result<Response<Campaign>, Status> {
        answer(self.0.campaign_for_services(&request.into_inner()).await)
    }
}

impl Broadcast {
    async fn campaign_for_services(&self, request: &GetCampaignRequest) -> Result<Campaign, GetError> {
        let tenant: TenantId = request.tenant_id.parse().map_err(|_| GetError::NotFound)?;
        let id: CampaignId = request.campaign_id.parse().map_err(|_| GetError::NotFound)?;
        let found = store::get(&self.database, tenant, id)
            .await?
            .ok_or(GetError::NotFound)?;
        Ok(Campaign {
            campaign_id: found.id.to_string(),
            name: found.name,
            state: found.state.to_string(),
            planned: found.planned.0.into_iter().collect(),
        })
    }
}

/// The server.
pub(crate) fn routes(broadcast: Broadcast) -> tonic::service::Routes {
    tonic::service::Routes::new(BroadcastServer::new(Server(broadcast)))
}
