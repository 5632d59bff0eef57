//! `plaza.identity.v1.Accounts`: how people come in.

use plaza_contracts::incoming::{Asker, BadCall, Refusal, reply};
use plaza_contracts::proto::identity::accounts_server;
use plaza_contracts::proto::identity::{
    LogInRequest, RefreshRequest, RegisterReply, RegisterRequest, SetUpReply, SetUpRequest, Tokens,
    WhoAmIReply, WhoAmIRequest,
};
use plaza_rpc::RpcError;
use secrecy::ExposeSecret;
use tonic::{Request, Response, Status};

use super::Rpc;
use crate::origin::Origin;
use crate::sessions::{Login, TokenPair};
use crate::setup::Setup;
use crate::tenants::Wanted;
use crate::users::{PersonName, Registration};

#[tonic::async_trait]
impl accounts_server::Accounts for Rpc {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<RegisterReply>, Status> {
        let register = async {
            let request = request.into_inner();
            let registration = Registration {
                email: request.email.parse()?,
                password: request.password.into(),
                name: PersonName::parse(Some(&request.name))?,
                tenant: self.wanted(&request.tenant).await?,
                origin: Origin::INSIDE,
            };
            self.0.register(registration).await?;
            Ok(RegisterReply {})
        };
        reply(register.await)
    }

    async fn set_up(&self, request: Request<SetUpRequest>) -> Result<Response<SetUpReply>, Status> {
        reply(self.use_link(request.into_inner()).await)
    }

    async fn log_in(&self, request: Request<LogInRequest>) -> Result<Response<Tokens>, Status> {
        let log_in = async {
            let request = request.into_inner();
            let login = Login {
                email: request.email.parse()?,
                password: request.password.into(),
                tenant: self.wanted(&request.tenant).await?,
                origin: Origin::INSIDE,
            };
            Ok(tokens(&self.0.login(login).await?))
        };
        reply(log_in.await)
    }

    async fn refresh(&self, request: Request<RefreshRequest>) -> Result<Response<Tokens>, Status> {
        let pair = self.0.refresh(&request.get_ref().refresh_token, None).await;
        reply(pair.map(|pair| tokens(&pair)).map_err(Refusal::from))
    }

    async fn who_am_i(&self, request: Request<WhoAmIRequest>) -> Result<Response<WhoAmIReply>, Status> {
        let who = async {
            let asker = Asker::of(&request)?;
            let me = self.0.me(asker.person().ok_or(BadCall::Unauthenticated)?).await?;
            Ok(WhoAmIReply {
                user_id: me.user_id.to_string(),
                email: me.email,
                name: me.name,
                role: me.role,
                tenant_id: me.tenant_id.map(|id| id.to_string()).unwrap_or_default(),
                session_id: me.session_id.to_string(),
            })
        };
        reply(who.await)
    }
}

impl Rpc {
    /// Which tenant is named; a call has no host that could name one.
    async fn wanted(&self, slug: &str) -> Result<Wanted, RpcError> {
        let slug = Some(slug).filter(|slug| !slug.is_empty());
        self.0.tenants().wanted(None, slug).await
    }

    async fn use_link(&self, request: SetUpRequest) -> Result<SetUpReply, Refusal> {
        let setup = Setup {
            token: request.token,
            email: request.email.parse()?,
            password: request.password.into(),
            origin: Origin::INSIDE,
        };
        let done = self.0.set_up(setup).await?;
        Ok(SetUpReply {
            user_id: done.user_id.to_string(),
            email: done.email,
            role: done.role.to_string(),
            tenant_id: done.tenant_id.map(|id| id.to_string()).unwrap_or_default(),
        })
    }
}

fn tokens(pair: &TokenPair) -> Tokens {
    Tokens {
        access_token: pair.access.expose_secret().to_owned(),
        refresh_token: pair.refresh.expose_secret().to_owned(),
        expires_in: pair.expires_in,
    }
}
