//! The gRPC API of notification.

use plaza_contracts::ids::SenderId;
use plaza_contracts::proto::notification::notification_server::{
    Notification as NotificationApi, NotificationServer,
};
use plaza_contracts::proto::notification::{
    CountsReply, CountsRequest, Message as MessageReply, MessagesReply, MessagesRequest, OpenReply,
    OpenRequest, SenderReply, SenderRequest, SuppressedReply, SuppressedRequest,
};
use plaza_database::DatabaseError;
use plaza_kernel::{Failure, Kind, TenantId};
use plaza_rpc::answer;
use tonic::{Request, Response, Status, async_trait};

use crate::messages::store::Filter;
use crate::messages::{Message, State};
use crate::{Notification, messages, senders, suppressions};

/// The most addresses of one question.
const ADDRESSES: usize = 1_000;

#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error("`{0}` is not acceptable")]
    Invalid(&'static str),
    #[error("the tenant has no such sender")]
    NoSender,
    #[error("database failed")]
    Database(#[from] DatabaseError),
}

impl Failure for AskError {
    fn kind(&self) -> Kind {
        match self {
            Self::Invalid(_) => Kind::Invalid,
            Self::NoSender => Kind::NotFound,
            Self::Database(error) => error.kind(),
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::NoSender => "SENDER_NOT_FOUND",
            Self::Database(error) => error.code(),
        }
    }
}

pub(crate) fn routes(notification: Notification) -> tonic::service::Routes {
    tonic::service::Routes::new(NotificationServer::new(notification))
}

impl Notification {
    async fn ask_counts(&self, request: CountsRequest) -> Result<CountsReply, AskError> {
        let tenant = tenant(&request.tenant_id)?;
        let tx = self.inner.database.begin(tenant);
        let by_state = messages::store::counts(&tx, &request.source).await?;
        tx.commit().await?;
        Ok(CountsReply { by_state })
    }

    async fn ask_open(&self, request: OpenRequest) -> Result<OpenReply, AskError> {
        let tenant = tenant(&request.tenant_id)?;
        let open = messages::store::open(&self.inner.database, tenant, request.source).await?;
        Ok(OpenReply { open })
    }

    async fn ask_messages(&self, request: MessagesRequest) -> Result<MessagesReply, AskError> {
        let given = |text: String| Some(text).filter(|text| !text.is_empty());
        let state = given(request.state)
            .map(|state| state.parse::<State>())
            .transpose();
        let after = given(request.after).map(|after| after.parse()).transpose();
        let filter = Filter {
            source: given(request.source),
            state: state.map_err(|_| AskError::Invalid("state"))?,
            after: after.map_err(|_| AskError::Invalid("after"))?,
            skip: 0,
        };
        let limit = i64::from(request.limit.clamp(1, 201));
        let tenant = tenant(&request.tenant_id)?;
        let found = messages::store::list(&self.inner.database, tenant, filter, limit).await?;
        Ok(MessagesReply {
            messages: found.into_iter().map(message).collect(),
        })
    }

    async fn ask_suppressed(&self, request: SuppressedRequest) -> Result<SuppressedReply, AskError> {
        if request.addresses.len() > ADDRESSES {
            return Err(AskError::Invalid("addresses"));
        }
        let tenant = tenant(&request.tenant_id)?;
        let database = &self.inner.database;
        let addresses =
            suppressions::store::among(database, tenant, request.channel, request.addresses).await?;
        Ok(SuppressedReply { addresses })
    }

    async fn ask_sender(&self, request: SenderRequest) -> Result<SenderReply, AskError> {
        let tenant = tenant(&request.tenant_id)?;
        let database = &self.inner.database;
        let found = if request.sender_id.is_empty() {
            senders::store::default_of(database, tenant, &request.channel).await?
        } else {
            let id: SenderId = request.sender_id.parse().map_err(|_| AskError::NoSender)?;
            senders::store::get(database, tenant, id)
                .await?
                .filter(|sender| sender.channel == request.channel)
        };
        let sender = found.ok_or(AskError::NoSender)?;
        Ok(SenderReply {
            sender_id: sender.id.to_string(),
            name: sender.name,
        })
    }
}

#[async_trait]
impl NotificationApi for Notification {
    async fn counts(&self, request: Request<CountsRequest>) -> Result<Response<CountsReply>, Status> {
        answer(self.ask_counts(request.into_inner()).await)
    }

    async fn open(&self, request: Request<OpenRequest>) -> Result<Response<OpenReply>, Status> {
        answer(self.ask_open(request.into_inner()).await)
    }

    async fn messages(&self, request: Request<MessagesRequest>) -> Result<Response<MessagesReply>, Status> {
        answer(self.ask_messages(request.into_inner()).await)
    }

    async fn suppressed(
        &self,
        request: Request<SuppressedRequest>,
    ) -> Result<Response<SuppressedReply>, Status> {
        answer(self.ask_suppressed(request.into_inner()).await)
    }

    async fn sender(&self, request: Request<SenderRequest>) -> Result<Response<SenderReply>, Status> {
        answer(self.ask_sender(request.into_inner()).await)
    }
}

fn tenant(text: &str) -> Result<TenantId, AskError> {
    text.parse().map_err(|_| AskError::Invalid("tenant_id"))
}

fn message(message: Message) -> MessageReply {
    MessageReply {
        message_id: message.id.to_string(),
        source: message.source,
        sender_id: message.sender_id.to_string(),
        channel: message.channel,
        to: message.address,
        state: message.state.to_string(),
        provider_id: message.provider_id.unwrap_or_default(),
        error_code: message.error_code.unwrap_or_default(),
        error_text: message.error_text.unwrap_or_default(),
        attempts: u32::try_from(message.attempts).unwrap_or_default(),
        created_at: message.created_at.timestamp_millis(),
        updated_at: message.updated_at.timestamp_millis(),
    }
}
