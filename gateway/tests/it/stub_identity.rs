//! An identity that shows one key, and whose sessions stand until a test ends them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use plaza_contracts::proto::identity::identity_server::{Identity, IdentityServer};
use plaza_contracts::proto::identity::{
    CheckSessionReply, CheckSessionRequest, CreateOwnerLinkReply, CreateOwnerLinkRequest, GetMemberRequest,
    Member, SigningKeysReply, SigningKeysRequest,
};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

#[derive(Clone, Default)]
pub(crate) struct StubIdentity(Arc<State>);

#[derive(Default)]
struct State {
    jwks: Mutex<String>,
    ended: AtomicBool,
    role: Mutex<Option<String>>,
    away: AtomicBool,
    keys_asked: AtomicUsize,
    sessions_asked: AtomicUsize,
}

impl StubIdentity {
    pub(crate) fn routes(&self) -> Routes {
        Routes::new(IdentityServer::new(self.clone()))
    }

    pub(crate) fn show(&self, jwks: String) {
        *self.0.jwks.lock().unwrap() = jwks;
    }

    /// Every session ends.
    pub(crate) fn end_sessions(&self) {
        self.0.ended.store(true, Ordering::SeqCst);
    }

    /// Every user has this role now. Before, each has the one of its session's scope: owner or platform_admin.
    pub(crate) fn change_role(&self, role: &str) {
        *self.0.role.lock().unwrap() = Some(role.to_owned());
    }

    pub(crate) fn away(&self, away: bool) {
        self.0.away.store(away, Ordering::SeqCst);
    }

    pub(crate) fn keys_asked(&self) -> usize {
        self.0.keys_asked.load(Ordering::SeqCst)
    }

    pub(crate) fn sessions_asked(&self) -> usize {
        self.0.sessions_asked.load(Ordering::SeqCst)
    }

    fn here(&self) -> Result<(), Status> {
        if self.0.away.load(Ordering::SeqCst) {
            Err(Status::unavailable("away"))
        } else {
            Ok(())
        }
    }
}

#[tonic::async_trait]
impl Identity for StubIdentity {
    async fn signing_keys(
        &self,
        _: Request<SigningKeysRequest>,
    ) -> Result<Response<SigningKeysReply>, Status> {
        self.0.keys_asked.fetch_add(1, Ordering::SeqCst);
        self.here()?;
        Ok(Response::new(SigningKeysReply {
            jwks: self.0.jwks.lock().unwrap().clone(),
        }))
    }

    async fn check_session(
        &self,
        request: Request<CheckSessionRequest>,
    ) -> Result<Response<CheckSessionReply>, Status> {
        self.0.sessions_asked.fetch_add(1, Ordering::SeqCst);
        self.here()?;
        let usual = if request.into_inner().tenant_id.is_empty() {
            "platform_admin"
        } else {
            "owner"
        };
        let role = self
            .0
            .role
            .lock()
            .unwrap()
            .clone()
            .unwrap_or_else(|| usual.to_owned());
        Ok(Response::new(CheckSessionReply {
            active: !self.0.ended.load(Ordering::SeqCst),
            role,
        }))
    }

    async fn create_owner_link(
        &self,
        _: Request<CreateOwnerLinkRequest>,
    ) -> Result<Response<CreateOwnerLinkReply>, Status> {
        Err(Status::unimplemented("not part of this stub"))
    }

    async fn get_member(&self, _: Request<GetMemberRequest>) -> Result<Response<Member>, Status> {
        Err(Status::unimplemented("not part of this stub"))
    }
}
