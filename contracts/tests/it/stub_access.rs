//! An access whose grants and faults a test sets by hand, and which counts what it is asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use plaza_contracts::proto::access::access_server::{Access, AccessServer};
use plaza_contracts::proto::access::{
    BatchCheckReply, BatchCheckRequest, CheckReply, CheckRequest, ExplainReply, ExplainRequest, GrantsReply,
    GrantsRequest, VersionReply, VersionRequest,
};
use plaza_contracts::services::{ACCESS, BROADCAST};
use plaza_rpc::{Directory, RpcSettings, Transport};
use tonic::service::Routes;
use tonic::{Request, Response, Status};

#[derive(Clone, Default)]
pub(crate) struct StubAccess(Arc<State>);

#[derive(Default)]
struct State {
    version: AtomicI64,
    word: AtomicU64,
    away: AtomicBool,
    versions_asked: AtomicUsize,
    grants_asked: AtomicUsize,
}

impl StubAccess {
    /// One grant more or less, in one transaction with its version.
    pub(crate) fn grant(&self, word: u64) {
        self.0.word.store(word, Ordering::SeqCst);
        self.0.version.fetch_add(1, Ordering::SeqCst);
    }

    pub(crate) fn away(&self, away: bool) {
        self.0.away.store(away, Ordering::SeqCst);
    }

    /// How often the version and the grants were asked for.
    pub(crate) fn asked(&self) -> (usize, usize) {
        (
            self.0.versions_asked.load(Ordering::SeqCst),
            self.0.grants_asked.load(Ordering::SeqCst),
        )
    }

    pub(crate) fn transport(&self) -> Transport {
        let directory = Directory::new(RpcSettings::default());
        directory.host(ACCESS, Routes::new(AccessServer::new(self.clone())));
        directory.acting_as(BROADCAST).transport(ACCESS)
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
impl Access for StubAccess {
    async fn version(&self, _: Request<VersionRequest>) -> Result<Response<VersionReply>, Status> {
        self.0.versions_asked.fetch_add(1, Ordering::SeqCst);
        self.here()?;
        // Long enough for others to arrive meanwhile.
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(Response::new(VersionReply {
            version: self.0.version.load(Ordering::SeqCst),
        }))
    }

    async fn grants(&self, _: Request<GrantsRequest>) -> Result<Response<GrantsReply>, Status> {
        self.0.grants_asked.fetch_add(1, Ordering::SeqCst);
        self.here()?;
        let version = self.0.version.load(Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(5)).await;
        Ok(Response::new(GrantsReply {
            version,
            words: vec![self.0.word.load(Ordering::SeqCst)],
        }))
    }

    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckReply>, Status> {
        Err(Status::unimplemented("not part of this stub"))
    }

    async fn batch_check(&self, _: Request<BatchCheckRequest>) -> Result<Response<BatchCheckReply>, Status> {
        Err(Status::unimplemented("not part of this stub"))
    }

    async fn explain(&self, _: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        Err(Status::unimplemented("not part of this stub"))
    }
}
